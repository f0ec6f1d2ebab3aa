//! Printing small tensors so that two can be compared by eye.

use super::trace;
use candle_core::{DType, Result, Tensor};
use std::cell::RefCell;

/// More values than this are not printed: shape and type say more.
const PRINTED: usize = 48;
/// Significant digits of a number, as long as they tell apart what differs.
pub(super) const DIGITS: usize = 5;
/// Two f64 that differ do so in as many digits.
const ALL_DIGITS: usize = 17;
/// Two f32 that differ do so in as many digits.
const F32_DIGITS: usize = 9;

/// The shape, type and, when there are few, the values of a tensor.
///
/// One line for a vector; a matrix has one line a row; more dimensions are printed matrix by matrix.
pub fn tensor(tensor: &Tensor) -> String {
    tensor_to(tensor, DIGITS)
}

/// As [`tensor`] does, in at most `digits` significant digits.
pub(super) fn tensor_to(tensor: &Tensor, digits: usize) -> String {
    let head = format!("{:?} {:?}", tensor.dims(), tensor.dtype()).to_lowercase();
    match values(tensor) {
        Ok(values) if tensor.elem_count() <= PRINTED => {
            let texts: Vec<String> = values.iter().map(|&value| number_to(value, digits)).collect();
            format!("{head}{}", rows(tensor.dims(), &texts))
        }
        _ => head,
    }
}

/// Stands around the number of inputs that are held until their text is wanted: most laws hold, and nobody reads it.
const HELD: char = '\u{fffc}';

/// The named inputs of a call.
type Named = Vec<(String, Tensor)>;

thread_local! {
    static LAST_INPUTS: RefCell<String> = const { RefCell::new(String::new()) };
    static HELD_INPUTS: RefCell<Vec<Named>> = const { RefCell::new(Vec::new()) };
}

/// Named inputs of a call, one below the other. Laws call this before the answer, so that a panic finds them in
/// `last_inputs`. The text holds their place until `written` prints them.
pub fn inputs(named: &[(&str, &Tensor)]) -> String {
    let named = named.iter().map(|&(name, value)| (name.to_owned(), value.clone())).collect();
    remember(HELD_INPUTS.with_borrow_mut(|held| {
        held.push(named);
        format!("{HELD}{}{HELD}", held.len() - 1)
    }))
}

/// The inputs of a call that are not all tensors: returns the text, and keeps it for a panic.
pub fn remember(text: impl Into<String>) -> String {
    let text = text.into();
    trace::example(|| written(&text));
    LAST_INPUTS.set(text.clone());
    text
}

/// A text with the inputs of this law, printed, where they are held.
pub(super) fn written(text: &str) -> String {
    let part = |(at, part): (usize, &str)| match part.parse() {
        Ok(number) if at % 2 == 1 => printed(number),
        _ => part.to_owned(),
    };
    text.split(HELD).enumerate().map(part).collect()
}

fn printed(number: usize) -> String {
    HELD_INPUTS.with_borrow(|held| {
        let named = held.get(number).into_iter().flatten();
        let lines: Vec<String> =
            named.map(|(name, value)| format!("{name}: {}", tensor(value))).collect();
        lines.join("\n")
    })
}

/// The inputs of the last call on this thread.
pub(super) fn last_inputs() -> String {
    LAST_INPUTS.with_borrow(Clone::clone)
}

/// Forgets the inputs of the law before.
pub(super) fn forget_inputs() {
    LAST_INPUTS.take();
    HELD_INPUTS.take();
}

/// In how many digits two numbers that differ look different: five when that is enough.
pub(super) fn digits_apart(a: f64, b: f64) -> usize {
    let differs = |&digits: &usize| rounded(a, digits) != rounded(b, digits);
    (DIGITS..ALL_DIGITS).find(differs).unwrap_or(ALL_DIGITS)
}

/// Two numbers that differ, in as many digits as it takes to see it.
pub fn numbers_apart(a: f64, b: f64) -> [String; 2] {
    let digits = digits_apart(a, b);
    [a, b].map(|value| number_to(value, digits))
}

/// A value in at most five significant digits, without digits that say nothing.
pub fn number(value: f64) -> String {
    number_to(value, DIGITS)
}

/// As [`number`] does, in at most `digits` significant digits, or in as many more as f32 has where fewer would make a
/// whole number of one that is none: `[ 1  9.5e-7 ]` does not sum to 1, `[ 0.999999046  9.5e-7 ]` does.
fn number_to(value: f64, digits: usize) -> String {
    let text = rounded(value, digits);
    let whole = text.parse::<f64>().is_ok_and(|shown| shown.fract() == 0. && shown != value);
    // Large numbers are whole anyway, or as good as.
    if whole && value.abs() < 1e4 { rounded(value, digits.max(F32_DIGITS)) } else { text }
}

