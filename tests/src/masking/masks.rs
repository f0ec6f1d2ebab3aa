//! What causal masks, padding masks, and their combination must hold.

use super::{keep_where, mask, named, plain_attention, pytorch};
use crate::{
    Proof, Verdict,
    harness::{
        Breach, Check,
        Group::{Edges, Implementation, Masks},
        Outcome,
        compare::{exactly, refused, rounding, same, value},
        show::{inputs, remember},
        why,
    },
    wrong,
};
use candle_core::{DType, Device, Result, Tensor};
use std::{fmt, str::FromStr};

/// The corner from which a causal mask counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Query i sees key j when j ≤ i.
    TopLeft,
    /// Query i sees key j when j ≤ i + seq_k − seq_q.
    BottomRight,
}

impl fmt::Display for Align {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::TopLeft => "top-left",
            Self::BottomRight => "bottom-right",
        })
    }
}

/// `causal_mask`: the two lengths, the corner and the device to a keep-mask.
pub type CausalMask = dyn Fn(usize, usize, Align, &Device) -> Result<Tensor>;
/// `padding_mask`: lengths, the padded length and the device to a keep-mask.
pub type PaddingMask = dyn Fn(&[usize], usize, &Device) -> Result<Tensor>;
/// `padding_lengths`: a keep-mask to lengths.
pub type PaddingLengths = dyn Fn(&Tensor) -> Result<Vec<usize>>;
/// `combine_masks`: two keep-masks to one.
pub type Combine = dyn Fn(&Tensor, &Tensor) -> Result<Tensor>;

