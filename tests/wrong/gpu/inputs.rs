//! Wrong types, wrong tolerances, the wrong kernel.

use super::{Wrong, wrong};
use crate::gpu::{AsAccurate, HalfDtype, PickKernel};
use candle_core::{
    DType::{self, BF16, F16, F32, F64},
    Result, Tensor, bail,
};

/// Errors for types that are no floats.
fn floats(tensors: &[&Tensor]) -> Result<()> {
    match tensors.iter().all(|x| x.dtype().is_float()) {
        true => Ok(()),
        false => bail!("expected floats"),
    }
}

/// The type that all have, if it is a half one.
fn shared(tensors: &[&Tensor]) -> Option<DType> {
    let first = tensors.first()?.dtype();
    let half = matches!(first, F16 | BF16);
    (half && tensors.iter().all(|x| x.dtype() == first)).then_some(first)
}

fn numbers(x: &Tensor) -> Result<Vec<f64>> {
    x.flatten_all()?.to_dtype(F64)?.to_vec1()
}

fn all_numbers(tensors: &[&Tensor]) -> Result<Vec<f64>> {
    Ok(tensors.iter().map(|x| numbers(x)).collect::<Result<Vec<_>>>()?.concat())
}

fn f16_if(fits: bool) -> DType {
    if fits { F16 } else { BF16 }
}

/// The right choice.
fn chosen(tensors: &[&Tensor]) -> Result<DType> {
    by_numbers(tensors, |numbers| !numbers.iter().any(|x| x.abs() > 65_504.))
}

/// Right but for which numbers fit.
fn by_numbers(tensors: &[&Tensor], fit: impl Fn(&[f64]) -> bool) -> Result<DType> {
    floats(tensors)?;
    match shared(tensors) {
        Some(dtype) => Ok(dtype),
        None => Ok(f16_if(fit(&all_numbers(tensors)?))),
    }
}

