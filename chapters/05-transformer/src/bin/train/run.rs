//! The training itself.

use crate::{
    End,
    options::Options,
    places::{Places, shown},
    progress::Progress,
    report,
};
use candle_core::{Error, Result};
use std::{
    env,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};
use transformer::{
    checkpoint::Checkpoint,
    reason::reason,
    training::{Settings, Trainer},
};

/// How often Ctrl-C was pressed.
static PRESSED: AtomicUsize = AtomicUsize::new(0);

/// Trains with `settings` to the end or to Ctrl-C, saves, and reports.
pub fn run(options: &Options, settings: Settings) -> Result<End> {
    let places = Places::new(options, &settings);
    let mut trainer = begin(options, settings, &places)?;
    ctrlc::set_handler(|| {
        PRESSED.fetch_add(1, Ordering::SeqCst);
    })
    .map_err(Error::wrap)?;
    match train(&mut trainer, options, &places)? {
        End::Finished => report::finish(&trainer, options, &places).map(|()| End::Finished),
        stopped => Ok(stopped),
    }
}

/// A new trainer, or with `--resume` the saved one.
fn begin(options: &Options, settings: Settings, places: &Places) -> Result<Trainer> {
    let Some(file) = &places.checkpoint else {
        return Trainer::new(settings);
    };
    if options.resume {
        let trainer = Trainer::resume(settings, Checkpoint::load(file)?)?;
        println!("Going on after step {} of {}", trainer.steps(), shown(file));
        return Ok(trainer);
    }
    let trainer = Trainer::new(settings)?;
    if file.exists() {
        println!("{} is from an earlier training: this one will replace it", shown(file));
    } else {
        // A place that can't be written is better known now than after the training.
        trainer.checkpoint()?.save(file)?;
    }
    Ok(trainer)
}

fn train(trainer: &mut Trainer, options: &Options, places: &Places) -> Result<End> {
    let steps = trainer.settings().steps;
    let progress = Progress::start(steps, trainer.steps());
    let mut seen = 0;
    while trainer.steps() < steps {
        trainer.step().inspect_err(|_| progress.clear())?;
        progress.show(trainer.history());
        let pressed = PRESSED.load(Ordering::SeqCst);
        let stop = pressed > seen && trainer.steps() < steps;
        if !stop && trainer.steps() % options.save_every != 0 && trainer.steps() < steps {
            continue;
        }
        let saved = places.checkpoint.as_deref().map_or(Ok(()), |file| save(trainer, file));
        match saved {
            Ok(()) if stop => {
                progress.clear();
                println!("{}", farewell(trainer, places.checkpoint.as_deref()));
                return Ok(End::Stopped);
            }
            Ok(()) => {}
            Err(error) if stop && seen > 0 => return Err(error),
            Err(error) if stop => progress.say(&format!(
                "{}.\nThe training goes on, so nothing is lost yet. Ctrl-C once more tries again, and ends in any case.",
                reason(&error)
            )),
            Err(error) => progress.say(&format!("warning: {}.\nThe training goes on.", reason(&error))),
        }
        seen = pressed;
    }
    progress.clear();
    Ok(End::Finished)
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
    let typed: Vec<_> = env::args().skip(1).filter(|argument| argument != "--resume").collect();
    format!(
        "Stopped after step {step} of {steps}, saved in {}.\nTo go on: cargo study train {} --resume",
        shown(file),
        typed.join(" ")
    )
    .replace("  ", " ")
}
