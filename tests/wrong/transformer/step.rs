//! Wrong steps of training: a right one, each time with one fault.

use crate::{
    transformer::{Cross, TrainingStep, Update},
    wrong::{Wrong, wrong},
};
use candle_core::{DType, Result, Tensor, bail};

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    NotShifted,
    ShiftedBack,
    ReadsAll,
    SaysAll,
    SaysLastDropped,
    ReadsFirstDropped,
    SourceRead,
    TargetAsSource,
    ModelTwice,
    LossAfter,
    AveragedAgain,
    NotUpdated,
    UpdatedTwice,
    Detached,
    GradientOfWhatIsSaid,
    GradientOfLog,
    Upwards,
    NotFiniteUpdated,
    OnlyNanRefused,
    NotFinitePassed,
    UpdateErrorDropped,
    ThroughF32,
}
use Fault::*;

fn step(
    fault: Fault,
    [source, target]: [&Tensor; 2],
    model: &Cross,
    loss: &Cross,
    update: &mut Update,
) -> Result<f64> {
    let seq = target.dim(1)? - 1;
    let (first, last) = (target.narrow(1, 0, seq)?, target.narrow(1, 1, seq)?);
    let (reads, says) = match fault {
        NotShifted => (target.clone(), target.clone()),
        ShiftedBack => (last, first),
        ReadsAll => (target.clone(), last),
        SaysAll => (first, target.clone()),
        SaysLastDropped => (first.clone(), first),
        ReadsFirstDropped => (last.clone(), last),
        SourceRead => (source.clone(), last),
        _ => (first, last),
    };
    let source = if fault == TargetAsSource { target } else { source };
    let said = model(source, &reads)?;
    if fault == ModelTwice {
        model(source, &reads)?;
    }
    let mut lost = loss(&said, &says)?;
    if fault == AveragedAgain {
        lost = (lost / seq as f64)?;
    }
    let number = |lost: &Tensor| match fault {
        ThroughF32 => Ok(f64::from(lost.to_dtype(DType::F32)?.to_scalar::<f32>()?)),
        _ => lost.to_dtype(DType::F64)?.to_scalar::<f64>(),
    };
    let before = number(&lost)?;
    let refused = match fault {
        NotFiniteUpdated | NotFinitePassed => false,
        OnlyNanRefused => before.is_nan(),
        _ => !before.is_finite(),
    };
    if refused {
        bail!("the loss is {before}");
    }
    if fault == NotFinitePassed && !before.is_finite() {
        return Ok(before);
    }
    let grads = match fault {
        Detached => lost.detach().backward()?,
        GradientOfWhatIsSaid => said.backward()?,
        GradientOfLog => lost.log()?.backward()?,
        Upwards => lost.neg()?.backward()?,
        _ => lost.backward()?,
    };
    match fault {
        NotUpdated => {}
        UpdateErrorDropped => drop(update(grads)),
        _ => update(grads)?,
    }
    if fault == UpdatedTwice {
        update(lost.backward()?)?;
    }
    if fault == NotFiniteUpdated && !before.is_finite() {
        bail!("the loss is {before}");
    }
    match fault {
        LossAfter => number(&loss(&model(source, &reads)?, &says)?),
        _ => Ok(before),
    }
}

macro_rules! faulty {
    ($fault:ident, $name:literal, $diagnosis:literal) => {
        wrong!($name, $diagnosis, |tokens, model, loss, update| {
            step($fault, tokens, model, loss, update)
        })
    };
}

pub fn training_step() -> Vec<Wrong<TrainingStep>> {
    vec![
        faulty!(
            NotShifted,
            "not shifted",
            "the model reads the whole target and should say the same: what it has to predict is right in front of it."
        ),
        faulty!(
            SaysLastDropped,
            "not shifted, last dropped",
            "what the model reads is also what it should say: it only has to repeat its input. What it should say is one token further on."
        ),
        faulty!(
            ReadsFirstDropped,
            "not shifted, first dropped",
            "what the model reads is also what it should say, and the start is never read: when it writes, the start is all it has at first."
        ),
        faulty!(
            ShiftedBack,
            "shifted backwards",
            "the shift goes the wrong way: the model reads a token and should say the one before it. It reads all but the last, and says all but the first."
        ),
        faulty!(
            ReadsAll,
            "reads all",
            "the model reads the last token too: nothing follows it, so there is no target for what it says there."
        ),
        faulty!(
            SaysAll,
            "says all",
            "the first token, the start, is among the targets: it is given, and need not be predicted."
        ),
        faulty!(
            SourceRead,
            "source read as target",
            "the model reads the source in place of the target, so it cannot know what has been written so far."
        ),
        faulty!(
            AveragedAgain,
            "averaged again",
            "the loss is divided by the number of tokens: `loss` gives what counts, and whether it is a mean is its own affair."
        ),
        faulty!(
            TargetAsSource,
            "target as source",
            "the model gets the target as its source: the answer is in the question."
        ),
        faulty!(
            ModelTwice,
            "model twice",
            "the model runs twice: that costs twice the time, and in training dropout draws again."
        ),
        faulty!(
            LossAfter,
            "loss after the update",
            "the loss is computed again after the update: return the one that the gradients belong to. A second pass costs as much again."
        ),
        faulty!(
            NotUpdated,
            "not updated",
            "`update` is never called: the gradients are computed, and no variable moves."
        ),
        faulty!(
            UpdatedTwice,
            "updated twice",
            "`update` is called twice with the gradients of one loss: after the first move they are out of date."
        ),
        faulty!(
            Detached,
            "loss detached",
            "the loss is cut off from the variables before `backward`: no variable gets a gradient."
        ),
        faulty!(
            GradientOfWhatIsSaid,
            "gradient of what is said",
            "`backward` starts at what the model said: the gradient that is wanted is that of the loss."
        ),
        faulty!(
            GradientOfLog,
            "gradient of the logarithm",
            "the gradient is that of the loss's logarithm: plots have a logarithmic axis, the loss has none."
        ),
        faulty!(
            Upwards,
            "upwards",
            "the gradient's sign is flipped: `update` already moves against the gradient, so now the loss climbs."
        ),
        faulty!(
            NotFiniteUpdated,
            "updated before it is refused",
            "the loss is looked at after the update: by then NaN has reached every weight. Refuse before `update` runs."
        ),
        faulty!(
            NotFinitePassed,
            "not finite returned",
            "a loss that is not finite is returned as if it were one: make it an error, training cannot go on from it."
        ),
        faulty!(
            OnlyNanRefused,
            "only NaN refused",
            "NaN is refused and an infinite loss is not: its gradients are infinite or NaN."
        ),
        faulty!(
            UpdateErrorDropped,
            "error of the update dropped",
            "the error of `update` is swallowed: Adam refuses when a variable has no gradient, and you would never hear of it."
        ),
        faulty!(
            ThroughF32,
            "loss through f32",
            "the loss is taken through f32: turn it into f64 before `to_scalar`, and both types work."
        ),
    ]
}
