//! Comparing what came with what was expected, and the counterexample when they differ.

use super::show;
use candle_core::{DType, Result, Tensor};
use std::{any::Any, fmt};

/// Whether a law holds; if not, the example that breaks it.
pub type Outcome = std::result::Result<(), Breach>;

/// What came when an error came, before its message; what came instead of one, before it.
const ERROR: &str = "an error: ";
const VALUE: &str = "a value";

/// The smallest example that breaks a law.
#[derive(Clone, Debug, PartialEq)]
pub struct Breach {
    /// The inputs of the call.
    pub given: String,
    /// What should have come.
    pub expected: String,
    /// What came.
    pub got: String,
    /// The law could not be tried at all; `got` says why.
    pub skip: bool,
}

impl Breach {
    /// A counterexample in words.
    pub fn text(given: &str, expected: &str, got: &str) -> Self {
        Self {
            given: show::written(given),
            expected: expected.into(),
            got: got.into(),
            skip: false,
        }
    }

    /// The law cannot be tried here.
    pub fn skipped(why: &str) -> Self {
        Self { skip: true, ..Self::text("", "", why) }
    }

    /// Whether the same came of the same inputs; of errors, and of values where an error is expected, whether both are
    /// some.
    pub(super) fn alike(&self, other: &Self) -> bool {
        let both = |start: &str| self.got.starts_with(start) && other.got.starts_with(start);
        self.given == other.given
            && self.expected == other.expected
            && (self.got == other.got || both(ERROR) || both(VALUE))
    }

    /// The breach in one line: where it differs or, where no place is named, what was expected and what came.
    pub fn brief(&self) -> String {
        let first = |text: &str| text.lines().next().unwrap_or_default().trim().to_owned();
        let last = self.got.lines().last().unwrap_or_default();
        match last.strip_prefix('(').and_then(|note| note.strip_suffix(')')) {
            Some(note) if note.contains("differs at") || note.contains("finite at") => note.into(),
            _ if self.expected.is_empty() => first(&self.got),
            _ => format!("expected {}; got {}", first(&self.expected), first(&self.got)),
        }
    }

    /// The answer panicked.
    pub fn panicked(text: &str) -> Self {
        Self::text(
            &show::last_inputs(),
            "a value, or an error for bad input, but never a panic",
            &format!("a panic: {text}"),
        )
    }
}

/// An error where a value was expected, of the answer or while the check made its inputs.
impl From<candle_core::Error> for Breach {
    fn from(error: candle_core::Error) -> Self {
        // The first line is the message; the rest is a backtrace with machine paths.
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default();
        Self::text("", "a value", &format!("{ERROR}{message}"))
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (label, text) in
            [("given", &self.given), ("expected", &self.expected), ("got", &self.got)]
        {
            if !text.is_empty() {
                let indented = text.replace('\n', "\n           ").replace("           \n", "\n");
                writeln!(out, "  {label:<8} {indented}")?;
            }
        }
        Ok(())
    }
}

/// How far two values may be apart: `units` rounding errors of the type that computed them.
///
/// One rounding error of a value of size s is at most s · ε / 2 (ε: 2⁻²³ for f32). A sum of n products of size s carries
/// at most n of them, so a law over n terms asks for about n units, never for a number that happened to pass.
#[derive(Clone, Copy, Debug)]
pub struct Rounding {
    units: f64,
}

/// At most `units` rounding errors, of the size of the largest expected value (at least 1).
pub fn rounding(units: usize) -> Rounding {
    Rounding { units: units as f64 }
}

/// Equal to the last bit.
pub fn exactly() -> Rounding {
    Rounding { units: 0. }
}

impl Rounding {
    fn allowed(self, dtype: DType, largest: f64) -> f64 {
        let epsilon = match dtype {
            DType::F64 => f64::EPSILON,
            DType::F16 => 2f64.powi(-10),
            DType::BF16 => 2f64.powi(-7),
            _ => f32::EPSILON as f64,
        };
        self.units * epsilon * largest.max(1.)
    }
}

/// The law that an answer is `expected`: same shape, same type, values within `rounding`; NaN differs from everything.
///
/// Takes the answer's `Result` as it comes, so that an error is shown with the inputs that caused it.
pub fn same(given: &str, answer: Result<Tensor>, expected: &Tensor, rounding: Rounding) -> Outcome {
    let got = &value(given, answer)?;
    let breach = |digits: usize, note: &str| {
        let got = format!("{}\n({note})", show::tensor_to(got, digits));
        Err(Breach::text(given, &show::tensor_to(expected, digits), &got))
    };
    if got.dims() != expected.dims() {
        return breach(show::DIGITS, "the shape differs");
    }
    if got.dtype() != expected.dtype() {
        return breach(show::DIGITS, "the type differs");
    }
    let (ours, theirs) = (show::values(got)?, show::values(expected)?);
    let largest = theirs.iter().filter(|x| x.is_finite()).fold(0f64, |max, x| max.max(x.abs()));
    let allowed = rounding.allowed(got.dtype(), largest);
    let near = |a: f64, b: f64| a == b || (a - b).abs() <= allowed;
    match ours.iter().zip(&theirs).position(|(&a, &b)| !near(a, b)) {
        None => Ok(()),
        Some(at) => {
            let digits = show::digits_apart(theirs[at], ours[at]);
            let [expected, got_number] = show::numbers_apart(theirs[at], ours[at]);
            // Numbers that look alike in a few digits can be far apart in units of rounding.
            let by = if digits == show::DIGITS {
                String::new()
            } else {
                let apart = show::number((ours[at] - theirs[at]).abs());
                format!("; {apart} apart, {} allowed", show::number(allowed))
            };
            let at = index(at, got.dims());
            breach(digits, &format!("differs at {at:?}: expected {expected}, got {got_number}{by}"))
        }
    }
}

