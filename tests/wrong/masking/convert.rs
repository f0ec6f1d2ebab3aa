//! Wrong conversions.

use super::{everywhere, only_u8};
use crate::{
    masking::{Convention, Convert, ToAdditive, ToKeep},
    wrong::{Wrong, wrong},
};
use candle_core::{DType, Result, Tensor, bail};

/// 0 where `seen` (u8) is 1, `hidden` elsewhere.
fn zero_or(seen: &Tensor, dtype: DType, hidden: f64) -> Result<Tensor> {
    let zeros = Tensor::zeros(seen.shape(), dtype, seen.device())?;
    seen.where_cond(&zeros, &(&zeros + hidden)?)
}

fn check(keep: &Tensor, dtype: DType) -> Result<()> {
    only_u8(&[keep])?;
    only_float(dtype)
}

fn only_float(dtype: DType) -> Result<()> {
    if !dtype.is_float() {
        bail!("not a float type");
    }
    Ok(())
}

pub fn keep_to_additive() -> Vec<Wrong<ToAdditive>> {
    vec![
        wrong!(
            "inverted",
            "1 became −∞: in a keep-mask 1 means may attend, and what may be attended to gets 0 added.",
            |keep, dtype| {
                check(keep, dtype)?;
                zero_or(&keep.eq(0u8)?, dtype, f64::NEG_INFINITY)
            }
        ),
        wrong!(
            "0 times infinity",
            "0 · −∞ is NaN, so every visible key is poisoned: choose between two numbers instead of multiplying.",
            |keep, dtype| {
                check(keep, dtype)?;
                (1. - keep.to_dtype(dtype)?)? * f64::NEG_INFINITY
            }
        ),
        wrong!(
            "-1e9",
            "hidden keys get −1e9 instead of −∞: it works until a row has nothing to see, where all keys come out equal, or until scores are that low themselves. In f16 it is −∞ anyway.",
            |keep, dtype| {
                check(keep, dtype)?;
                zero_or(keep, dtype, -1e9)
            }
        ),
        wrong!(
            "lowest number of f32",
            "hidden keys get the lowest f32 instead of −∞: a row with nothing to see then has equal numbers everywhere and attends to all, and in f16 it is −∞ anyway.",
            |keep, dtype| {
                check(keep, dtype)?;
                zero_or(keep, dtype, f64::from(f32::MIN))
            }
        ),
        wrong!(
            "-1e4",
            "hidden keys get −1e4 instead of −∞: a row with nothing to see keeps the weights that it has without a mask.",
            |keep, dtype| {
                check(keep, dtype)?;
                zero_or(keep, dtype, -1e4)
            }
        ),
        wrong!(
            "half precision refused",
            "f16 and bf16 are refused: they are float types too, and models run in them. `dtype.is_float()` knows them all.",
            |keep, dtype| {
                check(keep, dtype)?;
                if ![DType::F32, DType::F64].contains(&dtype) {
                    bail!("f32 or f64");
                }
                zero_or(keep, dtype, f64::NEG_INFINITY)
            }
        ),
        wrong!(
            "wanted type not checked",
            "an integer type goes through, and in it −∞ becomes some other number: refuse types that are not float types.",
            |keep, dtype| {
                only_u8(&[keep])?;
                zero_or(keep, dtype, f64::NEG_INFINITY)
            }
        ),
        wrong!(
            "0 and 1 as floats",
            "the numbers are still 0 and 1: added to the scores that is a bias of 1, not a mask.",
            |keep, dtype| {
                check(keep, dtype)?;
                keep.to_dtype(dtype)
            }
        ),
        wrong!(
            "always f32",
            "the result is f32 whatever `dtype` says: candle does not add f32 to scores of another type.",
            |keep, dtype| {
                check(keep, dtype)?;
                zero_or(keep, DType::F32, f64::NEG_INFINITY)
            }
        ),
        wrong!(
            "logarithm of any type",
            "ln 1 = 0 and ln 0 = −∞ are what is wanted, but only float types have a logarithm, and candle panics for an integer type: refuse those first.",
            |keep, dtype| {
                only_u8(&[keep])?;
                keep.to_dtype(dtype)?.log()
            }
        ),
        wrong!(
            "type of the mask not checked",
            "a mask that is not u8 goes through: an additive mask would become a different additive mask. Refuse it.",
            |keep, dtype| {
                only_float(dtype)?;
                zero_or(&keep.ne(0.)?, dtype, f64::NEG_INFINITY)
            }
        ),
    ]
}

