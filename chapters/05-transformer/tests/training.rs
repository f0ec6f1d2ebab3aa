//! Training is the same from run to run, whatever it is interrupted by, and says why when it can't go on.

use candle_core::{Device, Result, Tensor, Var};
use std::{fs, path::Path};
use transformer::{
    NormOrder, TransformerConfig,
    adam::{Adam, AdamSettings, Named},
    checkpoint::Checkpoint,
    model::PADDING,
    schedule::Schedule,
    solution::learning_rate,
    tasks::{END, START, SYMBOLS, Task, draw},
    training::{CodePath, Settings, Trainer, exact_match, write},
};

/// A model that a test can afford.
fn tiny() -> Settings {
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

fn numbers(tensors: &Named) -> Result<Vec<Vec<f32>>> {
    tensors.values().map(|tensor| tensor.flatten_all()?.to_vec1()).collect()
}

#[test]
fn the_target_is_the_answer_shifted_right() -> Result<()> {
    for task in [Task::Copy, Task::Reverse, Task::Sort] {
        let batch = draw(task, 40, 1..=6, 3)?;
        let [source, input, output] =
            [&batch.source, &batch.target_in, &batch.target_out].map(Tensor::to_vec2::<u32>);
        let mut seen = [false; 7];
        for ((source, input), output) in source?.iter().zip(&input?).zip(&output?) {
            let symbols: Vec<_> =
                source.iter().copied().take_while(|&token| token != PADDING).collect();
            assert!(symbols.iter().all(|symbol| SYMBOLS.contains(symbol)));
            assert!(source[symbols.len()..].iter().all(|&token| token == PADDING));
            seen[symbols.len()] = true;
            let answer = task.answer(&symbols);
            let padding = vec![PADDING; source.len() - symbols.len()];
            assert_eq!(*input, [&[START], &answer[..], &padding].concat());
            assert_eq!(*output, [&answer[..], &[END], &padding].concat());
        }
        assert_eq!(seen, [false, true, true, true, true, true, true]);
    }
    Ok(())
}

#[test]
fn answers_are_right() {
    let source = [7, 3, 10, 3];
    assert_eq!(Task::Copy.answer(&source), [7, 3, 10, 3]);
    assert_eq!(Task::Reverse.answer(&source), [3, 10, 3, 7]);
    assert_eq!(Task::Sort.answer(&source), [3, 3, 7, 10]);
    for task in [Task::Copy, Task::Reverse, Task::Sort] {
        assert_eq!(task.to_string().parse(), Ok(task));
    }
    assert!("copi".parse::<Task>().unwrap_err().contains("got `copi`"));
}

#[test]
fn a_batch_without_sequences_or_symbols_is_refused() {
    let told = |size, lengths| draw(Task::Copy, size, lengths, 1).unwrap_err().to_string();
    assert!(told(0, 1..=2).contains("at least 1 sequence"));
    assert!(told(1, 0..=2).contains("got 0..2"));
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is tried")]
    let backwards = told(1, 3..=2);
    assert!(backwards.contains("got 3..2"));
}

#[test]
fn the_rate_rises_to_its_peak_and_falls_to_nothing() {
    let schedule = Schedule::Linear { peak: 0.8, warmup: 4, steps: 11 };
    let rates: Vec<_> = [1, 2, 4, 8, 11, 12].map(|step| schedule.rate(step)).to_vec();
    for (rate, expected) in rates.iter().zip([0.2, 0.4, 0.8, 0.4, 0.1, 0.]) {
        assert!((rate - expected).abs() < 1e-12, "{rates:?}");
    }
    assert_eq!(Schedule::Paper { d_model: 64, warmup: 10 }.rate(7), learning_rate(7, 64, 10));
}

/// Expected: `torch.optim.Adam([w], betas=…, eps=…)` of PyTorch 2.15.0, `lr` set before each of three steps.
#[test]
fn adam_equals_pytorchs() -> Result<()> {
    let gradients = [[0.1f32, -2., 0., 1e-3], [-0.3, 1.5, 0.2, 1e-3], [0.05, 0., -4., 2e-3]];
    let expected = [
        (
            AdamSettings::PAPER,
            [
                [0.4f32, -0.9, 2., -0.0999999],
                [0.4246151, -0.8955277, 1.9629704, -0.1499998],
                [0.4801569, -0.8816323, 2.0836782, -0.3426324],
            ],
        ),
        (
            AdamSettings::PYTORCH,
            [
                [0.4, -0.9, 2., -0.099999],
                [0.4247095, -0.8955338, 1.9627931, -0.1499985],
                [0.4802091, -0.8817241, 2.0846543, -0.343555],
            ],
        ),
    ];
    for (settings, expected) in expected {
        let var = Var::new(&[[0.5f32, -1.], [2., 0.]], &Device::Cpu)?;
        let mut adam = Adam::new(vec![("w".into(), var.clone())], settings)?;
        for ((gradient, rate), expected) in gradients.iter().zip([0.1, 0.05, 0.2]).zip(expected) {
            let gradient = Tensor::new(gradient, &Device::Cpu)?.reshape((2, 2))?;
            adam.step(rate, &Named::from([("w".into(), gradient)]))?;
            for (got, expected) in var.flatten_all()?.to_vec1::<f32>()?.iter().zip(expected) {
                assert!((got - expected).abs() < 1e-6, "{var}");
            }
        }
    }
    Ok(())
}

#[test]
fn adam_takes_a_transposed_gradient() -> Result<()> {
    let gradient = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
    let moments = |gradient: Tensor| -> Result<Vec<f32>> {
        let vars = vec![("w".into(), Var::zeros((2, 2), gradient.dtype(), &Device::Cpu)?)];
        let mut adam = Adam::new(vars, AdamSettings::PAPER)?;
        adam.step(0.1, &Named::from([("w".into(), gradient)]))?;
        Ok(adam.moments()["w"].first.clone())
    };
    assert_eq!(moments(gradient.t()?)?, moments(gradient.t()?.contiguous()?)?);
    Ok(())
}

#[test]
fn adam_names_a_variable_without_a_gradient_and_moves_none() -> Result<()> {
    let vars: Vec<(String, Var)> = ["a", "b"]
        .iter()
        .map(|name| Ok((name.to_string(), Var::new(&[1f32], &Device::Cpu)?)))
        .collect::<Result<_>>()?;
    let mut adam = Adam::new(vars.clone(), AdamSettings::PAPER)?;
    let gradient = Tensor::new(&[1f32], &Device::Cpu)?;
    let told = adam.step(0.1, &Named::from([("a".into(), gradient)])).unwrap_err().to_string();
    assert!(told.contains("b: no gradient"), "{told}");
    assert_eq!(vars[0].1.to_vec1::<f32>()?, [1.]);
    assert_eq!(adam.steps(), 0);
    Ok(())
}

#[test]
fn one_seed_gives_the_same_losses_bit_by_bit() -> Result<()> {
    let losses = |settings: Settings| Ok(trained(settings, 4)?.history().losses.clone());
    let first: Result<_> = losses(with_dropout(tiny()));
    let first = first?;
    assert_eq!(first, losses(with_dropout(tiny()))?);
    assert_ne!(first, losses(with_dropout(Settings { seed: 2, ..tiny() }))?);
    assert_ne!(first, losses(tiny())?);
    Ok(())
}

#[test]
fn two_threads_give_the_gradients_of_one_to_rounding() -> Result<()> {
    // Random lengths: the two parts have different numbers of target tokens.
    for smoothing in [0., 0.1] {
        let [one, two] = [1, 2]
            .map(|threads| trained(Settings { threads, smoothing, ..tiny() }, 1)?.checkpoint());
        let (one, two) = (one?, two?);
        assert!((one.history.losses[0] - two.history.losses[0]).abs() < 1e-5);
        assert_eq!(one.history.accuracies, two.history.accuracies);
        assert_eq!(one.history.tokens, two.history.tokens);
        for (name, ours) in &one.moments {
            let pairs = ours.first.iter().zip(&two.moments[name].first);
            let apart = pairs.map(|(one, two)| (one - two).abs()).fold(0., f32::max);
            assert!(apart < 1e-6, "{name}: {apart}");
        }
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
fn a_resumed_training_goes_on_as_if_nothing_had_been() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("new/folder/checkpoint.safetensors");
    let settings = with_dropout(tiny());
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
        assert!(text.contains("damaged") && text.contains("without --resume"), "{length}: {text}");
    }
    let mut flipped = good.clone();
    flipped[good.len() - 100] ^= 1;
    assert!(told(&flipped).contains("its numbers are not those that were saved"));
    assert!(told(b"Dear diary, today I trained a Transformer.").contains("no safetensors file"));

    let at = good.windows(12).position(|window| window == br#"version\":1,"#).unwrap();
    let mut newer = good.clone();
    newer[at + 10] = b'2';
    let text = told(&newer);
    assert!(text.contains("version 2, and this program reads version 1"), "{text}");

    candle_core::safetensors::save(
        &Named::from([("x".into(), Tensor::new(1f32, &Device::Cpu)?)]).into_iter().collect(),
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
        (Settings { task: Task::Sort, ..tiny() }, "task = \"copy\", and you ask for \"sort\""),
        (Settings { lengths: 1..=9, ..tiny() }, "lengths.end = 4, and you ask for 9"),
        (Settings { model, ..tiny() }, "model.order = \"pre\", and you ask for \"post\""),
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
    assert!(text.contains("can't write the checkpoint") && text.contains("--checkpoint"), "{text}");
    assert_eq!(files(folder.path()), 1);

    let file = folder.path().join("checkpoint");
    checkpoint.save(&file)?;
    assert!(checkpoint.save(&file.join("under a file")).is_err());
    assert_eq!(Checkpoint::load(&file)?.step, 1);
    Ok(())
}

#[test]
fn a_tiny_model_learns() -> Result<()> {
    for order in [NormOrder::Pre, NormOrder::Post] {
        let steps = 120;
        let model = TransformerConfig { order, ..tiny().model };
        let schedule = Schedule::Linear { peak: 1e-2, warmup: 10, steps };
        let settings =
            Settings { batch: 32, steps, schedule, model, lengths: 3..=3, threads: 2, ..tiny() };
        let untrained = exact_match(&Trainer::new(settings.clone())?.model()?, &settings, 130)?;
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
    assert!(told.contains("learning rate is too high"), "{told}");
}

#[test]
fn settings_out_of_range_are_refused() {
    for (settings, expected) in [
        (Settings { batch: 0, ..tiny() }, "batch: expected at least 1"),
        (Settings { threads: 0, ..tiny() }, "threads: expected at least 1"),
        (Settings { lengths: 0..=3, ..tiny() }, "lengths: expected at least 1"),
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