/// The value of an answer; an error becomes a breach that shows the inputs.
pub fn value<T>(given: &str, answer: Result<T>) -> std::result::Result<T, Breach> {
    answer.map_err(|error| Breach { given: show::written(given), ..Breach::from(error) })
}

/// The law that every value is finite.
pub fn finite(given: &str, answer: Result<Tensor>) -> Outcome {
    all_finite(given, "finite values", &value(given, answer)?)
}

/// The law that every value of `got` is finite, which `expected` calls by its name.
pub(super) fn all_finite(given: &str, expected: &str, got: &Tensor) -> Outcome {
    match show::values(got)?.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let note =
                format!("{}\n(not finite at {:?})", show::tensor(got), index(at, got.dims()));
            Err(Breach::text(given, expected, &note))
        }
    }
}

/// The law that bad input gets an error, and not a value.
pub fn refused<T: 'static>(given: &str, why: &str, answer: Result<T>) -> Outcome {
    match answer {
        Err(_) => Ok(()),
        Ok(value) => Err(Breach::text(given, &format!("an error: {why}"), &came(&value))),
    }
}

/// A value that came instead of an error: shown where its type is one that can be, so that two wrong answers are told
/// apart by it.
fn came(value: &dyn Any) -> String {
    let shown = if let Some(tensor) = value.downcast_ref::<Tensor>() {
        show::tensor(tensor)
    } else if let Some((first, second)) = value.downcast_ref::<(Tensor, Tensor)>() {
        format!("{}\nand {}", show::tensor(first), show::tensor(second))
    } else if let Some(list) = value.downcast_ref::<Vec<usize>>() {
        format!("{list:?}")
    } else if let Some(number) = value.downcast_ref::<usize>() {
        number.to_string()
    } else if let Some(number) = value.downcast_ref::<f64>() {
        show::number(*number)
    } else if let Some(flag) = value.downcast_ref::<bool>() {
        flag.to_string()
    } else {
        return VALUE.to_owned();
    };
    format!("{VALUE}: {shown}")
}

/// The place of the number `flat`, counted row by row.
pub(super) fn index(mut flat: usize, dims: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = dims
        .iter()
        .rev()
        .map(|&dim| {
            let here = flat % dim;
            flat /= dim;
            here
        })
        .collect();
    index.reverse();
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn row(values: &[f32]) -> Result<Tensor> {
        Tensor::new(values, &Device::Cpu)
    }

    #[test]
    fn nan_differs_from_everything() -> Result<()> {
        let nan = row(&[f32::NAN])?;
        assert!(same("", Ok(nan.clone()), &nan, rounding(1000)).is_err());
        Ok(())
    }

    #[test]
    fn infinities_of_one_sign_are_equal() -> Result<()> {
        let below = row(&[f32::NEG_INFINITY])?;
        assert!(same("", Ok(below.clone()), &below, exactly()).is_ok());
        assert!(same("", row(&[0.]), &below, rounding(1000)).is_err());
        Ok(())
    }

    #[test]
    fn the_allowance_is_a_multiple_of_the_types_epsilon() -> Result<()> {
        let (one, near) = (row(&[1.])?, row(&[1. + 3. * f32::EPSILON])?);
        assert!(same("", Ok(near.clone()), &one, rounding(3)).is_ok());
        assert!(same("", Ok(near.clone()), &one, rounding(2)).is_err());
        Ok(())
    }

    #[test]
    fn the_first_difference_is_located() -> Result<()> {
        let left = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
        let right = Tensor::new(&[[1f32, 2.], [3., 5.]], &Device::Cpu)?;
        let breach = same("", Ok(left), &right, rounding(4)).unwrap_err();
        assert!(breach.got.contains("differs at [1, 1]: expected 5, got 4"), "{breach}");
        Ok(())
    }

    #[test]
    fn a_small_difference_is_shown_in_the_digits_that_differ() -> Result<()> {
        let breach = same("", row(&[0.5, 1.000_001]), &row(&[0.5, 1.])?, rounding(4)).unwrap_err();
        assert_eq!(breach.expected, "[2] f32 [ 0.5    1 ]");
        assert!(breach.got.starts_with("[2] f32 [      0.5  1.000001 ]"), "{breach}");
        assert!(
            breach.got.contains("expected 1, got 1.000001; 9.537e-7 apart, 4.768e-7 allowed"),
            "{breach}"
        );
        Ok(())
    }

    #[test]
    fn what_came_instead_of_an_error_is_shown() -> Result<()> {
        let breach = refused("", "a hole", Ok(vec![3usize, 1])).unwrap_err();
        assert_eq!(breach.got, "a value: [3, 1]");
        let breach = refused("", "NaN", row(&[0.5])).unwrap_err();
        assert_eq!(breach.got, "a value: [1] f32 [ 0.5 ]");
        assert!(breach.alike(&Breach { got: "a value: [1] f32 [ 1 ]".into(), ..breach.clone() }));
        assert!(!breach.alike(&Breach::text("", &breach.expected, "a panic: no")));
        Ok(())
    }

    #[test]
    fn a_breach_is_told_in_one_line() -> Result<()> {
        let breach = same("", row(&[1., 3.]), &row(&[1., 2.])?, rounding(4)).unwrap_err();
        assert_eq!(breach.brief(), "differs at [1]: expected 2, got 3");
        let breach = finite("", row(&[1., f32::NAN])).unwrap_err();
        assert_eq!(breach.got, "[2] f32 [   1  NaN ]\n(not finite at [1])");
        assert_eq!(breach.brief(), "not finite at [1]");
        assert_eq!(Breach::text("", "two\nlines", "one").brief(), "expected two; got one");
        Ok(())
    }
}