pub fn additive_to_keep() -> Vec<Wrong<ToKeep>> {
    fn lawful(additive: &Tensor) -> Result<()> {
        only_float(additive.dtype())?;
        everywhere(&(additive.eq(0.)? + additive.le(-1000.)?)?)
    }
    vec![
        wrong!(
            "inverted",
            "the result is inverted: where 0 is added the key may be attended to, so 0 becomes 1.",
            |additive| {
                lawful(additive)?;
                additive.ne(0.)
            }
        ),
        wrong!(
            "0 hides too",
            "`≤ 0` hides everything, since 0 itself means may attend.",
            |additive| {
                lawful(additive)?;
                additive.gt(0.)
            }
        ),
        wrong!(
            "everything else hides",
            "everything that is not 0 is taken as hidden, biases and NaN too: only `HIDES` and less hides, and the rest is an error.",
            |additive| {
                only_float(additive.dtype())?;
                additive.eq(0.)
            }
        ),
        wrong!(
            "nothing refused",
            "everything that is not 0 is taken as hidden, whatever the type: a bias, NaN and a u8 mask are not additive masks of 0 and −∞. Refuse them.",
            |additive| additive.eq(0.)
        ),
        wrong!(
            "only infinity hides",
            "only −∞ is taken as hidden: older code hides with −1e4, −1e9 or the lowest number of the type, and those keys come out visible.",
            |additive| {
                lawful(additive)?;
                additive.ne(f64::NEG_INFINITY)
            }
        ),
        wrong!(
            "large negative numbers refused",
            "−1e4 and −1e9 are refused: they are an older way to hide a key, and e^−1000 is already 0 in every float type. The limit is `HIDES`.",
            |additive| {
                lawful(additive)?;
                let keep = additive.eq(0.)?;
                everywhere(&(&keep + additive.eq(f64::NEG_INFINITY)?)?)?;
                Ok(keep)
            }
        ),
        wrong!(
            "border excluded",
            "−1000 itself is refused: a number hides when it is `HIDES` or less, and −1000 is `HIDES`.",
            |additive| {
                only_float(additive.dtype())?;
                let keep = additive.eq(0.)?;
                everywhere(&(&keep + additive.lt(-1000.)?)?)?;
                Ok(keep)
            }
        ),
        wrong!(
            "NaN goes through",
            "NaN goes through: it is neither above nor below any number, so a search for forbidden numbers never finds it. Ask which numbers are allowed, and refuse the rest.",
            |additive| {
                only_float(additive.dtype())?;
                let forbidden = (additive.ne(0.)? * additive.gt(-1000.)?)?;
                everywhere(&forbidden.eq(0u8)?)?;
                additive.eq(0.)
            }
        ),
        wrong!(
            "nearly 0 counts as 0",
            "a number close to 0 is taken for 0: it is a bias, however small, and a keep-mask cannot hold it.",
            |additive| {
                only_float(additive.dtype())?;
                let keep = additive.abs()?.le(1e-5)?;
                everywhere(&(&keep + additive.le(-1000.)?)?)?;
                Ok(keep)
            }
        ),
        wrong!(
            "only f32 taken",
            "additive masks of other float types are refused: scores, and so their masks, may be f16, bf16 or f64.",
            |additive| {
                if additive.dtype() != DType::F32 {
                    bail!("f32");
                }
                lawful(additive)?;
                additive.eq(0.)
            }
        ),
        wrong!(
            "0 recognised by its sign",
            "−0 is refused: it equals 0, so compare with 0 instead of looking at signs or bits.",
            |additive| {
                lawful(additive)?;
                let values = additive.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
                if values.iter().any(|x| *x == 0. && x.is_sign_negative()) {
                    bail!("-0");
                }
                additive.eq(0.)
            }
        ),
        wrong!(
            "every negative number hides",
            "a small negative number is taken as hidden: −0.5 is a bias that lowers a score. Refuse it, or the bias is silently lost.",
            |additive| {
                only_float(additive.dtype())?;
                let keep = additive.eq(0.)?;
                everywhere(&(&keep + additive.lt(0.)?)?)?;
                Ok(keep)
            }
        ),
        wrong!(
            "everything above the threshold is visible",
            "whatever is above the threshold counts as visible, biases and NaN included: only 0 does, and the rest is an error.",
            |additive| {
                only_float(additive.dtype())?;
                additive.le(-1000.)?.eq(0u8)
            }
        ),
        wrong!(
            "threshold too high",
            "numbers such as −2 or −100 are taken as hidden: they are biases (week 5 uses them), and only `HIDES` and less hides.",
            |additive| {
                only_float(additive.dtype())?;
                let keep = additive.eq(0.)?;
                everywhere(&(&keep + additive.le(-1.)?)?)?;
                Ok(keep)
            }
        ),
        wrong!(
            "floats",
            "the values are right, but the type is the additive mask's: a keep-mask is u8 (candle's comparisons give u8).",
            |additive| {
                lawful(additive)?;
                additive.eq(0.)?.to_dtype(additive.dtype())
            }
        ),
        wrong!(
            "keep-mask taken for additive",
            "a u8 mask goes through: its 0 means hidden, and would come out as visible. Refuse every type that is not a float type.",
            |additive| {
                let keep = additive.eq(0.)?;
                everywhere(&(&keep + additive.to_dtype(DType::F64)?.le(-1000.)?)?)?;
                Ok(keep)
            }
        ),
    ]
}

