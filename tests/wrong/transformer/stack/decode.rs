//! Wrong decoders: a right one, each time with one fault.

use super::real;
use crate::{
    transformer::{Decode, DecoderStep, Step},
    wrong::{Wrong, wrong},
};
use candle_core::{D, DType, Result, Tensor};
use candle_nn::ops::{log_softmax, softmax};

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Backwards,
    FirstLayerOnly,
    EachFromTheStart,
    NormForgotten,
    NormFirst,
    NormEachTime,
    NormAfterGenerator,
    GeneratorForgotten,
    LogitsReturned,
    Probabilities,
    LogOfSoftmax,
    OverTokens,
    SeesTheFuture,
    SeesOnlyTheFuture,
    SeesNotItself,
    PaddingInverted,
    PaddingSeen,
    PaddingOfFirst,
    MasksExchanged,
    MemoryReplaced,
    MemoryDetached,
    FirstRowOnly,
}
use Fault::*;

fn decoded(
    fault: Fault,
    [target, source]: [&Tensor; 2],
    memory: &Tensor,
    embed: &Step,
    layers: &[&DecoderStep],
    last_norm: Option<&Step>,
    generator: &Step,
) -> Result<Tensor> {
    let (device, seq) = (target.device(), target.dim(1)?);
    let triangle = Tensor::tril2(seq, DType::U8, device)?;
    let causal = match fault {
        SeesTheFuture => triangle.ones_like()?,
        SeesOnlyTheFuture => triangle.t()?,
        SeesNotItself => (triangle - Tensor::eye(seq, DType::U8, device)?)?,
        _ => triangle,
    };
    let keep = match fault {
        PaddingInverted => source.eq(0u32)?.unsqueeze(1)?.unsqueeze(1)?,
        PaddingSeen => real(source)?.ones_like()?,
        PaddingOfFirst => real(source)?.narrow(0, 0, source.dim(0)?.min(1))?,
        _ => real(source)?,
    };
    let mut memory = if fault == MemoryDetached { memory.detach() } else { memory.clone() };
    let start = embed(target)?;
    let mut y = start.clone();
    if let (NormFirst, Some(norm)) = (fault, last_norm) {
        y = norm(&y)?;
    }
    let mut order = layers.to_vec();
    match fault {
        Backwards => order.reverse(),
        FirstLayerOnly => order.truncate(1),
        _ => {}
    }
    for layer in order {
        y = match fault {
            EachFromTheStart => layer(&start, &memory, &causal, &keep)?,
            MasksExchanged => layer(&y, &memory, &keep, &causal)?,
            _ => layer(&y, &memory, &causal, &keep)?,
        };
        if fault == MemoryReplaced && y.dims() == memory.dims() {
            memory = y.clone();
        }
        if let (NormEachTime, Some(norm)) = (fault, last_norm) {
            y = norm(&y)?;
        }
    }
    match (fault, last_norm) {
        (NormForgotten | NormFirst | NormAfterGenerator, _) | (_, None) => {}
        (NormEachTime, Some(_)) if !layers.is_empty() => {}
        (_, Some(norm)) => y = norm(&y)?,
    }
    if fault == FirstRowOnly && seq > 1 {
        y = y.narrow(1, seq - 1, 1)?;
    }
    let mut logits = if fault == GeneratorForgotten { y } else { generator(&y)? };
    if let (NormAfterGenerator, Some(norm)) = (fault, last_norm) {
        logits = norm(&logits)?;
    }
    match fault {
        LogitsReturned => Ok(logits),
        Probabilities => softmax(&logits, D::Minus1),
        LogOfSoftmax => {
            (logits.exp()?.broadcast_div(&logits.exp()?.sum_keepdim(D::Minus1)?))?.log()
        }
        OverTokens => log_softmax(&logits, 1),
        _ => log_softmax(&logits, D::Minus1),
    }
}

