//! Wrong masks.

use super::only_u8;
use crate::{
    masking::{Align, CausalMask, Combine, PaddingLengths, PaddingMask},
    wrong::{Wrong, wrong},
};
use candle_core::{DType, Device, Result, Shape, Tensor, bail};

/// A mask from the rule on (row, column).
fn by_rule(
    shape: impl Into<Shape>,
    columns: usize,
    keep: impl Fn(usize, usize) -> bool,
) -> Result<Tensor> {
    let shape = shape.into();
    let rule = |at: usize| u8::from(keep(at / columns, at % columns));
    Tensor::from_vec((0..shape.elem_count()).map(rule).collect(), shape, &Device::Cpu)
}

fn causal(seq_q: usize, seq_k: usize, align: Align) -> Result<Tensor> {
    by_rule((seq_q, seq_k), seq_k, |query, key| match align {
        Align::TopLeft => key <= query,
        Align::BottomRight => key + seq_q <= query + seq_k,
    })
}

pub fn causal_mask() -> Vec<Wrong<CausalMask>> {
    vec![
        wrong!(
            "inverted",
            "the mask is inverted: in a keep-mask 1 means may attend, so the past and the diagonal are the ones.",
            |seq_q, seq_k, align, _| causal(seq_q, seq_k, align)?.eq(0u8)
        ),
        wrong!(
            "upper triangle",
            "this is the upper triangle: each query sees itself and the future. The past has the smaller positions: key ≤ query.",
            |seq_q, seq_k, align, _| by_rule((seq_q, seq_k), seq_k, |query, key| match align {
                Align::TopLeft => key >= query,
                Align::BottomRight => key + seq_q >= query + seq_k,
            })
        ),
        wrong!(
            "diagonal hidden",
            "the diagonal is hidden: a token may attend to itself, so the comparison is ≤ and not <. The first query would have nothing to see.",
            |seq_q, seq_k, align, _| by_rule((seq_q, seq_k), seq_k, |query, key| match align {
                Align::TopLeft => key < query,
                Align::BottomRight => key + seq_q < query + seq_k,
            })
        ),
        wrong!(
            "diagonal hidden, top-left only",
            "in the top-left mask the diagonal is missing: a query sees itself, so the comparison is key ≤ query and not <.",
            |seq_q, seq_k, align, _| by_rule((seq_q, seq_k), seq_k, |query, key| match align {
                Align::TopLeft => key < query,
                Align::BottomRight => key + seq_q <= query + seq_k,
            })
        ),
        wrong!(
            "diagonal hidden, bottom-right only",
            "the bottom-right mask is off by one, and the diagonal is missing: a query sees itself, so the last query sees the last key. The comparison is ≤ and not <.",
            |seq_q, seq_k, align, _| by_rule((seq_q, seq_k), seq_k, |query, key| match align {
                Align::TopLeft => key <= query,
                Align::BottomRight => key + seq_q < query + seq_k,
            })
        ),
        wrong!(
            "one future key visible, bottom-right only",
            "the bottom-right mask is off by one: the last query sees the last key, the one before it must not.",
            |seq_q, seq_k, align, _| by_rule((seq_q, seq_k), seq_k, |query, key| match align {
                Align::TopLeft => key <= query,
                Align::BottomRight => key + seq_q <= query + seq_k + 1,
            })
        ),
        wrong!(
            "one future key visible",
            "each query sees one key of the future, the very token it is to predict: off by one.",
            |seq_q, seq_k, align, _| by_rule((seq_q, seq_k), seq_k, |query, key| match align {
                Align::TopLeft => key <= query + 1,
                Align::BottomRight => key + seq_q <= query + seq_k + 1,
            })
        ),
        wrong!(
            "always top-left",
            "`align` is ignored and the mask is always top-left: for bottom-right move it by seq_k − seq_q keys.",
            |seq_q, seq_k, _, _| causal(seq_q, seq_k, Align::TopLeft)
        ),
        wrong!(
            "always bottom-right",
            "`align` is ignored and the mask is always bottom-right: top-left compares key and query as they are.",
            |seq_q, seq_k, _, _| causal(seq_q, seq_k, Align::BottomRight)
        ),
        wrong!(
            "corners swapped",
            "the two corners are swapped: top-left puts query 0 at key 0, bottom-right the last query at the last key.",
            |seq_q, seq_k, align, _| causal(
                seq_q,
                seq_k,
                match align {
                    Align::TopLeft => Align::BottomRight,
                    Align::BottomRight => Align::TopLeft,
                }
            )
        ),
        wrong!(
            "shift never negative",
            "with more queries than keys the shift seq_k − seq_q is negative, and here it was cut off at 0 (`saturating_sub`), so the first queries see keys that they must not see.",
            |seq_q, seq_k, align, _| by_rule((seq_q, seq_k), seq_k, |query, key| match align {
                Align::TopLeft => key <= query,
                Align::BottomRight => key <= query + seq_k.saturating_sub(seq_q),
            })
        ),
        wrong!(
            "subtraction below 0",
            "a subtraction went below 0, which `usize` cannot: with more queries than keys, seq_k − seq_q is negative. An inequality stays true when both sides grow by the same number.",
            |seq_q, seq_k, align, _| by_rule((seq_q, seq_k), seq_k, |query, key| match align {
                Align::TopLeft => key <= query,
                Align::BottomRight => {
                    let last = (query + seq_k).checked_sub(seq_q);
                    key <= last.expect("attempt to subtract with overflow") // what a debug build says
                }
            })
        ),
        wrong!(
            "first queries see key 0",
            "the last visible key was cut off at 0 (`saturating_sub`), so the first queries see key 0. Their last visible key lies before key 0: they have nothing to see.",
            |seq_q, seq_k, align, _| by_rule((seq_q, seq_k), seq_k, |query, key| match align {
                Align::TopLeft => key <= query,
                Align::BottomRight => key <= (query + seq_k).saturating_sub(seq_q),
            })
        ),
        wrong!(
            "keys in the rows",
            "rows and columns are swapped: the shape is (seq_q, seq_k), one row per query.",
            |seq_q, seq_k, align, _| causal(seq_q, seq_k, align)?.t()?.contiguous()
        ),
        wrong!(
            "floats",
            "the values are right, but the type is f32: a keep-mask is u8, since a float mask would be added to the scores.",
            |seq_q, seq_k, align, _| causal(seq_q, seq_k, align)?.to_dtype(DType::F32)
        ),
        wrong!(
            "u32",
            "the values are right, but the type is u32: a keep-mask is u8.",
            |seq_q, seq_k, align, _| causal(seq_q, seq_k, align)?.to_dtype(DType::U32)
        ),
        wrong!(
            "square",
            "the mask is square, seq_k × seq_k: it has one row per query, in the shape (seq_q, seq_k).",
            |_, seq_k, align, _| causal(seq_k, seq_k, align)
        ),
        wrong!(
            "additive",
            "this is an additive mask (0 and −∞): a keep-mask is u8, with 1 = may attend.",
            |seq_q, seq_k, align, _| causal(seq_q, seq_k, align)?.to_dtype(DType::F32)?.log()
        ),
    ]
}