pub fn half_dtype() -> Vec<Wrong<HalfDtype>> {
    vec![
        wrong!(
            "always f16",
            "this is f16 whatever the numbers are. Those above 65,504 become infinity there, and attention becomes NaN.",
            |tensors| {
                floats(tensors)?;
                Ok(shared(tensors).unwrap_or(F16))
            }
        ),
        wrong!(
            "always bf16",
            "this is bf16 even if all numbers fit into f16, which keeps three more bits of each.",
            |tensors| {
                floats(tensors)?;
                Ok(shared(tensors).unwrap_or(BF16))
            }
        ),
        wrong!(
            "the two confused",
            "f16 and bf16 are confused: bf16 has f32's range and few digits, f16 has more digits and ends at 65,504.",
            |tensors| match (shared(tensors), chosen(tensors)?) {
                (Some(dtype), _) => Ok(dtype),
                (None, F16) => Ok(BF16),
                (None, _) => Ok(F16),
            }
        ),
        wrong!(
            "no absolute value",
            "numbers far below 0 are not seen: −70,000 is smaller than 65,504, and doesn't fit either. Take the absolute value first.",
            |tensors| by_numbers(tensors, |numbers| !numbers.iter().any(|&x| x > 65_504.))
        ),
        wrong!(
            "only numbers below 0",
            "only numbers below 0 are checked, but 70,000 does not fit either. Take the absolute value first.",
            |tensors| by_numbers(tensors, |numbers| !numbers.iter().any(|&x| x < -65_504.))
        ),
        wrong!(
            "only the first tensor",
            "only the first tensor is checked. All get the same type, and a number that is too large may be in any of them.",
            |tensors| {
                floats(tensors)?;
                match (shared(tensors), tensors) {
                    (Some(dtype), _) => Ok(dtype),
                    (None, [first, ..]) => by_numbers(&[&first.to_dtype(F64)?], |numbers| {
                        !numbers.iter().any(|x| x.abs() > 65_504.)
                    }),
                    (None, []) => Ok(F16),
                }
            }
        ),
        wrong!(
            "only the last tensor",
            "only the last tensor decides: each one overwrites what was found before. One number that is too large, in any of them, is enough.",
            |tensors| {
                floats(tensors)?;
                match (shared(tensors), tensors.last()) {
                    (Some(dtype), _) => Ok(dtype),
                    (None, Some(last)) => Ok(chosen(&[&last.to_dtype(F64)?])?),
                    (None, None) => Ok(F16),
                }
            }
        ),
        wrong!(
            "every tensor must be too large",
            "bf16 is taken only when each tensor holds a number that is too large: one such number, in any of them, is enough.",
            |tensors| {
                floats(tensors)?;
                if let Some(dtype) = shared(tensors) {
                    return Ok(dtype);
                }
                let fits = |x: &&Tensor| -> Result<bool> {
                    Ok(!numbers(x)?.iter().any(|x| x.abs() > 65_504.))
                };
                let fit = tensors.iter().map(fits).collect::<Result<Vec<_>>>()?;
                Ok(f16_if(fit.is_empty() || fit.contains(&true)))
            }
        ),
        wrong!(
            "65,536",
            "numbers up to 65,536 are assumed to fit, but the largest number of f16 is 65,504.",
            |tensors| by_numbers(tensors, |numbers| !numbers.iter().any(|x| x.abs() > 65_536.))
        ),
        wrong!(
            "below 65,536",
            "numbers below 65,536 are assumed to fit, but the largest number of f16 is 65,504.",
            |tensors| by_numbers(tensors, |numbers| !numbers.iter().any(|x| x.abs() >= 65_536.))
        ),
        wrong!(
            "32,768",
            "numbers above 32,768 are assumed not to fit, as if f16 were a 16-bit integer. It reaches to 65,504.",
            |tensors| by_numbers(tensors, |numbers| !numbers.iter().any(|x| x.abs() > 32_768.))
        ),
        wrong!(
            "65,504 refused",
            "65,504 itself is assumed to be too large. It is the largest number of f16, and fits.",
            |tensors| by_numbers(tensors, |numbers| !numbers.iter().any(|x| x.abs() >= 65_504.))
        ),
        wrong!(
            "the mean size",
            "the mean size is compared: one number that is too large is enough, however small the others are.",
            |tensors| by_numbers(tensors, |numbers| {
                let real: Vec<f64> = numbers.iter().copied().filter(|x| !x.is_nan()).collect();
                let large = real.iter().any(|x| x.abs() > 65_504.) && numbers.len() > real.len();
                let mean = real.iter().map(|x| x.abs()).sum::<f64>() / real.len() as f64;
                !large && (real.is_empty() || mean <= 65_504.)
            })
        ),
        wrong!(
            "sizes added up",
            "the sizes of all numbers are added up. Each must fit by itself; their sum does not matter.",
            |tensors| by_numbers(tensors, |numbers| {
                numbers.iter().filter(|x| !x.is_nan()).map(|x| x.abs()).sum::<f64>() <= 65_504.
            })
        ),
        wrong!(
            "half types not kept",
            "tensors that are all bf16 are treated like others and become f16. They can go in as they are, without rounding.",
            |tensors| {
                floats(tensors)?;
                Ok(f16_if(!all_numbers(tensors)?.iter().any(|x| x.abs() > 65_504.)))
            }
        ),
        wrong!(
            "the first one's type kept",
            "the first tensor's type is kept although others differ. A type is kept only if all have it; a mixture goes by its numbers.",
            |tensors| {
                floats(tensors)?;
                match tensors.first().map(|x| x.dtype()) {
                    Some(dtype @ (F16 | BF16)) => Ok(dtype),
                    _ => chosen(tensors),
                }
            }
        ),
        wrong!(
            "bf16 wins",
            "one bf16 among the tensors makes all of them bf16: a mixture goes by its numbers, and f16 has more digits when they fit.",
            |tensors| {
                floats(tensors)?;
                match tensors.iter().any(|x| x.dtype() == BF16) {
                    true => Ok(BF16),
                    false => chosen(tensors),
                }
            }
        ),
        wrong!(
            "mixtures refused",
            "tensors of different types are refused. They can be converted to one type, and their numbers say which.",
            |tensors| match tensors {
                [first, rest @ ..] if rest.iter().any(|x| x.dtype() != first.dtype()) => {
                    bail!("expected one type")
                }
                _ => chosen(tensors),
            }
        ),
        wrong!(
            "integers accepted",
            "whole numbers are accepted. Ids and masks are not queries: a type that is not a float is an error.",
            |tensors| match shared(tensors) {
                Some(dtype) => Ok(dtype),
                None => Ok(f16_if(!all_numbers(tensors)?.iter().any(|x| x.abs() > 65_504.))),
            }
        ),
        wrong!(
            "integers not seen behind a large number",
            "the search ends at the first number that is too large, so a tensor after it that does not hold floats goes unnoticed. Check all types first.",
            |tensors| {
                if let Some(dtype) = shared(tensors) {
                    return Ok(dtype);
                }
                for x in tensors {
                    floats(&[x])?;
                    if numbers(x)?.iter().any(|x| x.abs() > 65_504.) {
                        return Ok(BF16);
                    }
                }
                Ok(F16)
            }
        ),
        wrong!(
            "only the first one's type looked at",
            "only the first tensor's type is checked to be a float: any of them may be ids or a mask.",
            |tensors| {
                floats(&tensors[..tensors.len().min(1)])?;
                match shared(tensors) {
                    Some(dtype) => Ok(dtype),
                    None => Ok(f16_if(!all_numbers(tensors)?.iter().any(|x| x.abs() > 65_504.))),
                }
            }
        ),
        wrong!(
            "only f32 read",
            "the numbers are read as f32 without being converted to it, which is an error for other types. Use `to_dtype` first.",
            |tensors| {
                floats(tensors)?;
                if let Some(dtype) = shared(tensors) {
                    return Ok(dtype);
                }
                let read = |x: &&Tensor| x.flatten_all()?.to_vec1::<f32>();
                let numbers = tensors.iter().map(read).collect::<Result<Vec<_>>>()?.concat();
                Ok(f16_if(!numbers.iter().any(|x| x.abs() > 65_504.)))
            }
        ),
        wrong!(
            "NaN does not fit",
            "a NaN counts as too large, perhaps because no comparison with it is true. f16 has NaN as well. Ask whether a number is too large, not whether all are small enough.",
            |tensors| by_numbers(tensors, |numbers| numbers.iter().all(|x| x.abs() <= 65_504.))
        ),
        wrong!(
            "NaN hides a large number",
            "a NaN makes the largest number NaN, and a comparison with it is false, so the number that does not fit goes unnoticed. Compare each number, then ask whether any was too large.",
            |tensors| by_numbers(tensors, |numbers| {
                numbers.iter().any(|x| x.is_nan()) || numbers.iter().all(|x| x.abs() <= 65_504.)
            })
        ),
        wrong!(
            "infinities fit",
            "infinities are passed over. An infinity does not fit into f16's range, so the answer is bf16.",
            |tensors| by_numbers(tensors, |numbers| {
                !numbers.iter().any(|x| x.is_finite() && x.abs() > 65_504.)
            })
        ),
        wrong!(
            "empty tensors refused",
            "a tensor without numbers has no largest one: candle says \"empty tensor for reduce\". It fits into every type, so look at `elem_count()` first.",
            |tensors| {
                let chosen = chosen(tensors)?;
                for x in tensors.iter().filter(|x| x.elem_count() == 0) {
                    x.to_dtype(F32)?.abs()?.max_all()?;
                }
                Ok(chosen)
            }
        ),
        wrong!(
            "the first tensor must be there",
            "without tensors this panics, because `tensors[0]` does not exist. If there is no number, all of them fit into f16.",
            |tensors| match tensors[0].dtype() {
                _ if tensors.len() > 1 => chosen(tensors),
                _ => chosen(&tensors[..1]),
            }
        ),
    ]
}

