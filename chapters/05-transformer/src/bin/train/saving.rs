//! Where a training is saved, and what is there.

use crate::{lock::Lock, places::shown, typed};
use candle_core::{Error, Result};
use std::path::Path;
use transformer::{checkpoint::Checkpoint, reason::reason, training::Trainer};

/// The checkpoint of a training.
pub struct Saving<'a> {
    file: &'a Path,
    there: There,
    _lock: Lock,
}

/// What the file holds.
enum There {
    /// Nothing, or what an earlier training left.
    Another,
    /// This training after so many steps.
    Step(usize),
}

impl<'a> Saving<'a> {
    /// Makes sure that `file` can be written, and that no other training does.
    pub fn begin(file: &'a Path) -> Result<Self> {
        let advised = |error| {
            Error::Msg(format!(
                "{}. Name another file with --checkpoint",
                reason(&error)
            ))
        };
        Checkpoint::probe(file).map_err(advised)?;
        let lock = Lock::take(file).map_err(Error::Msg)?;
        Ok(Self { file, there: There::Another, _lock: lock })
    }

    /// The checkpoint of this training, to go on from; `fits` says why another one does not do.
    pub fn resume(
        &mut self,
        fits: impl FnOnce(&Checkpoint) -> Option<String>,
    ) -> Result<Checkpoint> {
        let checkpoint = Checkpoint::load(self.file).map_err(|error| {
            Error::Msg(format!(
                "{}. Train anew without --resume: the file is kept under another name. Or name another one with --checkpoint",
                reason(&error)
            ))
        })?;
        if let Some(why) = fits(&checkpoint) {
            return Err(Error::Msg(why));
        }
        self.there = There::Step(checkpoint.step);
        Ok(checkpoint)
    }

    /// What becomes of an earlier training, if there is one.
    pub fn notice(&self) -> Option<String> {
        let file = shown(self.file);
        let text = match Checkpoint::load(self.file) {
            Ok(Checkpoint { step, settings, .. }) if step < settings.steps => format!(
                "{file} holds an earlier training, {step} of {} steps: it will be kept under another name. (To go on with it, press Ctrl-C now, and add --resume.)",
                settings.steps
            ),
            Ok(_) => format!(
                "{file} holds a finished training: it will be kept under another name."
            ),
            Err(_) => {
                format!(
                    "{file} is no whole checkpoint: it will be kept under another name."
                )
            }
        };
        self.file.exists().then_some(text)
    }

    /// Saves. What an earlier training left is kept; returns where, in a sentence.
    pub fn save(&mut self, trainer: &Trainer) -> Result<Option<String>> {
        let checkpoint = trainer.checkpoint()?;
        let kept = match self.there {
            There::Another => checkpoint.save_beside(self.file)?,
            There::Step(_) => checkpoint.save(self.file).map(|()| None)?,
        };
        self.there = There::Step(checkpoint.step);
        Ok(kept
            .map(|kept| format!("The earlier training is kept as {}.", shown(&kept))))
    }

    /// What there is to go on from when saving has failed, and how.
    pub fn left(&self, steps: usize) -> String {
        let file = shown(self.file);
        let advice = "Make room, or the folder writable, or choose another file with --checkpoint";
        match self.there {
            There::Step(step) => format!(
                "{file} still holds step {step} of {steps}. {advice}. To go on from that step: {}",
                typed::resume()
            ),
            There::Another if self.file.exists() => {
                format!("{file} still holds the earlier training, as it was. {advice}")
            }
            There::Another => {
                format!("No checkpoint of this training is there. {advice}")
            }
        }
    }

    /// The file.
    pub fn file(&self) -> &'a Path {
        self.file
    }
}