fn padding(lengths: &[usize], seq_k: usize, real: impl Fn(usize, usize) -> bool) -> Result<Tensor> {
    fits(lengths, seq_k)?;
    by_rule((lengths.len(), 1, 1, seq_k), seq_k, |row, key| real(key, lengths[row]))
}

fn fits(lengths: &[usize], seq_k: usize) -> Result<()> {
    match lengths.iter().any(|&length| length > seq_k) {
        true => bail!("too long"),
        false => Ok(()),
    }
}

pub fn padding_mask() -> Vec<Wrong<PaddingMask>> {
    vec![
        wrong!(
            "off by one",
            "one padding key too many is visible: with length 3 the real keys are 0, 1 and 2, so the comparison is < and not ≤.",
            |lengths, seq_k, _| padding(lengths, seq_k, |key, length| key <= length)
        ),
        wrong!(
            "last real key hidden",
            "the last real key is hidden: with length 3 the real keys are 0, 1 and 2.",
            |lengths, seq_k, _| padding(lengths, seq_k, |key, length| key + 1 < length)
        ),
        wrong!(
            "inverted",
            "the mask is inverted (1 = padding, as in PyTorch's `key_padding_mask`): in a keep-mask 1 means may attend.",
            |lengths, seq_k, _| padding(lengths, seq_k, |key, length| key >= length)
        ),
        wrong!(
            "padding on the left",
            "the padding is on the left: here the real keys come first.",
            |lengths, seq_k, _| padding(lengths, seq_k, |key, length| key + length >= seq_k)
        ),
        wrong!(
            "queries instead of keys",
            "the shape is (batch, 1, seq_k, 1): that hides queries. Padding is hidden as keys, the last dimension; a query that is padding may compute what it likes.",
            |lengths, seq_k, _| padding(lengths, seq_k, |key, length| key < length)?.reshape((
                lengths.len(),
                1,
                seq_k,
                1
            ))
        ),
        wrong!(
            "no dimensions for heads and queries",
            "the shape is (batch, seq_k): against scores of (batch, heads, seq_q, seq_k) it would be taken for (seq_q, seq_k), silently if the numbers happen to fit.",
            |lengths, seq_k, _| padding(lengths, seq_k, |key, length| key < length)?
                .reshape((lengths.len(), seq_k))
        ),
        wrong!(
            "one dimension between batch and keys",
            "the shape has three dimensions: against scores of (batch, heads, seq_q, seq_k) its batch would be taken for heads. Two sizes of 1 stand between batch and keys.",
            |lengths, seq_k, _| padding(lengths, seq_k, |key, length| key < length)?.reshape((
                lengths.len(),
                1,
                seq_k
            ))
        ),
        wrong!(
            "as wide as the longest",
            "the mask is as wide as the longest sequence: its width is `seq_k`, to which the batch was padded.",
            |lengths, seq_k, _| {
                fits(lengths, seq_k)?;
                let longest = lengths.iter().copied().max().unwrap_or(0);
                padding(lengths, longest, |key, length| key < length)
            }
        ),
        wrong!(
            "no sequences panic",
            "without sequences there is no longest one: `max` of no lengths is `None`, and an `unwrap` panics. Compare each length with `seq_k` instead.",
            |lengths, seq_k, _| {
                if lengths.iter().max().expect("called `Option::unwrap()` on a `None` value")
                    > &seq_k
                {
                    bail!("too long");
                }
                padding(lengths, seq_k, |key, length| key < length)
            }
        ),
        wrong!(
            "full length refused",
            "a length equal to `seq_k` is refused: that is a sequence without padding. Only a longer one does not fit.",
            |lengths, seq_k, _| {
                if lengths.iter().any(|&length| length >= seq_k) {
                    bail!("too long");
                }
                padding(lengths, seq_k, |key, length| key < length)
            }
        ),
        wrong!(
            "too long goes through",
            "a length above `seq_k` goes through: it points to a bug in the caller, so refuse it with `bail!`.",
            |lengths, seq_k, _| {
                by_rule((lengths.len(), 1, 1, seq_k), seq_k, |row, key| key < lengths[row])
            }
        ),
        wrong!(
            "u32",
            "the values are right, but the type is u32: a keep-mask is u8.",
            |lengths, seq_k, _| padding(lengths, seq_k, |key, length| key < length)?
                .to_dtype(DType::U32)
        ),
        wrong!(
            "floats",
            "the values are right, but the type is f32: a keep-mask is u8.",
            |lengths, seq_k, _| padding(lengths, seq_k, |key, length| key < length)?
                .to_dtype(DType::F32)
        ),
    ]
}