/// A right `to_keep` but for what the two 0/1 conventions give.
fn converted(
    mask: &Tensor,
    convention: Convention,
    zero_one: impl Fn() -> Result<Tensor>,
) -> Result<Tensor> {
    if convention == Convention::Additive {
        only_float(mask.dtype())?;
        let keep = mask.eq(0.)?;
        everywhere(&(&keep + mask.le(-1000.)?)?)?;
        return Ok(keep);
    }
    everywhere(&(mask.eq(0.)? + mask.eq(1.)?)?)?;
    zero_one()
}

pub fn to_keep() -> Vec<Wrong<Convert>> {
    vec![
        wrong!(
            "one-hides not inverted",
            "one-hides comes out as it went in: there 1 means hidden, so 0 becomes 1 and 1 becomes 0.",
            |mask, convention| converted(mask, convention, || mask.ne(0.))
        ),
        wrong!(
            "conventions swapped",
            "the two 0/1 conventions are swapped: one-attends stays as it is, one-hides is inverted.",
            |mask, convention| converted(mask, convention, || match convention {
                Convention::OneHides => mask.ne(0.),
                _ => mask.eq(0.),
            })
        ),
        wrong!(
            "everything inverted",
            "one-attends is inverted as well: it is a keep-mask already.",
            |mask, convention| converted(mask, convention, || mask.eq(0.))
        ),
        wrong!(
            "additive read as numbers",
            "an additive mask is read as \"not 0 is true\": there 0 lets through.",
            |mask, convention| match convention {
                Convention::Additive => {
                    converted(mask, convention, || mask.ne(0.))?;
                    mask.ne(0.)
                }
                Convention::OneAttends => converted(mask, convention, || mask.ne(0.)),
                Convention::OneHides => converted(mask, convention, || mask.eq(0.)),
            }
        ),
        wrong!(
            "wrong convention goes through",
            "numbers other than 0 and 1 go through: −∞ is \"not 0\", so an additive mask would come out inverted. Refuse it, it is the wrong convention.",
            |mask, convention| match convention {
                Convention::OneAttends => mask.ne(0.),
                Convention::OneHides => mask.eq(0.),
                Convention::Additive => converted(mask, convention, || mask.ne(0.)),
            }
        ),
        wrong!(
            "only the range checked",
            "a number between 0 and 1 goes through: it is neither. Compare with 0 and with 1, and refuse what is equal to neither.",
            |mask, convention| match convention {
                Convention::Additive => converted(mask, convention, || mask.ne(0.)),
                _ => {
                    everywhere(&(mask.ge(0.)? * mask.le(1.)?)?)?;
                    if convention == Convention::OneHides { mask.eq(0.) } else { mask.ne(0.) }
                }
            }
        ),
        wrong!(
            "truncated to u8",
            "the numbers are converted to u8 before they are checked: 0.5 and −∞ become 0, 256 wraps round to 0, and the check sees nothing. Check the numbers before you convert them.",
            |mask, convention| match convention {
                Convention::Additive => converted(mask, convention, || mask.ne(0.)),
                _ => {
                    let mask = mask.to_dtype(DType::U8)?;
                    everywhere(&mask.le(1u8)?)?;
                    if convention == Convention::OneHides { mask.eq(0u8) } else { Ok(mask) }
                }
            }
        ),
        wrong!(
            "NaN goes through",
            "NaN goes through: it is neither below 0 nor above 1 nor between, so a search for forbidden numbers never finds it. Ask which numbers are allowed, and refuse the rest.",
            |mask, convention| match convention {
                Convention::Additive => converted(mask, convention, || mask.ne(0.)),
                _ => {
                    let outside = (mask.lt(0.)? + mask.gt(1.)?)?;
                    let between = (mask.gt(0.)? * mask.lt(1.)?)?;
                    everywhere(&(outside + between)?.eq(0u8)?)?;
                    let (zeros, ones) = (mask.eq(0.)?, mask.eq(1.)?);
                    Ok(if convention == Convention::OneHides { zeros } else { ones })
                }
            }
        ),
        wrong!(
            "biases of an additive mask lost",
            "a small negative number is taken as hidden: it is a bias, which a keep-mask cannot hold.",
            |mask, convention| match convention {
                Convention::Additive => {
                    only_float(mask.dtype())?;
                    everywhere(&mask.le(0.)?)?;
                    mask.eq(0.)
                }
                _ => converted(mask, convention, || if convention == Convention::OneHides {
                    mask.eq(0.)
                } else {
                    mask.ne(0.)
                }),
            }
        ),
        wrong!(
            "only u8 taken",
            "0/1 masks of other types are refused: triangles often come as floats. candle's comparisons give u8 from any type.",
            |mask, convention| converted(mask, convention, || {
                only_u8(&[mask])?;
                if convention == Convention::OneHides { mask.eq(0u8) } else { mask.ne(0u8) }
            })
        ),
        wrong!(
            "only numbers outside 0 to 1 refused",
            "only numbers below 0 or above 1 are refused, so 0.5 and NaN go through: neither is 0 or 1. Ask which numbers are allowed, and refuse the rest.",
            |mask, convention| match convention {
                Convention::Additive => converted(mask, convention, || mask.ne(0.)),
                _ => {
                    let outside = (mask.lt(0.)? + mask.gt(1.)?)?;
                    everywhere(&outside.eq(0u8)?)?;
                    if convention == Convention::OneHides { mask.eq(0.) } else { mask.eq(1.) }
                }
            }
        ),
        wrong!(
            "only u8 and f32 taken",
            "0/1 masks of some types are refused: they may be of any number type. candle's comparisons give u8 from all of them.",
            |mask, convention| converted(mask, convention, || {
                if ![DType::U8, DType::F32].contains(&mask.dtype()) {
                    bail!("u8 or f32");
                }
                if convention == Convention::OneHides { mask.eq(0.) } else { mask.ne(0.) }
            })
        ),
        wrong!(
            "type kept",
            "the values are right, but a float mask stays a float mask: the result is u8.",
            |mask, convention| converted(mask, convention, || {
                let keep =
                    if convention == Convention::OneHides { mask.eq(0.) } else { mask.ne(0.) };
                keep?.to_dtype(mask.dtype())
            })
        ),
    ]
}

