//! Numbers that are typed: whoever types another gets told what fits.

use std::fmt::Display;
use std::str::FromStr;

/// Reads a whole number from `least` to `most`.
pub fn whole<N>(
    least: N,
    most: N,
) -> impl Fn(&str) -> Result<N, String> + Clone + Send + Sync + 'static
where
    N: FromStr + PartialOrd + Display + Copy + Send + Sync + 'static,
{
    move |text| match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("expected a whole number from {least} to {most}")),
    }
}

/// Reads a number that `fits`; `expected` says in words which do.
pub fn number(
    fits: fn(f64) -> bool,
    expected: &'static str,
) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse() {
        Ok(number) if fits(number) => Ok(number),
        _ => Err(format!("expected {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_told_what_does() {
        let whole = whole(1, 32_usize);
        assert_eq!((whole("1"), whole("32")), (Ok(1), Ok(32)));
        let slips = ["0", "33", "-1", "1.5", "two", "", " 3", "99999999999999999999999"];
        for slip in slips {
            assert_eq!(whole(slip), Err("expected a whole number from 1 to 32".to_owned()));
        }
        let share = number(|share| (0. ..1.).contains(&share), "a share below 1");
        assert_eq!(share("0.5"), Ok(0.5));
        for slip in ["1", "-0.1", "NaN", "inf", "1e999", "x"] {
            assert_eq!(share(slip), Err("expected a share below 1".to_owned()), "{slip}");
        }
    }
}