fn rows(keep: &Tensor) -> Result<Vec<Vec<u8>>> {
    let (batch, _, _, seq_k) = keep.dims4()?;
    keep.reshape((batch, seq_k))?.to_vec2()
}

fn real_first(rows: &[Vec<u8>]) -> Result<()> {
    match rows.iter().all(|row| row.is_sorted_by(|a, b| a >= b)) {
        true => Ok(()),
        false => bail!("padding first"),
    }
}

fn count(row: &[u8], what: u8) -> usize {
    row.iter().filter(|&&real| real == what).count()
}

pub fn padding_lengths() -> Vec<Wrong<PaddingLengths>> {
    vec![
        wrong!(
            "padding counted",
            "the zeros are counted, which are the padding: the length is the number of ones.",
            |keep| {
                let rows = rows(keep)?;
                real_first(&rows)?;
                Ok(rows.iter().map(|row| count(row, 0)).collect())
            }
        ),
        wrong!(
            "last position instead of number",
            "this is the position of the last real key, counted from 0: the length is one more, and 0 when there is none.",
            |keep| {
                let rows = rows(keep)?;
                real_first(&rows)?;
                Ok(rows.iter().map(|row| count(row, 1).saturating_sub(1)).collect())
            }
        ),
        wrong!(
            "holes go through",
            "the ones are counted wherever they stand: padding before a real key must be refused, since the length would stand for other keys.",
            |keep| Ok(rows(keep)?.iter().map(|row| count(row, 1)).collect())
        ),
        wrong!(
            "one more than the last real key",
            "the length is read off the last real key, and the padding before it goes through: refuse it, since the length would stand for other keys.",
            |keep| {
                let last = |row: &Vec<u8>| row.iter().rposition(|&real| real == 1);
                Ok(rows(keep)?.iter().map(|row| last(row).map_or(0, |at| at + 1)).collect())
            }
        ),
        wrong!(
            "only padding in front refused",
            "only a sequence that begins with padding is refused: a length cannot express padding between real keys either.",
            |keep| {
                let rows = rows(keep)?;
                if rows.iter().any(|row| row.first() == Some(&0) && row.contains(&1)) {
                    bail!("padding first");
                }
                Ok(rows.iter().map(|row| count(row, 1)).collect())
            }
        ),
        wrong!(
            "only ones up to the first 0",
            "counting stops at the first 0, and what comes after it is never looked at: a real key after the padding must be refused.",
            |keep| {
                let until_0 = |row: &Vec<u8>| row.iter().take_while(|&&real| real == 1).count();
                Ok(rows(keep)?.iter().map(until_0).collect())
            }
        ),
        wrong!(
            "order checked in the first sequence",
            "the order of the keys is checked in the first sequence only: padding can come before a real key in any of them.",
            |keep| {
                let rows = rows(keep)?;
                real_first(rows.get(..1).unwrap_or_default())?;
                Ok(rows.iter().map(|row| count(row, 1)).collect())
            }
        ),
        wrong!(
            "length 0 refused",
            "a sequence without real keys is refused: its length is 0, which `padding_mask` takes as well.",
            |keep| {
                let rows = rows(keep)?;
                real_first(&rows)?;
                let lengths: Vec<usize> = rows.iter().map(|row| count(row, 1)).collect();
                if lengths.contains(&0) {
                    bail!("no real keys");
                }
                Ok(lengths)
            }
        ),
        wrong!(
            "two dimensions expected",
            "the mask is read as (batch, seq_k): it comes as `padding_mask` makes it, with four dimensions, (batch, 1, 1, seq_k).",
            |keep| {
                let (batch, seq_k) = keep.dims2()?;
                let rows = rows(&keep.reshape((batch, 1, 1, seq_k))?)?;
                Ok(rows.iter().map(|row| count(row, 1)).collect())
            }
        ),
        wrong!(
            "summed in u8",
            "a sum of u8 is u8, and overflows at 256 ones: count in `usize`, or convert to u32 before the sum.",
            |keep| {
                real_first(&rows(keep)?)?;
                let sums = keep.flatten_to(2)?.sum(1)?.to_vec1::<u8>()?;
                Ok(sums.into_iter().map(usize::from).collect())
            }
        ),
        wrong!(
            "longest of the batch",
            "every sequence gets the largest length of the batch: each row has its own.",
            |keep| {
                let rows = rows(keep)?;
                real_first(&rows)?;
                let longest = rows.iter().map(|row| count(row, 1)).max().unwrap_or(0);
                Ok(vec![longest; rows.len()])
            }
        ),
    ]
}