/// Shapes that differ are refused, then the errors of both, place by place, signed.
fn errors([out, naive, reference]: [&Tensor; 3]) -> Result<[Vec<f64>; 2]> {
    if out.dims() != reference.dims() || naive.dims() != reference.dims() {
        bail!("shapes differ");
    }
    let [out, naive, reference] = [numbers(out)?, numbers(naive)?, numbers(reference)?];
    let from = |x: Vec<f64>| x.iter().zip(&reference).map(|(x, right)| x - right).collect();
    Ok([from(out), from(naive)])
}

/// The largest size; NaN wins.
fn largest(errors: &[f64]) -> f64 {
    let nan = errors.iter().any(|error| error.is_nan());
    if nan { f64::NAN } else { passing_nan(errors) }
}

/// The largest size, NaN passed over.
fn passing_nan(errors: &[f64]) -> f64 {
    errors.iter().map(|error| error.abs()).fold(0., f64::max)
}

/// With another measure of errors.
fn measured(tensors: [&Tensor; 3], measure: impl Fn(&[f64]) -> f64) -> Result<bool> {
    let [out, naive] = errors(tensors)?;
    match largest(&out).is_nan() || largest(&naive).is_nan() {
        true => Ok(false),
        false => Ok(measure(&out) <= 2. * measure(&naive)),
    }
}