pub fn from_keep() -> Vec<Wrong<Convert>> {
    fn converted(
        keep: &Tensor,
        convention: Convention,
        hides: impl Fn() -> Result<Tensor>,
    ) -> Result<Tensor> {
        only_u8(&[keep])?;
        match convention {
            Convention::OneAttends => Ok(keep.clone()),
            Convention::OneHides => hides(),
            Convention::Additive => zero_or(keep, DType::F32, f64::NEG_INFINITY),
        }
    }
    vec![
        wrong!(
            "one-hides not inverted",
            "one-hides is still the keep-mask: there 1 means hidden.",
            |keep, convention| converted(keep, convention, || Ok(keep.clone()))
        ),
        wrong!(
            "bits inverted",
            "all eight bits are inverted, so that 1 becomes 254 and 0 becomes 255: compare with 0 instead.",
            |keep, convention| converted(keep, convention, || keep.eq(0u8)? + 254.)
        ),
        wrong!(
            "1 minus the mask",
            "u8 has no negative numbers, and candle computes 1 − keep as −1 · keep + 1: the −1 becomes 0, and the result is 1 everywhere. Compare with 0 instead.",
            |keep, convention| converted(keep, convention, || 1. - keep)
        ),
        wrong!(
            "additive inverted",
            "the additive mask is inverted: 1 means may attend and becomes 0.",
            |keep, convention| match convention {
                Convention::Additive => {
                    only_u8(&[keep])?;
                    zero_or(&keep.eq(0u8)?, DType::F32, f64::NEG_INFINITY)
                }
                _ => converted(keep, convention, || keep.eq(0u8)),
            }
        ),
        wrong!(
            "additive as 0 and 1",
            "the additive mask holds 0 and 1: added to the scores, that is a bias of 1.",
            |keep, convention| match convention {
                Convention::Additive => {
                    only_u8(&[keep])?;
                    keep.to_dtype(DType::F32)
                }
                _ => converted(keep, convention, || keep.eq(0u8)),
            }
        ),
        wrong!(
            "-1e9",
            "hidden keys get −1e9 instead of −∞: it works until a row has nothing to see, where all keys come out equal.",
            |keep, convention| match convention {
                Convention::Additive => {
                    only_u8(&[keep])?;
                    zero_or(keep, DType::F32, -1e9)
                }
                _ => converted(keep, convention, || keep.eq(0u8)),
            }
        ),
        wrong!(
            "one-hides as floats",
            "one-hides comes back as f32: both 0/1 conventions are u8 here.",
            |keep, convention| converted(keep, convention, || keep.eq(0u8)?.to_dtype(DType::F32))
        ),
        wrong!(
            "additive in f64",
            "the additive mask is right but for its type: f32 is asked for, the type of most scores.",
            |keep, convention| match convention {
                Convention::Additive => {
                    only_u8(&[keep])?;
                    zero_or(keep, DType::F64, f64::NEG_INFINITY)
                }
                _ => converted(keep, convention, || keep.eq(0u8)),
            }
        ),
        wrong!(
            "type of the mask not checked",
            "a mask that is not u8 goes through: it is in another convention already.",
            |keep, convention| match convention {
                Convention::OneAttends => Ok(keep.clone()),
                Convention::OneHides => keep.eq(0.),
                Convention::Additive => zero_or(&keep.ne(0.)?, DType::F32, f64::NEG_INFINITY),
            }
        ),
    ]
}
