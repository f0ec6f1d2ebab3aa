//! Training is the same from run to run, whatever it is interrupted by, and says why when it can't go on.

mod checkpoints;
mod command;
mod steps;
mod tasks;

use candle_core::{Device, Result, Tensor};
use compare::larger;
use transformer::{
    NormOrder, TransformerConfig,
    adam::AdamSettings,
    checkpoint::Checkpoint,
    model::PADDING,
    schedule::Schedule,
    tasks::Task,
    training::{CodePath, Settings, Trainer, exact_match, write},
};

/// A model that a test can afford.
fn tiny() -> Settings {
    one_thread::candle();
    let steps = 6;
    Settings {
        batch: 5,
        steps,
        threads: 1,
        schedule: Schedule::Linear { peak: 1e-2, warmup: 2, steps },
        model: TransformerConfig {
            d_model: 16,
            d_ff: 32,
            heads: 2,
            layers: 1,
            ..TransformerConfig::small(NormOrder::Pre)
        },
        ..Settings::recipe(Task::Copy, 1..=4, NormOrder::Pre, CodePath::Readable)
    }
}

fn with_dropout(settings: Settings) -> Settings {
    let model = TransformerConfig { dropout: 0.2, ..settings.model };
    Settings { model, threads: 2, ..settings }
}

fn trained(settings: Settings, steps: usize) -> Result<Trainer> {
    let mut trainer = Trainer::new(settings)?;
    for _ in 0..steps {
        trainer.step()?;
    }
    Ok(trainer)
}

#[test]
fn one_seed_gives_the_same_losses_bit_by_bit() -> Result<()> {
    let losses =
        |settings: Settings| Ok(trained(settings, 4)?.history().losses.clone());
    let first: Result<_> = losses(with_dropout(tiny()));
    let first = first?;
    assert_eq!(first, losses(with_dropout(tiny()))?);
    assert_ne!(first, losses(with_dropout(Settings { seed: 2, ..tiny() }))?);
    assert_ne!(first, losses(tiny())?);
    Ok(())
}

/// The greatest difference of two means of gradients.
fn apart(one: &Checkpoint, two: &Checkpoint) -> f64 {
    let pairs = one
        .moments
        .iter()
        .flat_map(|(name, one)| one.first.iter().zip(&two.moments[name].first));
    pairs.map(|(one, two)| f64::from(one - two).abs()).fold(0., larger)
}

#[test]
fn two_threads_give_the_gradients_of_one_to_rounding() -> Result<()> {
    // Random lengths: the two parts have different numbers of target tokens.
    for smoothing in [0., 0.1] {
        let [one, two] = [1, 2].map(|threads| {
            trained(Settings { threads, smoothing, ..tiny() }, 1)?.checkpoint()
        });
        let (one, two) = (one?, two?);
        assert!((one.history.losses[0] - two.history.losses[0]).abs() < 1e-5);
        assert_eq!(one.history.accuracies, two.history.accuracies);
        assert_eq!(one.history.tokens, two.history.tokens);
        assert!(apart(&one, &two) < 1e-6);
    }
    Ok(())
}

#[test]
fn the_fast_path_gives_the_gradients_of_the_readable_one_to_rounding() -> Result<()> {
    for settings in [tiny(), with_dropout(tiny())] {
        let [readable, fast] = [CodePath::Readable, CodePath::Fast].map(|path| {
            trained(Settings { path, ..settings.clone() }, 1)?.checkpoint()
        });
        let (readable, fast) = (readable?, fast?);
        assert!((readable.history.losses[0] - fast.history.losses[0]).abs() < 1e-5);
        assert!(apart(&readable, &fast) < 1e-6);
    }
    Ok(())
}

#[test]
fn more_threads_than_sequences_are_no_fault() -> Result<()> {
    let trainer = trained(Settings { threads: 64, batch: 2, ..tiny() }, 1)?;
    assert!(trainer.history().losses[0].is_finite());
    Ok(())
}

#[test]
fn a_tiny_model_learns() -> Result<()> {
    for order in [NormOrder::Pre, NormOrder::Post] {
        let steps = 120;
        let model = TransformerConfig { order, ..tiny().model };
        let schedule = Schedule::Linear { peak: 1e-2, warmup: 10, steps };
        let settings = Settings {
            batch: 32,
            steps,
            schedule,
            model,
            lengths: 3..=3,
            threads: 2,
            ..tiny()
        };
        let untrained =
            exact_match(&Trainer::new(settings.clone())?.model()?, &settings, 130)?;
        assert!(untrained < 0.1, "{untrained}");
        let trainer = trained(settings.clone(), steps)?;
        let losses = &trainer.history().losses;
        assert!(losses[0] > 1.5 && losses[steps - 1] < 0.3, "{order}: {losses:?}");
        let matched = exact_match(&trainer.model()?, &settings, 130)?;
        assert!(matched > 0.5, "{order}: {matched}");
    }
    Ok(())
}

#[test]
fn a_loss_that_is_no_number_ends_the_training() {
    let schedule = Schedule::Linear { peak: 1e30, warmup: 0, steps: 6 };
    let told = trained(Settings { schedule, ..tiny() }, 6).err().unwrap().to_string();
    assert!(told.contains("lower the learning rate"), "{told}");
}

#[test]
fn settings_out_of_range_are_refused() {
    for (settings, expected) in [
        (Settings { batch: 0, ..tiny() }, "batch: expected 1 to"),
        (Settings { threads: 0, ..tiny() }, "threads: expected 1 to"),
        (Settings { lengths: 0..=3, ..tiny() }, "lengths: expected 1 to"),
        (Settings { steps: usize::MAX, ..tiny() }, "steps: expected 1 to"),
        (
            Settings {
                adam: AdamSettings { beta2: 1., ..AdamSettings::PAPER },
                ..tiny()
            },
            "betas in [0, 1)",
        ),
        (Settings { smoothing: 1.5, ..tiny() }, "smoothing: expected a share"),
    ] {
        let text = Trainer::new(settings).err().unwrap().to_string();
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn what_a_model_writes_ends_with_the_end() -> Result<()> {
    let trainer = Trainer::new(tiny())?;
    let source = Tensor::new(&[[3u32, 4], [5, PADDING]], &Device::Cpu)?;
    let written = write(&trainer.model()?, trainer.settings(), &source, 3)?;
    assert!(written.dim(1)? <= 3);
    Ok(())
}