/// With another rule for the largest errors.
fn ruled(tensors: [&Tensor; 3], rule: impl Fn(f64, f64) -> bool) -> Result<bool> {
    let [out, naive] = errors(tensors)?;
    Ok(rule(largest(&out), largest(&naive)))
}

/// The right rule, for numbers rounded to a type first.
fn rounded_to(tensors: [&Tensor; 3], dtype: impl Fn(&Tensor) -> DType) -> Result<bool> {
    let [out, naive, reference] = tensors;
    let to = dtype(out);
    let [a, b, c] = [out.to_dtype(to)?, naive.to_dtype(to)?, reference.to_dtype(to)?];
    ruled([&a, &b, &c], |out, naive| out <= 2. * naive)
}

pub fn as_accurate() -> Vec<Wrong<AsAccurate>> {
    vec![
        wrong!(
            "a fixed tolerance",
            "the error of out is compared with a fixed number, but what is good depends on the type and on the size of the numbers. Measure it by naive attention's own error.",
            |out, naive, reference| ruled([out, naive, reference], |out, naive| {
                out <= if naive.is_nan() { naive } else { 1e-3 }
            })
        ),
        wrong!(
            "something added",
            "a fixed number is added to the rule: where the naive errors are smaller than that, anything passes.",
            |out, naive, reference| ruled([out, naive, reference], |out, naive| out
                <= 2. * naive + 1e-5)
        ),
        wrong!(
            "no factor",
            "the factor of 2 is missing. A kernel adds in another order and may be a little worse than naive by chance.",
            |out, naive, reference| ruled([out, naive, reference], |out, naive| out <= naive)
        ),
        wrong!(
            "the factor on the other side",
            "the factor is on the wrong side: out may be off by twice as much as naive, not by half as much.",
            |out, naive, reference| ruled([out, naive, reference], |out, naive| 2. * out <= naive)
        ),
        wrong!(
            "a factor of 3",
            "the error of out may be twice that of naive, and no more.",
            |out, naive, reference| ruled([out, naive, reference], |out, naive| out <= 3. * naive)
        ),
        wrong!(
            "less than, not at most",
            "twice the error is refused: at most twice is good, and so is no error where naive has none.",
            |out, naive, reference| {
                let nothing = reference.elem_count() == 0;
                ruled([out, naive, reference], |out, naive| nothing || out < 2. * naive)
            }
        ),
        wrong!(
            "out and naive confused",
            "out and naive are swapped: out must not be worse than twice naive.",
            |out, naive, reference| ruled([out, naive, reference], |out, naive| naive <= 2. * out)
        ),
        wrong!(
            "compared with naive",
            "out is compared with naive instead of with the reference. Both carry rounding errors; only the reference is right.",
            |out, naive, reference| {
                errors([out, naive, reference])?;
                let [apart, off] = [
                    errors([out, naive, naive])?[0].clone(),
                    errors([out, naive, reference])?[1].clone(),
                ];
                Ok(largest(&apart) <= 2. * largest(&off))
            }
        ),
        wrong!(
            "no absolute value",
            "errors below 0 are not seen: the largest signed difference is not the largest error. Take the absolute value first.",
            |out, naive, reference| measured([out, naive, reference], |errors| {
                errors.iter().copied().reduce(f64::max).unwrap_or(0.)
            })
        ),
        wrong!(
            "the mean error",
            "the mean error is compared: one number that is far off disappears among many good ones. The largest counts.",
            |out, naive, reference| measured([out, naive, reference], |errors| {
                errors.iter().map(|error| error.abs()).sum::<f64>() / errors.len().max(1) as f64
            })
        ),
        wrong!(
            "the mean square",
            "mean squares are compared: twice the error is four times the square, and one number that is far off disappears among many good ones. The largest error counts, as it is.",
            |out, naive, reference| measured([out, naive, reference], |errors| {
                errors.iter().map(|error| error * error).sum::<f64>() / errors.len().max(1) as f64
            })
        ),
        wrong!(
            "the root of the mean square",
            "the root of the mean square is compared: one number that is far off still disappears among many good ones. The largest error counts.",
            |out, naive, reference| measured([out, naive, reference], |errors| {
                let squares = errors.iter().map(|error| error * error).sum::<f64>();
                (squares / errors.len().max(1) as f64).sqrt()
            })
        ),
        wrong!(
            "place by place",
            "each error is compared with the naive one at the same place, which may be 0 by chance. Compare the largest of all with the largest of all.",
            |out, naive, reference| {
                let [out, naive] = errors([out, naive, reference])?;
                Ok(out.iter().zip(&naive).all(|(out, naive)| out.abs() <= 2. * naive.abs()))
            }
        ),
        wrong!(
            "only the first number",
            "only the first number is compared: the largest error may be anywhere.",
            |out, naive, reference| measured([out, naive, reference], |errors| {
                errors.first().map_or(0., |error| error.abs())
            })
        ),
        wrong!(
            "relative errors",
            "errors are divided by the reference's numbers, so that an error at a number near 0 outweighs all others. Compare absolute errors.",
            |out, naive, reference| {
                let right = numbers(reference)?;
                measured([out, naive, reference], |errors| {
                    let of = |(error, right): (&f64, &f64)| {
                        error.abs() / if *right == 0. { 1. } else { right.abs() }
                    };
                    errors.iter().zip(&right).map(of).fold(0., f64::max)
                })
            }
        ),
        wrong!(
            "a NaN in out passed over",
            "a NaN in out is passed over: `f64::max` takes the other number. A NaN must make the answer false.",
            |out, naive, reference| {
                let [out, naive] = errors([out, naive, reference])?;
                let both = out.iter().zip(&naive).all(|(a, b)| a.is_nan() && b.is_nan());
                let bad = largest(&naive).is_nan() || both && !out.is_empty();
                Ok(!bad && passing_nan(&out) <= 2. * passing_nan(&naive))
            }
        ),
        wrong!(
            "a NaN in naive passed over",
            "a NaN in naive is passed over: `f64::max` takes the other number. But then the measure itself is broken, and nothing can be called good.",
            |out, naive, reference| {
                let [out, naive] = errors([out, naive, reference])?;
                Ok(largest(&out) <= 2. * passing_nan(&naive))
            }
        ),
        wrong!(
            "NaN passed over in both",
            "NaN is passed over wherever it is: `f64::max` takes the other number. A NaN anywhere must make the answer false.",
            |out, naive, reference| {
                let [out, naive] = errors([out, naive, reference])?;
                Ok(passing_nan(&out) <= 2. * passing_nan(&naive))
            }
        ),
        wrong!(
            "candle's maximum",
            "a NaN is seen only where it comes first: candle's `max_all` compares, and no comparison with a NaN is true. Look for NaN before you take the largest error.",
            |out, naive, reference| {
                errors([out, naive, reference])?;
                let largest_error = |x: &Tensor| match x.elem_count() {
                    0 => Ok(0.),
                    _ => {
                        (x.to_dtype(F64)? - reference.to_dtype(F64)?)?.abs()?.max_all()?.to_scalar()
                    }
                };
                Ok(largest_error(out)? <= 2f64 * largest_error(naive)?)
            }
        ),
        wrong!(
            "not larger, so good",
            "the question is reversed, `!(out > 2 · naive)`. No comparison with a NaN is true, so a NaN passes.",
            |out, naive, reference| ruled([out, naive, reference], |out, naive| out.is_nan()
                || naive.is_nan()
                || out <= 2. * naive)
        ),
        wrong!(
            "a NaN in both is equal",
            "a NaN passes if naive has one, too. A NaN is never good.",
            |out, naive, reference| {
                let [out, naive] = errors([out, naive, reference])?;
                let (out, naive) = (largest(&out), largest(&naive));
                Ok(out <= 2. * naive || out.is_nan() && naive.is_nan())
            }
        ),
        wrong!(
            "measured in f32",
            "errors are measured in f32: the reference, in f64, is rounded before it is compared, and small errors with it.",
            |out, naive, reference| rounded_to([out, naive, reference], |_| F32)
        ),
        wrong!(
            "reference in f32",
            "the reference is rounded to f32 before it is compared: its rounding counts as an error of both then, and hides the kernel's own. Convert the other two to f64 instead.",
            |out, naive, reference| {
                let rounded = reference.to_dtype(F32)?;
                ruled([out, naive, &rounded], |out, naive| out <= 2. * naive)
            }
        ),
        wrong!(
            "measured in out's type",
            "errors are measured in out's own type: the reference is rounded to it, so that the naive error disappears or grows. Convert all to f64 first.",
            |out, naive, reference| rounded_to([out, naive, reference], |out| match out.dtype() {
                F32 => F64,
                dtype => dtype,
            })
        ),
        wrong!(
            "shapes broadcast",
            "shapes that differ are broadcast: a result of the wrong shape would pass. candle's `-` refuses them, `broadcast_sub` does not.",
            |out, naive, reference| {
                let off = |x: &Tensor| -> Result<f64> {
                    let x = x.to_dtype(F64)?;
                    let errors = match reference.elem_count() {
                        0 => (x - reference.to_dtype(F64)?)?,
                        _ => x.broadcast_sub(&reference.to_dtype(F64)?)?,
                    };
                    Ok(largest(&numbers(&errors)?))
                };
                Ok(off(out)? <= 2. * off(naive)?)
            }
        ),
        wrong!(
            "the same number of numbers",
            "only the number of elements is compared, not the shape. (2, 3) and (3, 2) hold different things at the same place.",
            |out, naive, reference| {
                let flat = |x: &Tensor| x.flatten_all();
                let (out, naive, reference) = (flat(out)?, flat(naive)?, flat(reference)?);
                ruled([&out, &naive, &reference], |out, naive| out <= 2. * naive)
            }
        ),
        wrong!(
            "naive's shape not looked at",
            "the shape of naive is never compared, so its errors may not be those of the same attention.",
            |out, naive, reference| {
                if naive.dims() == reference.dims() {
                    return ruled([out, naive, reference], |out, naive| out <= 2. * naive);
                }
                let [off, _] = errors([out, out, reference])?;
                Ok(!largest(&off).is_nan())
            }
        ),
        wrong!(
            "nothing to compare refused",
            "where there are no errors, none is the largest: candle says \"empty tensor for reduce\", and an `unwrap()` panics. Where there is nothing to compare, nothing is wrong.",
            |out, naive, reference| match reference.elem_count() {
                0 => Ok(reference.abs()?.max_all()?.to_scalar::<f64>()? == 0.),
                _ => ruled([out, naive, reference], |out, naive| out <= 2. * naive),
            }
        ),
        wrong!(
            "nothing to compare, not good",
            "where there is nothing to compare, this says false: nothing is wrong there.",
            |out, naive, reference| match reference.elem_count() {
                0 => Ok(false),
                _ => ruled([out, naive, reference], |out, naive| out <= 2. * naive),
            }
        ),
    ]
}