pub(super) fn zoo() -> Vec<Proof> {
    [
        causal_laws().proofs(),
        padding_laws().proofs(),
        lengths_laws().proofs(),
        combine_laws().proofs(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Checks `causal_mask`: `(seq_q, seq_k)`, u8, 1 = may attend. `A` is the chapter's own `Align`.
pub fn causal_mask<A: FromStr<Err: fmt::Display>>(
    answer: impl Fn(usize, usize, A, &Device) -> Result<Tensor> + 'static,
) -> Verdict {
    causal_laws().judge(&move |seq_q, seq_k, align: Align, device: &Device| {
        answer(seq_q, seq_k, named(align)?, device)
    })
}

fn causal_laws() -> Check<CausalMask> {
    use Align::{BottomRight, TopLeft};
    let law = |f: &CausalMask, align, expected: &Tensor| {
        let (seq_q, seq_k) = expected.dims2()?;
        let given = remember(format!("seq_q: {seq_q}, seq_k: {seq_k}, align: {align}"));
        same(&given, f(seq_q, seq_k, align, &Device::Cpu), expected, exactly())
    };
    Check::new("masking::causal_mask", wrong::masking::causal_mask())
        .law(
            Masks,
            "a query sees its own position and what came before it, and nothing later",
            move |f| {
                let triangle = mask(&[[1, 0, 0], [1, 1, 0], [1, 1, 1]])?;
                law(f, TopLeft, &triangle)?;
                law(f, BottomRight, &triangle)
            },
        )
        .law(
            Masks,
            "top-left: the first query is at the first key, whatever the lengths",
            move |f| {
                law(f, TopLeft, &mask(&[[1, 0, 0, 0], [1, 1, 0, 0]])?)?;
                law(f, TopLeft, &mask(&[[1, 0], [1, 1], [1, 1], [1, 1]])?)
            },
        )
        .law(
            Masks,
            "bottom-right: the last query is at the last key, whatever the lengths",
            move |f| {
                law(f, BottomRight, &mask(&[[1, 1, 1, 0], [1, 1, 1, 1]])?)?;
                law(f, BottomRight, &mask(&[[0, 0], [0, 0], [1, 0], [1, 1]])?)
            },
        )
        .law(
            Implementation,
            "top-left gives what PyTorch's `is_causal` gives, with more keys and with more queries",
            |f| {
                let fixtures = pytorch()?;
                for name in ["wide", "tall"] {
                    let part = |part: &str| fixtures.get(&format!("{name}.{part}"))?.get(0);
                    let (query, key, v) = (part("query")?, part("key")?, part("value")?);
                    let (seq_q, seq_k) = (query.dim(0)?, key.dim(0)?);
                    let given = remember(format!(
                        "seq_q: {seq_q}, seq_k: {seq_k}, align: {TopLeft}\n{}\nlooked at: attention under the mask",
                        inputs(&[("query", &query), ("key", &key), ("value", &v)])
                    ));
                    let keep = value(&given, f(seq_q, seq_k, TopLeft, &Device::Cpu))?;
                    same(&given, plain_attention(&query, &key, &v, &keep), &part("output")?, rounding(32))?;
                }
                Ok(())
            },
        )
        .property(Masks, "both rules hold for all lengths", (1..7usize, 1..7usize), move |f, (seq_q, seq_k)| {
            law(f, TopLeft, &keep_where(seq_q, seq_k, |query, key| key <= query)?)?;
            law(f, BottomRight, &keep_where(seq_q, seq_k, |query, key| key + seq_q <= query + seq_k)?)
        })
        .law(Edges(why::ONE), "one token sees itself", move |f| {
            law(f, TopLeft, &mask(&[[1]])?)?;
            law(f, BottomRight, &mask(&[[1]])?)
        })
        .law(Edges(why::EMPTY), "no queries or no keys give an empty mask", move |f| {
            for (seq_q, seq_k) in [(0, 3), (3, 0), (0, 0)] {
                let empty = Tensor::zeros((seq_q, seq_k), DType::U8, &Device::Cpu)?;
                law(f, TopLeft, &empty)?;
                law(f, BottomRight, &empty)?;
            }
            Ok(())
        })
}

/// Checks `padding_mask`: lengths to `(batch, 1, 1, seq_k)`, u8, 1 = may attend.
pub fn padding_mask(
    answer: impl Fn(&[usize], usize, &Device) -> Result<Tensor> + 'static,
) -> Verdict {
    padding_laws().judge(&answer)
}

fn padding_of(lengths: &[usize], seq_k: usize) -> Result<Tensor> {
    keep_where(lengths.len(), seq_k, |row, key| key < lengths[row])?.reshape((
        lengths.len(),
        1,
        1,
        seq_k,
    ))
}

fn padding_laws() -> Check<PaddingMask> {
    let law = |f: &PaddingMask, lengths: &[usize], seq_k| {
        let given = remember(format!("lengths: {lengths:?}, seq_k: {seq_k}"));
        let expected = padding_of(lengths, seq_k)?;
        same(&given, f(lengths, seq_k, &Device::Cpu), &expected, exactly())
    };
    Check::new("masking::padding_mask", wrong::masking::padding_mask())
        .law(
            Masks,
            "the first `lengths[b]` keys of sequence b are real, in the shape (batch, 1, 1, seq_k)",
            move |f| law(f, &[2, 3], 4),
        )
        .law(Masks, "a length may be 0 (all padding) or `seq_k` (no padding)", move |f| {
            law(f, &[0, 3], 3)
        })
        .property(
            Masks,
            "the rule holds for all lengths",
            proptest::collection::vec(0..6usize, 1..4),
            move |f, lengths| law(f, &lengths, 5),
        )
        .law(
            Edges(why::REFUSED),
            "a length above `seq_k` is an error: there are not that many keys",
            |f| {
                let given = remember("lengths: [2, 4], seq_k: 3");
                refused(
                    &given,
                    "a sequence of 4 does not fit into 3 keys",
                    f(&[2, 4], 3, &Device::Cpu),
                )
            },
        )
        .law(Edges(why::EMPTY), "no sequences, or no keys, give an empty mask", move |f| {
            law(f, &[], 3)?;
            law(f, &[0, 0], 0)
        })
}

/// Checks `padding_lengths`: `(batch, 1, 1, seq_k)`, u8, to one length per sequence.
pub fn padding_lengths(answer: impl Fn(&Tensor) -> Result<Vec<usize>> + 'static) -> Verdict {
    lengths_laws().judge(&answer)
}

fn lengths_laws() -> Check<PaddingLengths> {
    fn law(f: &PaddingLengths, lengths: &[usize], seq_k: usize) -> Outcome {
        let as_tensor = |lengths: &[usize]| {
            let lengths: Vec<u32> = lengths.iter().map(|&length| length as u32).collect();
            Tensor::new(lengths, &Device::Cpu)
        };
        let keep = padding_of(lengths, seq_k)?;
        let given = inputs(&[("keep", &keep)]); // before the call, for the case that it panics
        let answer = f(&keep).and_then(|lengths| as_tensor(&lengths));
        same(&given, answer, &as_tensor(lengths)?, exactly())
    }
    /// The law that `rows`, which no lengths can express, are refused.
    fn refuse(f: &PaddingLengths, rows: &[[u8; 3]]) -> Outcome {
        let keep = Tensor::from_slice(rows.as_flattened(), (rows.len(), 1, 1, 3), &Device::Cpu)?;
        let given = inputs(&[("keep", &keep)]);
        let why = "an error: the real keys do not all come first";
        f(&keep).map_or(Ok(()), |got| Err(Breach::text(&given, why, &format!("{got:?}"))))
    }
    Check::new("masking::padding_lengths", wrong::masking::padding_lengths())
        .law(Masks, "a sequence's length is the number of its real keys", |f| law(f, &[2, 3], 4))
        .law(Masks, "without real keys the length is 0, without padding it is seq_k", |f| {
            law(f, &[0, 3], 3)
        })
        .property(
            Masks,
            "it undoes a padding mask of any lengths",
            proptest::collection::vec(0..6usize, 1..4),
            |f, lengths| law(f, &lengths, 5),
        )
        .law(
            Edges(why::REFUSED),
            "padding before a real key is an error: a length alone cannot say where it is",
            |f| [[0, 1, 1], [1, 0, 1]].into_iter().try_for_each(|row| refuse(f, &[row])),
        )
        .law(
            Edges(why::REFUSED),
            "padding before a real key is an error in whichever sequence it occurs",
            |f| {
                refuse(f, &[[1, 1, 0], [0, 1, 1]])?;
                refuse(f, &[[1, 1, 1], [1, 0, 1], [1, 0, 0]])
            },
        )
        .law(
            Edges(why::COUNT),
            "more than 255 keys are counted, though a u8 cannot hold 256",
            |f| law(f, &[300], 400),
        )
        .law(Edges(why::EMPTY), "no sequences give no lengths", |f| law(f, &[], 3))
}

/// Checks `combine_masks`: two keep-masks, broadcast, to what both let through.
pub fn combine_masks(answer: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + 'static) -> Verdict {
    combine_laws().judge(&answer)
}

fn combine_laws() -> Check<Combine> {
    fn law(f: &Combine, first: &Tensor, second: &Tensor, expected: &Tensor) -> Outcome {
        let given = inputs(&[("first", first), ("second", second)]);
        same(&given, f(first, second), expected, exactly())
    }
    fn refuse(f: &Combine, first: &Tensor, second: &Tensor, why: &str) -> Outcome {
        refused(&inputs(&[("first", first), ("second", second)]), why, f(first, second))
    }
    Check::new("masking::combine_masks", wrong::masking::combine_masks())
        .law(Masks, "1 only where both masks are 1", |f| {
            let (first, second) = (mask(&[[0, 0, 1, 1]])?, mask(&[[0, 1, 0, 1]])?);
            law(f, &first, &second, &mask(&[[0, 0, 0, 1]])?)
        })
        .law(
            Masks,
            "causal (seq_q, seq_k) and padding (batch, 1, 1, seq_k) broadcast to (batch, 1, seq_q, seq_k)",
            |f| {
                let causal = mask(&[[1, 0, 0], [1, 1, 0], [1, 1, 1]])?;
                let expected = [mask(&[[1, 0, 0], [1, 1, 0], [1, 1, 0]])?, mask(&[[1, 0, 0], [1, 0, 0], [1, 0, 0]])?];
                let expected = Tensor::stack(&expected, 0)?.unsqueeze(1)?;
                law(f, &causal, &padding_of(&[2, 1], 3)?, &expected)?;
                law(f, &padding_of(&[2, 1], 3)?, &causal, &expected)
            },
        )
        .property(
            Masks,
            "it is the logical AND, whatever the masks",
            (1..5usize, 1..5usize, 0..1u64 << 16, 0..1u64 << 16),
            |f, (rows, columns, first, second)| {
                let bits = |bits: u64| {
                    keep_where(rows, columns, move |row, column| bits >> (row * columns + column) & 1 == 1)
                };
                law(f, &bits(first)?, &bits(second)?, &bits(first & second)?)
            },
        )
        .law(Edges(why::REFUSED), "two masks that are not u8 are an error", |f| {
            let additive = Tensor::new(&[[0f32, f32::NEG_INFINITY]], &Device::Cpu)?;
            refuse(f, &additive, &additive, "these are not keep-masks (u8)")
        })
        .law(Edges(why::REFUSED), "a single mask that is not u8 is an error, first or second", |f| {
            let keep = mask(&[[1, 0]])?;
            let additive = Tensor::new(&[[0f32, f32::NEG_INFINITY]], &Device::Cpu)?;
            refuse(f, &additive, &keep, "the first is not a keep-mask (u8)")?;
            refuse(f, &keep, &additive, "the second is not a keep-mask (u8)")
        })
        .law(Edges(why::STRETCHED), "shapes that do not broadcast are an error", |f| {
            let (keep, short) = (mask(&[[1, 0]])?, mask(&[[1, 0, 1]])?);
            refuse(f, &keep, &short, "2 keys and 3 keys do not broadcast")
        })
}
