//! The training itself.

use crate::{
    places::{Places, shown},
    progress::Progress,
    report,
};
use candle_core::{Error, Result};
use options::train::Options;
use std::{
    env,
    path::Path,
    process,
    sync::atomic::{AtomicUsize, Ordering},
};
use transformer::{
    checkpoint::Checkpoint,
    reason::reason,
    training::{Settings, Trainer},
};

/// How a run that did not fail ended.
pub enum End {
    /// All steps are done.
    Finished,
    /// By Ctrl-C.
    Stopped,
}

/// How often Ctrl-C was pressed, and how many of those presses the steps have answered.
static PRESSED: AtomicUsize = AtomicUsize::new(0);
static ANSWERED: AtomicUsize = AtomicUsize::new(0);

/// The first press waits for the end of the step, where it saves. One more before that ends the program at once: a step
/// may never end, with code of one's own.
fn press() {
    if PRESSED.fetch_add(1, Ordering::SeqCst) > ANSWERED.load(Ordering::SeqCst) {
        process::exit(130);
    }
}

/// Trains with `settings` to the end or to Ctrl-C, saves, and reports.
pub fn run(options: &Options, settings: Settings) -> Result<End> {
    let places = Places::new(options, &settings);
    let mut trainer = begin(options, settings, &places)?;
    ctrlc::set_handler(press).map_err(Error::wrap)?;
    let (end, unsaved) = train(&mut trainer, options, &places)?;
    if let End::Finished = end {
        // Nothing is left to save: from here on, the first press ends the program.
        PRESSED.fetch_add(1, Ordering::SeqCst);
        report::finish(&trainer, options, &places)?;
    }
    unsaved.map_or(Ok(end), Err)
}

/// A new trainer, or with `--resume` the saved one.
fn begin(options: &Options, settings: Settings, places: &Places) -> Result<Trainer> {
    let Some(file) = &places.checkpoint else {
        return Trainer::new(settings);
    };
    // Better known now than after the training.
    Checkpoint::probe(file)?;
    if options.resume {
        let trainer = Trainer::resume(settings, Checkpoint::load(file)?)?;
        println!("Resuming after step {} from {}", trainer.steps(), shown(file));
        return Ok(trainer);
    }
    if file.exists() {
        println!("{} is from an earlier run: this one will replace it", shown(file));
    }
    Trainer::new(settings)
}

/// Steps until the last or Ctrl-C; returns with why the last saving failed, if it did.
fn train(
    trainer: &mut Trainer,
    options: &Options,
    places: &Places,
) -> Result<(End, Option<Error>)> {
    let steps = trainer.settings().steps;
    let progress = Progress::start(steps, trainer.steps());
    let (mut seen, mut warned, mut unsaved) = (0, false, None);
    while trainer.steps() < steps {
        trainer.step().inspect_err(|_| progress.clear())?;
        progress.show(trainer.history());
        let pressed = PRESSED.load(Ordering::SeqCst);
        let last = trainer.steps() == steps;
        let stop = pressed > seen && !last;
        seen = pressed;
        ANSWERED.store(pressed, Ordering::SeqCst);
        if !stop && !last && !trainer.steps().is_multiple_of(options.save_every) {
            continue;
        }
        unsaved =
            places.checkpoint.as_deref().and_then(|file| save(trainer, file).err());
        match unsaved.as_ref().map(reason) {
            None if stop => {
                progress.clear();
                println!("{}", farewell(trainer, places.checkpoint.as_deref()));
                return Ok((End::Stopped, None));
            }
            None => {}
            Some(_) if stop && warned => return Ok((End::Stopped, unsaved)),
            Some(why) if stop => {
                warned = true;
                progress.say(&format!(
                    "{why}.\nTraining continues, so nothing is lost yet. Ctrl-C again retries, and stops either way."
                ));
            }
            Some(why) => progress.say(&format!("warning: {why}.\nTraining continues.")),
        }
    }
    progress.clear();
    Ok((End::Finished, unsaved))
}

fn save(trainer: &Trainer, file: &Path) -> Result<()> {
    trainer.checkpoint()?.save(file)
}

fn farewell(trainer: &Trainer, file: Option<&Path>) -> String {
    let (step, steps) = (trainer.steps(), trainer.settings().steps);
    let Some(file) = file else {
        return format!(
            "Stopped after step {step} of {steps}; with --no-checkpoint nothing is kept."
        );
    };
    let typed = env::args().skip(1).filter(|argument| argument != "--resume");
    let typed: String =
        typed.map(|argument| format!("{} ", quoted(&argument))).collect();
    format!(
        "Stopped after step {step} of {steps}, saved in {}.\nTo continue: cargo study train {typed}--resume",
        shown(file)
    )
}

fn quoted(argument: &str) -> String {
    if argument.contains(char::is_whitespace) {
        format!("\"{argument}\"")
    } else {
        argument.to_owned()
    }
}