fn rounded(value: f64, digits: usize) -> String {
    if value == 0. || !value.is_finite() {
        return match value {
            v if v.is_nan() => "NaN".into(),
            v if v == f64::INFINITY => "inf".into(),
            v if v == f64::NEG_INFINITY => "-inf".into(),
            _ => "0".into(),
        };
    }
    let size = value.abs();
    if !(1e-4..1e6).contains(&size) {
        return format!("{value:.*e}", digits - 2);
    }
    let most = digits as i32;
    let decimals = (most - 1 - size.log10().floor() as i32).clamp(0, most + 1) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// All values as f64, row by row; u8 masks as 0 and 1.
pub fn values(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1()
}

fn rows(dims: &[usize], texts: &[String]) -> String {
    let width = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let line = |row: &[String]| {
        row.iter().map(|text| format!("{text:>width$}")).collect::<Vec<_>>().join("  ")
    };
    match dims {
        dims if dims.contains(&0) => " (empty)".into(),
        [] => format!(" {}", texts.concat()),
        [_] => format!(" [ {} ]", line(texts)),
        [.., matrix_rows, columns] => {
            let lines: Vec<String> = texts.chunks(*columns).map(line).collect();
            let matrices: Vec<String> = lines
                .chunks(*matrix_rows)
                .map(|matrix| matrix.iter().map(|row| format!("\n  [ {row} ]")).collect())
                .collect();
            matrices.join("\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn numbers_are_short_and_keep_five_digits() {
        let shown: Vec<String> =
            [0., 1., -0.5, 1. / 3., 12345.678, 1e-9, f64::NAN, f64::NEG_INFINITY]
                .map(number)
                .into();
        assert_eq!(shown, ["0", "1", "-0.5", "0.33333", "12346", "1.000e-9", "NaN", "-inf"]);
    }

    #[test]
    fn numbers_that_differ_look_different() {
        assert_eq!(numbers_apart(1., 2.), ["1", "2"]);
        assert_eq!(numbers_apart(0.25, 0.250_000_03), ["0.25", "0.25000003"]);
        assert_eq!(numbers_apart(1e-9, 1.00004e-9), ["1.00000e-9", "1.00004e-9"]);
        let [one, next] = numbers_apart(1., 1. + f64::EPSILON);
        assert_ne!(one, next);
    }

    #[test]
    fn what_is_nearly_a_whole_number_is_not_shown_as_one() -> Result<()> {
        assert_eq!(number(f64::from(1. - 8. * f32::EPSILON)), "0.999999046");
        assert_eq!(number(0.1 + 0.9 - f64::EPSILON), "1"); // in f32's digits it is
        let row = Tensor::new(&[1f32 - 8. * f32::EPSILON, 9.5e-7], &Device::Cpu)?;
        assert_eq!(tensor(&row), "[2] f32 [ 0.999999046     9.500e-7 ]");
        Ok(())
    }

    #[test]
    fn a_matrix_is_printed_row_by_row() -> Result<()> {
        let matrix = Tensor::new(&[[1f32, 0.5], [0., 10.]], &Device::Cpu)?;
        assert_eq!(tensor(&matrix), "[2, 2] f32\n  [   1  0.5 ]\n  [   0   10 ]");
        Ok(())
    }

    #[test]
    fn inputs_are_printed_when_their_text_is_wanted() -> Result<()> {
        let [one, two] = [1f32, 2.].map(|value| Tensor::new(&[value], &Device::Cpu));
        let (first, second) = (inputs(&[("a", &one?)]), inputs(&[("b", &two?)]));
        let text = format!("{second}\nscale: 3\n{first}");
        assert_eq!(written(&text), "b: [1] f32 [ 2 ]\nscale: 3\na: [1] f32 [ 1 ]");
        assert_eq!(written(&last_inputs()), "b: [1] f32 [ 2 ]");
        forget_inputs();
        assert_eq!(last_inputs(), "");
        Ok(())
    }

    #[test]
    fn a_large_or_empty_tensor_shows_its_shape() -> Result<()> {
        assert_eq!(tensor(&Tensor::zeros((7, 9), DType::F32, &Device::Cpu)?), "[7, 9] f32");
        assert_eq!(tensor(&Tensor::zeros((0, 3), DType::F32, &Device::Cpu)?), "[0, 3] f32 (empty)");
        Ok(())
    }
}
