//! Wrong encoders: a right one, each time with one fault.

use super::real;
use crate::{
    transformer::{Cross, Encode, Step},
    wrong::{Wrong, wrong},
};
use candle_core::{DType, Result, Tensor};

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Backwards,
    FirstLayerOnly,
    EachFromTheStart,
    LayersForgotten,
    FirstLayerForAll,
    ShortcutAround,
    NormForgotten,
    NormFirst,
    NormEachTime,
    NormTwice,
    EmbeddedTwice,
    MaskInverted,
    NothingHidden,
    MaskOfFirst,
    MaskOnceOnly,
    MaskNotLinedUp,
    MaskOfQueries,
    MaskAdded,
    Detached,
}
use Fault::*;

fn mask(fault: Fault, source: &Tensor) -> Result<Tensor> {
    Ok(match fault {
        MaskInverted => source.eq(0u32)?.unsqueeze(1)?.unsqueeze(1)?,
        NothingHidden => source.ones_like()?.to_dtype(DType::U8)?.unsqueeze(1)?.unsqueeze(1)?,
        MaskOfFirst => real(source)?.narrow(0, 0, source.dim(0)?.min(1))?,
        MaskNotLinedUp => source.ne(0u32)?,
        MaskOfQueries => source.ne(0u32)?.unsqueeze(1)?.unsqueeze(3)?,
        MaskAdded => ((real(source)?.to_dtype(DType::F32)? - 1.)? * 1e9)?,
        _ => real(source)?,
    })
}

fn encoded(
    fault: Fault,
    source: &Tensor,
    embed: &Step,
    layers: &[&Cross],
    last_norm: Option<&Step>,
) -> Result<Tensor> {
    let mut keep = mask(fault, source)?;
    let start = embed(source)?;
    let mut x = start.clone();
    if fault == EmbeddedTwice {
        x = embed(source)?;
    }
    if let (NormFirst, Some(norm)) = (fault, last_norm) {
        x = norm(&x)?;
    }
    let mut order: Vec<&Cross> = layers.to_vec();
    match fault {
        Backwards => order.reverse(),
        FirstLayerOnly => order.truncate(1),
        LayersForgotten => order.clear(),
        FirstLayerForAll => {
            order = vec![layers.first().copied(); layers.len()].into_iter().flatten().collect()
        }
        _ => {}
    }
    for layer in order {
        x = match fault {
            EachFromTheStart => layer(&start, &keep)?,
            ShortcutAround => (&x + layer(&x, &keep)?)?,
            Detached => layer(&x, &keep)?.detach(),
            _ => layer(&x, &keep)?,
        };
        if let (NormEachTime, Some(norm)) = (fault, last_norm) {
            x = norm(&x)?;
        }
        if fault == MaskOnceOnly {
            keep = keep.ones_like()?;
        }
    }
    match (fault, last_norm) {
        (NormForgotten | NormFirst, _) | (_, None) => Ok(x),
        (NormEachTime, Some(_)) if !layers.is_empty() => Ok(x),
        (NormTwice, Some(norm)) => norm(&norm(&x)?),
        (_, Some(norm)) => norm(&x),
    }
}

macro_rules! faulty {
    ($fault:ident, $name:literal, $diagnosis:literal) => {
        wrong!($name, $diagnosis, |source, embed, layers, last_norm| {
            encoded($fault, source, embed, layers, last_norm)
        })
    };
}

pub fn encode() -> Vec<Wrong<Encode>> {
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
            LayersForgotten,
            "layers forgotten",
            "no layer runs: what comes out are the embedding's vectors, and no token has learned anything from the others."
        ),
        faulty!(
            FirstLayerForAll,
            "first layer for all",
            "the first layer runs again and again in place of the others: each layer has weights of its own."
        ),
        faulty!(
            ShortcutAround,
            "shortcut around each layer",
            "the input of each layer is added to its output: a layer has its shortcuts inside, around its sublayers."
        ),
        faulty!(
            NormForgotten,
            "last norm forgotten",
            "`last_norm` never runs: in pre-norm nothing has normed the sum on the shortcut by the time the last layer is done."
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
        faulty!(NormTwice, "last norm twice", "`last_norm` runs twice: once is enough."),
        faulty!(
            EmbeddedTwice,
            "embedded twice",
            "the embedding runs twice: half of that work is wasted, and in training dropout draws twice."
        ),
        faulty!(
            MaskInverted,
            "mask inverted",
            "the mask keeps the padding and hides the tokens: in a keep-mask, 1 means may be seen."
        ),
        faulty!(
            NothingHidden,
            "nothing hidden",
            "the mask hides nothing: where the source is `PADDING` it has to be 0, or every token mixes padding into its vector."
        ),
        faulty!(
            MaskOfFirst,
            "mask of the first sequence",
            "all sequences get the mask of the first one: their padding begins at different places."
        ),
        faulty!(
            MaskOnceOnly,
            "mask for the first layer only",
            "only the first layer gets the mask: padding has vectors in every layer, and each layer has to hide them."
        ),
        faulty!(
            MaskNotLinedUp,
            "mask not lined up",
            "the mask is (batch, seq_s): broadcasting lines shapes up from the right and takes the batch for queries. Give it dimensions of 1 for heads and queries."
        ),
        faulty!(
            MaskOfQueries,
            "mask of the queries",
            "the mask lies along the queries, (batch, 1, seq_s, 1): padding has to be hidden as a key, (batch, 1, 1, seq_s)."
        ),
        faulty!(
            MaskAdded,
            "additive mask",
            "this is an additive mask, for scores: the layers take a keep-mask, u8, where 1 means may be seen."
        ),
        faulty!(
            Detached,
            "layers detached",
            "the gradient ends at a layer, so that what comes before it never learns: look for a `detach`, or a tensor rebuilt from numbers."
        ),
    ]
}
