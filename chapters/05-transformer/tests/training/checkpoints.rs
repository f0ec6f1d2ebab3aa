//! Going on where a training stopped, and saying why not.

use crate::{tiny, trained, with_dropout};
use candle_core::{Device, Result, Tensor};
use std::{fs, path::Path};
use transformer::{
    NormOrder, TransformerConfig,
    adam::Named,
    checkpoint::Checkpoint,
    tasks::Task,
    training::{CodePath, Settings, Trainer},
};

fn numbers(tensors: &Named) -> Result<Vec<Vec<f32>>> {
    tensors.values().map(|tensor| tensor.flatten_all()?.to_vec1()).collect()
}

#[test]
fn a_resumed_training_goes_on_as_if_nothing_had_been() -> Result<()> {
    for path in [CodePath::Readable, CodePath::Fast] {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("new/folder/checkpoint.safetensors");
        let settings = with_dropout(Settings { path, ..tiny() });
        let whole = trained(settings.clone(), 6)?.checkpoint()?;

        trained(settings.clone(), 3)?.checkpoint()?.save(&file)?;
        let mut resumed = Trainer::resume(settings, Checkpoint::load(&file)?)?;
        assert_eq!(resumed.steps(), 3);
        for _ in 3..6 {
            resumed.step()?;
        }
        let resumed = resumed.checkpoint()?;
        assert_eq!(resumed.history.losses, whole.history.losses);
        assert_eq!(resumed.history.accuracies, whole.history.accuracies);
        assert_eq!(resumed.history.tokens, whole.history.tokens);
        assert_eq!(resumed.moments, whole.moments);
        assert_eq!(numbers(&resumed.variables)?, numbers(&whole.variables)?);
    }
    Ok(())
}

#[test]
fn a_checkpoint_stays_as_it_was_while_the_training_goes_on() -> Result<()> {
    let mut trainer = trained(tiny(), 1)?;
    let checkpoint = trainer.checkpoint()?;
    let before = numbers(&checkpoint.variables)?;
    trainer.step()?;
    assert_eq!(numbers(&checkpoint.variables)?, before);
    assert_ne!(numbers(&trainer.checkpoint()?.variables)?, before);
    Ok(())
}

#[test]
fn a_damaged_checkpoint_is_refused_with_the_reason() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("checkpoint.safetensors");
    trained(tiny(), 1)?.checkpoint()?.save(&file)?;
    let good = fs::read(&file)?;
    let told = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        Checkpoint::load(&file).unwrap_err().to_string()
    };
    for length in [0, 7, 100, good.len() / 2, good.len() - 1] {
        let text = told(&good[..length]);
        assert!(text.contains("damaged"), "{length}: {text}");
        // Whoever reads it may have other options.
        assert!(!text.contains("--"), "{length}: {text}");
    }
    let step = good.windows(10).position(|window| window == br#"\"step\":1"#).unwrap();
    for (at, new) in [(good.len() - 100, good[good.len() - 100] ^ 1), (step + 9, b'0')]
    {
        let mut flipped = good.clone();
        flipped[at] = new;
        assert!(told(&flipped).contains("it is not what was saved"), "byte {at}");
    }
    assert!(
        told(b"Dear diary, today I trained a Transformer.")
            .contains("no safetensors file")
    );

    let at = good.windows(12).position(|window| window == br#"version\":2,"#).unwrap();
    let mut newer = good.clone();
    newer[at + 10] = b'3';
    let text = told(&newer);
    assert!(text.contains("version 3, and this program reads version 2"), "{text}");

    candle_core::safetensors::save(
        &Named::from([("x".into(), Tensor::new(1f32, &Device::Cpu)?)])
            .into_iter()
            .collect(),
        &file,
    )?;
    let text = Checkpoint::load(&file).unwrap_err().to_string();
    assert!(text.contains("no checkpoint of a training"), "{text}");

    let text = Checkpoint::load(&folder.path().join("none")).unwrap_err().to_string();
    assert!(text.contains("there is no checkpoint"), "{text}");
    Ok(())
}

#[test]
fn a_checkpoint_of_other_settings_is_refused_with_both_values() -> Result<()> {
    let checkpoint = trained(tiny(), 1)?.checkpoint()?;
    let told = |asked: Settings| {
        Trainer::resume(asked, checkpoint.clone()).err().map(|error| error.to_string())
    };
    let model = TransformerConfig { order: NormOrder::Post, ..tiny().model };
    for (asked, expected) in [
        (Settings { batch: 64, ..tiny() }, "batch = 5, and you ask for 64"),
        (
            // The recipe of another task has other steps, too.
            Settings { task: Task::Sort, steps: 9, ..tiny() },
            "task = \"copy\", and you ask for \"sort\"",
        ),
        (Settings { lengths: 1..=9, ..tiny() }, "lengths.end = 4, and you ask for 9"),
        (
            Settings { model, ..tiny() },
            "model.order = \"pre\", and you ask for \"post\"",
        ),
    ] {
        let text = told(asked).unwrap();
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(told(tiny()), None);
    Ok(())
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let checkpoint = trained(tiny(), 1)?.checkpoint()?;
    let files = |folder: &Path| fs::read_dir(folder).unwrap().count();

    let taken = folder.path().join("taken");
    fs::create_dir_all(taken.join("by a folder"))?;
    let text = checkpoint.save(&taken).unwrap_err().to_string();
    assert!(text.contains("can't write the checkpoint"), "{text}");
    assert_eq!(files(folder.path()), 1);

    let file = folder.path().join("checkpoint");
    checkpoint.save(&file)?;
    assert!(checkpoint.save(&file.join("under a file")).is_err());
    assert!(Checkpoint::probe(&file.join("under a file")).is_err());
    assert!(Checkpoint::probe(&taken).is_err());
    Checkpoint::probe(&file)?;
    assert_eq!(files(folder.path()), 2);
    assert_eq!(Checkpoint::load(&file)?.step, 1);
    Ok(())
}

#[test]
fn another_training_is_kept_and_what_is_no_checkpoint_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("checkpoint.safetensors");
    let (first, second) = (trained(tiny(), 1)?, trained(tiny(), 2)?);
    assert_eq!(first.checkpoint()?.save_beside(&file)?, None);
    let kept = second.checkpoint()?.save_beside(&file)?.unwrap();
    assert_eq!(kept, folder.path().join("checkpoint.backup-1.safetensors"));
    assert_eq!([Checkpoint::load(&kept)?.step, Checkpoint::load(&file)?.step], [1, 2]);

    let notes = folder.path().join("notes.md");
    fs::write(&notes, "# What I learnt")?;
    let text = Checkpoint::probe(&notes).unwrap_err().to_string();
    assert!(text.contains("is no checkpoint, and is left as it is"), "{text}");
    for (file, bytes) in [("empty", ""), ("short", "abc"), ("damaged", "12345678{")] {
        let file = folder.path().join(file);
        fs::write(&file, bytes)?;
        Checkpoint::probe(&file)?;
    }
    Ok(())
}
