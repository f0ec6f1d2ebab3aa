//! The training itself.

use crate::{
    fit,
    places::{Places, shown},
    progress::Progress,
    report,
    saving::Saving,
    typed,
};
use candle_core::{Error, Result};
use options::train::Options;
use std::{
    process,
    sync::atomic::{AtomicUsize, Ordering},
};
use transformer::{
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
    let places = Places::new(options);
    let mut saving = places.checkpoint.as_deref().map(Saving::begin).transpose()?;
    let mut trainer = begin(options, settings, saving.as_mut())?;
    ctrlc::set_handler(press).map_err(Error::wrap)?;
    let (end, unsaved) = train(&mut trainer, options, saving.as_mut())?;
    if let End::Finished = end {
        // Nothing is left to save: from here on, the first press ends the program.
        PRESSED.fetch_add(1, Ordering::SeqCst);
        let saved = saving.as_ref().filter(|_| unsaved.is_none());
        report::finish(&trainer, options, saved.map(Saving::file), &places.figure)?;
    }
    unsaved.map_or(Ok(end), Err)
}

/// A new trainer, or with `--resume` the saved one.
fn begin(
    options: &Options,
    settings: Settings,
    saving: Option<&mut Saving>,
) -> Result<Trainer> {
    let Some(saving) = saving else {
        return Trainer::new(settings);
    };
    if options.resume {
        let file = saving.file();
        let checkpoint = saving
            .resume(|checkpoint| fit::refusal(file, &checkpoint.settings, &settings))?;
        let trainer = Trainer::resume(settings, checkpoint)?;
        println!("Resuming after step {} from {}", trainer.steps(), shown(file));
        return Ok(trainer);
    }
    if let Some(notice) = saving.notice() {
        println!("{notice}");
    }
    Trainer::new(settings)
}

/// Steps until the last or Ctrl-C; returns with why the last saving failed, if it did.
fn train(
    trainer: &mut Trainer,
    options: &Options,
    mut saving: Option<&mut Saving>,
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
        unsaved = saving.as_mut().and_then(|saving| {
            let said =
                saving.save(trainer).map(|said| said.map(|said| progress.say(&said)));
            said.err()
                .map(|error| format!("{}. {}", reason(&error), saving.left(steps)))
        });
        match &unsaved {
            None if stop => {
                progress.clear();
                println!("{}", farewell(trainer, saving.as_deref()));
                return Ok((End::Stopped, None));
            }
            None => {}
            Some(_) if stop && warned => break,
            Some(why) if stop => {
                warned = true;
                progress.say(&format!(
                    "{why}.\nTraining continues, so nothing is lost yet. Ctrl-C again retries, and stops either way."
                ));
            }
            // The last one is the program's answer.
            Some(_) if last => {}
            Some(why) => progress.say(&format!("warning: {why}.\nTraining continues.")),
        }
    }
    progress.clear();
    let end = if trainer.steps() == steps { End::Finished } else { End::Stopped };
    Ok((end, unsaved.map(Error::Msg)))
}

fn farewell(trainer: &Trainer, saving: Option<&Saving>) -> String {
    let (step, steps) = (trainer.steps(), trainer.settings().steps);
    match saving {
        None => format!(
            "Stopped after step {step} of {steps}; with --no-checkpoint nothing is kept."
        ),
        Some(saving) => format!(
            "Stopped after step {step} of {steps}, saved in {}.\nTo continue: {}",
            shown(saving.file()),
            typed::resume()
        ),
    }
}