pub fn combine_masks() -> Vec<Wrong<Combine>> {
    vec![
        wrong!(
            "OR",
            "a key goes through when one of the masks allows it: both must, so AND (a product or a minimum) and not OR.",
            |first, second| {
                only_u8(&[first, second])?;
                first.broadcast_maximum(second)
            }
        ),
        wrong!(
            "sum",
            "the masks are added: a 1 appears where only one of them allows, and a 2 where both do. Keep-masks are multiplied; it is additive masks that are added.",
            |first, second| {
                only_u8(&[first, second])?;
                first.broadcast_add(second)
            }
        ),
        wrong!(
            "XOR-like comparison",
            "this is 1 where the masks are equal, also where both hide: both must be 1.",
            |first, second| {
                only_u8(&[first, second])?;
                first.broadcast_eq(second)
            }
        ),
        wrong!(
            "floats",
            "the values are right, but the type is f32: the product of two keep-masks is a keep-mask, u8.",
            |first, second| {
                only_u8(&[first, second])?;
                first.broadcast_mul(second)?.to_dtype(DType::F32)
            }
        ),
        wrong!(
            "second mask ignored",
            "only the first mask counts: a key must pass both.",
            |first, second| {
                only_u8(&[first, second])?;
                first.broadcast_maximum(&second.zeros_like()?)
            }
        ),
        wrong!(
            "inverted",
            "the result is inverted: 1 means may attend, before and after.",
            |first, second| {
                only_u8(&[first, second])?;
                first.broadcast_mul(second)?.eq(0u8)
            }
        ),
        wrong!(
            "no broadcasting",
            "the operation does not broadcast: use a `broadcast_…` one, since in candle the others want equal shapes.",
            |first, second| {
                only_u8(&[first, second])?;
                first * second
            }
        ),
        wrong!(
            "only the first mask's type checked",
            "the type of the first mask is checked, that of the second is not: an additive mask can come in either place.",
            |first, second| {
                only_u8(&[first])?;
                first.broadcast_mul(&second.to_dtype(DType::U8)?)
            }
        ),
        wrong!(
            "only the second mask's type checked",
            "the type of the second mask is checked, that of the first is not: an additive mask can come in either place.",
            |first, second| {
                only_u8(&[second])?;
                first.to_dtype(DType::U8)?.broadcast_mul(second)
            }
        ),
        wrong!(
            "additive masks go through",
            "float masks go through: two additive masks are combined by adding them, and their product is NaN or nonsense. Refuse what is not u8.",
            |first, second| first.broadcast_mul(second)
        ),
    ]
}