macro_rules! faulty {
    ($fault:ident, $name:literal, $diagnosis:literal) => {
        wrong!($name, $diagnosis, |tokens, memory, embed, layers, last_norm, generator| {
            decoded($fault, tokens, memory, embed, layers, last_norm, generator)
        })
    };
}

pub fn decode() -> Vec<Wrong<Decode>> {
    vec![
        faulty!(
            Backwards,
            "layers backwards",
            "the layers run in the wrong order: `layers[0]` comes first, right after the embedding."
        ),
        faulty!(
            FirstLayerOnly,
            "first layer only",
            "only the first layer runs: the stack has as many as `layers` holds."
        ),
        faulty!(
            EachFromTheStart,
            "each from the start",
            "every layer gets the embedding's vectors, so only the last layer counts: each goes on with what the one before it gave."
        ),
        faulty!(
            NormForgotten,
            "last norm forgotten",
            "`last_norm` never runs: in pre-norm nothing has normed the sum on the shortcut by the time it reaches the generator."
        ),
        faulty!(
            NormFirst,
            "last norm first",
            "`last_norm` runs before the layers: it norms what the last of them gives."
        ),
        faulty!(
            NormEachTime,
            "last norm after each layer",
            "`last_norm` runs after every layer: that puts a norm on the shortcut, which pre-norm keeps free. It comes once, after the last."
        ),
        faulty!(
            NormAfterGenerator,
            "logits normed",
            "`last_norm` gets the generator's logits: it stands before the generator, on vectors of d_model numbers."
        ),
        faulty!(
            GeneratorForgotten,
            "generator forgotten",
            "the generator never runs: a vector has d_model numbers, and what is asked for is one for each token of the vocabulary."
        ),
        faulty!(
            LogitsReturned,
            "logits returned",
            "the logits come back as they are: log-probabilities are what the loss takes, so that their exponentials sum to 1."
        ),
        faulty!(
            Probabilities,
            "probabilities returned",
            "these are probabilities: the loss wants their logarithms, taken together with the softmax."
        ),
        faulty!(
            LogOfSoftmax,
            "logarithm of exponentials",
            "the exponentials are taken first, and that of a large logit is infinite: a log-softmax subtracts the largest logit first."
        ),
        faulty!(
            OverTokens,
            "over the tokens",
            "the log-softmax runs along the tokens of the target: each token has a distribution of its own, over the vocabulary, the last dimension."
        ),
        faulty!(
            SeesTheFuture,
            "sees the future",
            "the causal mask hides nothing: each token sees the one that it has to predict, so the loss falls, and the model learns nothing that helps in writing."
        ),
        faulty!(
            SeesOnlyTheFuture,
            "causal mask transposed",
            "the causal mask is upside down: a token sees what comes after it, and not what came before."
        ),
        faulty!(
            SeesNotItself,
            "does not see itself",
            "a token does not see itself: at the first one nothing is left to look at, and the newest token is always missing."
        ),
        faulty!(
            PaddingInverted,
            "padding mask inverted",
            "the mask keeps the source's padding and hides its tokens: in a keep-mask, 1 means may be seen."
        ),
        faulty!(
            PaddingSeen,
            "padding seen",
            "the memory of padding is not hidden: where the source is `PADDING` the mask has to be 0, for padding has vectors too."
        ),
        faulty!(
            PaddingOfFirst,
            "padding of the first sequence",
            "all sequences get the mask of the first one: their padding begins at different places."
        ),
        faulty!(
            MasksExchanged,
            "masks exchanged",
            "the masks have changed places: the causal one comes first and belongs to the target's tokens, that of the padding to the memory."
        ),
        faulty!(
            MemoryReplaced,
            "memory replaced",
            "the second layer gets the first one's output as its memory: all layers look at the same memory, the encoder's."
        ),
        faulty!(
            MemoryDetached,
            "memory detached",
            "no gradient reaches the memory: the encoder would never learn."
        ),
        faulty!(
            FirstRowOnly,
            "last token only",
            "only the last token's log-probabilities come back: in training, what follows each token counts."
        ),
    ]
}