/// The four conditions of the flash kernel, on a card.
struct Asked {
    card: (usize, usize),
    dtype: DType,
    head_dim: usize,
    needs_gradient: bool,
}

impl Asked {
    fn new_enough(&self) -> bool {
        self.card >= (8, 0)
    }

    fn half(&self) -> bool {
        matches!(self.dtype, F16 | BF16)
    }

    fn small(&self) -> bool {
        self.head_dim <= 512
    }

    fn fits(&self) -> bool {
        self.new_enough() && self.half() && self.small() && !self.needs_gradient
    }
}

/// Right without a card; on one, flash when `flash` says so.
fn flash_if(flash: impl Fn(&Asked) -> bool + 'static) -> Box<PickKernel> {
    on_cards(move |asked| if flash(asked) { "flash" } else { "naive" })
}

/// Right without a card; on one, as `pick` says.
fn on_cards(pick: impl Fn(&Asked) -> &'static str + 'static) -> Box<PickKernel> {
    Box::new(move |capability, dtype, head_dim, needs_gradient| match capability {
        None => "cpu",
        Some(card) => pick(&Asked { card, dtype, head_dim, needs_gradient }),
    })
}

/// Right on cards; without one, as `pick` says of the type and the gradient.
fn without_card(pick: impl Fn(DType, bool) -> &'static str + 'static) -> Box<PickKernel> {
    let on_card = flash_if(Asked::fits);
    Box::new(move |capability, dtype, head_dim, needs_gradient| match capability {
        None => pick(dtype, needs_gradient),
        card => on_card(card, dtype, head_dim, needs_gradient),
    })
}

/// What else may come where flash doesn't fit: `cpu` for these.
fn cpu_for(these: impl Fn(&Asked) -> bool + 'static) -> Box<PickKernel> {
    on_cards(move |asked| match asked.fits() {
        true => "flash",
        false if these(asked) => "cpu",
        false => "naive",
    })
}

pub fn pick_kernel() -> Vec<Wrong<PickKernel>> {
    let wrong = |name, diagnosis, answer| Wrong { name, diagnosis, answer };
    vec![
        wrong(
            "never flash",
            "the flash kernel is never chosen. It is for f16 and bf16, on a card of 8.0 or newer.",
            flash_if(|_| false),
        ),
        wrong(
            "capability not looked at",
            "the card's capability is not checked: the flash kernels are built for 8.0 and newer, an older card can't start them.",
            flash_if(|a| a.half() && a.small() && !a.needs_gradient),
        ),
        wrong(
            "from 7.5 on",
            "a card of 7.5 is assumed to be new enough. It has tensor cores, but the kernels are built for 8.0 and newer.",
            flash_if(|a| a.card >= (7, 5) && a.half() && a.small() && !a.needs_gradient),
        ),
        wrong(
            "newer than 8.0",
            "8.0 itself is refused, but it is new enough: compare with `>=`.",
            flash_if(|a| a.card > (8, 0) && a.fits()),
        ),
        wrong(
            "only 8.x",
            "only cards whose capability begins with 8 are taken: 9.0 and 12.0 are newer, and run the kernels as well.",
            flash_if(|a| a.card.0 == 8 && a.fits()),
        ),
        wrong(
            "9.0 and newer",
            "cards of 8.x are refused: the kernels are FlashAttention-2's, which run from 8.0 on, not from 9.0.",
            flash_if(|a| a.card.0 >= 9 && a.fits()),
        ),
        wrong(
            "compared as text",
            "capabilities are compared as text, where \"10.0\" comes before \"8.0\". Compare the pairs of numbers.",
            flash_if(|a| format!("{}.{}", a.card.0, a.card.1).as_str() >= "8.0" && a.fits()),
        ),
        wrong(
            "both numbers compared for themselves",
            "the second number must be at least 6 here, whatever the first is: 9.0 is newer than 8.6, and 8.0 is enough. A pair is compared by its first number, then by its second.",
            flash_if(|a| a.card.1 >= 6 && a.fits()),
        ),
        wrong(
            "f32 accepted",
            "f32 is given to the flash kernel, which refuses it. It only takes f16 and bf16.",
            flash_if(|a| {
                (a.half() || a.dtype == F32) && a.new_enough() && a.small() && !a.needs_gradient
            }),
        ),
        wrong(
            "every type accepted",
            "the type is not checked, or f64 is forgotten. The flash kernel only takes f16 and bf16.",
            flash_if(|a| a.new_enough() && a.small() && !a.needs_gradient),
        ),
        wrong(
            "only f16",
            "bf16 is refused: the flash kernel takes both half types.",
            flash_if(|a| a.dtype == F16 && a.fits()),
        ),
        wrong(
            "only bf16",
            "f16 is refused: the flash kernel takes both half types.",
            flash_if(|a| a.dtype == BF16 && a.fits()),
        ),
        wrong(
            "any head dim",
            "the head dim is not checked: above 512 the flash kernel refuses it.",
            flash_if(|a| a.new_enough() && a.half() && !a.needs_gradient),
        ),
        wrong(
            "below 512",
            "a head dim of 512 is refused, but the limit is included.",
            flash_if(|a| a.head_dim < 512 && a.fits()),
        ),
        wrong(
            "up to 256",
            "head dims above 256 are refused, as in FlashAttention-2's own package. candle's kernel goes up to 512.",
            flash_if(|a| a.head_dim <= 256 && a.fits()),
        ),
        wrong(
            "up to 128",
            "head dims above 128 are refused. The kernel goes up to 512.",
            flash_if(|a| a.head_dim <= 128 && a.fits()),
        ),
        wrong(
            "512, padded",
            "a head dim of 513 is assumed to fit, but padded it is 520, which is above 512.",
            flash_if(|a| a.head_dim < 520 && a.new_enough() && a.half() && !a.needs_gradient),
        ),
        wrong(
            "multiples of 8 only",
            "a head dim that is not a multiple of 8 is refused: `pad_head_dim` makes it one, and the kernel takes it then.",
            flash_if(|a| a.head_dim.is_multiple_of(8) && a.fits()),
        ),
        wrong(
            "powers of two only",
            "a head dim that is not a power of two is refused: padded to a multiple of 8, every one up to 512 is taken.",
            flash_if(|a| a.head_dim.is_power_of_two() && a.fits()),
        ),
        wrong(
            "gradient not looked at",
            "the gradient is not checked: the flash kernel has none, and training would stop with an error in `backward`.",
            flash_if(|a| a.new_enough() && a.half() && a.small()),
        ),
        wrong(
            "gradient reversed",
            "flash is chosen when a gradient is needed, and only then. It is the other way round: the kernel has no gradient.",
            flash_if(|a| a.new_enough() && a.half() && a.small() && a.needs_gradient),
        ),
        wrong(
            "what does not fit goes to the CPU",
            "what the flash kernel doesn't take goes to the CPU: the tensors are on the card, and the naive attention computes them there.",
            cpu_for(|_| true),
        ),
        wrong(
            "old cards to the CPU",
            "with an old card, the CPU is chosen. Naive attention runs on every card, and the tensors are there.",
            cpu_for(|a| !a.new_enough()),
        ),
        wrong(
            "f32 to the CPU",
            "f32 and f64 go to the CPU: the naive attention computes them on the card, where they are.",
            cpu_for(|a| !a.half()),
        ),
        wrong(
            "gradients to the CPU",
            "what needs a gradient goes to the CPU: the naive attention has one as well, on the card.",
            cpu_for(|a| a.needs_gradient),
        ),
        wrong(
            "large heads to the CPU",
            "more than 512 numbers per head go to the CPU: the naive attention computes them on the card, where they are.",
            cpu_for(|a| !a.small()),
        ),
        wrong(
            "naive without a card",
            "without a card, naive attention is chosen. The CPU has kernels of its own, those of weeks 7 and 8.",
            without_card(|_, _| "naive"),
        ),
        wrong(
            "flash without a card",
            "f16 and bf16 go to the flash kernel though there is no card: look at the capability first, `None` is the CPU.",
            without_card(|dtype, _| if matches!(dtype, F16 | BF16) { "flash" } else { "cpu" }),
        ),
        wrong(
            "gradients to naive without a card",
            "without a card, a gradient sends this to the naive attention: the CPU's kernels have one. Look at the capability first.",
            without_card(|_, gradient| if gradient { "naive" } else { "cpu" }),
        ),
        wrong(
            "half types to naive without a card",
            "without a card, f16 and bf16 go to the naive attention: the CPU's kernels take them. Look at the capability first.",
            without_card(|dtype, _| if matches!(dtype, F16 | BF16) { "naive" } else { "cpu" }),
        ),
        wrong(
            "a card must be there",
            "without a card this panics: `unwrap()` of `None`. `None` means the CPU.",
            without_card(|_, _| panic!("called `Option::unwrap()` on a `None` value")),
        ),
        wrong(
            "a card is enough",
            "on a card this is flash, whatever the tensors are: the kernel wants a half type, a card of 8.0 or newer, at most 512 numbers per head, and has no gradient.",
            flash_if(|_| true),
        ),
    ]
}
