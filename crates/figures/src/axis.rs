use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::text;

/// The largest number that an axis takes: differences of such numbers stay finite.
const LARGEST: f64 = 1e100;
/// Smaller differences than this are none.
const SMALLEST: f64 = 1e-100;

/// Whether an axis can show `value`.
pub(crate) fn can_show(value: f64) -> bool {
    value.is_finite() && value.abs() <= LARGEST
}

/// How an axis spaces its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    Log2,
    Log10,
}

impl Scale {
    pub(crate) fn is_log(self) -> bool {
        self != Self::Linear
    }

    /// Where `value` lies on the axis.
    pub(crate) fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log2 => value.log2(),
            Self::Log10 => value.log10(),
        }
    }

    fn value(self, place: f64) -> f64 {
        match self {
            Self::Linear => place,
            Self::Log2 => place.exp2(),
            Self::Log10 => 10f64.powf(place),
        }
    }
}

/// One axis: the places it spans and its labelled ticks.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub(crate) scale: Scale,
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) ticks: Vec<f64>,
    step: f64,
}

impl Axis {
    /// The axis for values from `low` to `high` with about `count` ticks; `roomy` leaves space beyond the values.
    pub(crate) fn new(scale: Scale, low: f64, high: f64, count: usize, roomy: bool) -> Self {
        let (mut from, mut to) = (scale.place(low), scale.place(high));
        // A wide axis that starts near zero starts at zero.
        if roomy && scale == Scale::Linear {
            if from > 0.0 && from < 0.4 * to {
                from = 0.0;
            } else if to < 0.0 && to > 0.4 * from {
                to = 0.0;
            }
        }
        if to - from <= (1e-9 * from.abs().max(to.abs())).max(SMALLEST) {
            let pad = if scale.is_log() || from.abs() < SMALLEST { 1.0 } else { from.abs() / 2.0 };
            (from, to) = (from - pad, to + pad);
        } else if roomy {
            let pad = 0.05 * (to - from);
            let keep = scale == Scale::Linear;
            (from, to) = (
                if keep && from == 0.0 { from } else { from - pad },
                if keep && to == 0.0 { to } else { to + pad },
            );
        }
        let mut step = step(to - from, count);
        let mut ticks = if scale.is_log() {
            step = step.max(1.0).ceil();
            multiples(from, to, step)
        } else {
            multiples(from, to, step)
        };
        // Fewer than three powers say little: add what lies between them.
        if ticks.len() < 3 && scale == Scale::Log10 {
            ticks = (from.floor() as i32..=to.ceil() as i32)
                .flat_map(|power| [1.0, 2.0, 5.0].map(|m: f64| m.log10() + f64::from(power)))
                .filter(|tick| (from..=to).contains(tick))
                .collect();
        }
        if ticks.len() < 2 && scale.is_log() {
            ticks = vec![from, to];
        }
        Self { scale, from, to, ticks, step }
    }

    /// The label of the tick at `place`.
    pub(crate) fn label(&self, place: f64) -> String {
        let value = self.scale.value(place);
        match self.scale {
            Scale::Linear if self.from.abs().max(self.to.abs()) >= 1e6 || self.step < 1e-4 => {
                if place.abs() < self.step / 2.0 {
                    "0".to_string()
                } else {
                    text::power_of_ten(value)
                }
            }
            Scale::Linear => text::fixed(value, decimals(self.step)),
            // All ticks in one way: 128, 256, 512 or 2¹⁰, 2¹⁵, 2²⁰.
            Scale::Log2 if place.fract() == 0.0 && self.to > 17.5 => {
                format!("2{}", text::superscript(&format!("{place}")))
            }
            Scale::Log2 if place.fract() == 0.0 && place >= 0.0 => format!("{value}"),
            _ => text::number(if value >= 100.0 { value.round() } else { value }),
        }
    }

    /// Ticks from `from` to `to` as far apart as this axis' own.
    pub(crate) fn same_ticks(&self, from: f64, to: f64) -> Vec<f64> {
        multiples(from, to, self.step)
    }

    /// How wide the widest tick label is.
    pub(crate) fn label_width(&self, size: f64) -> f64 {
        let labels: Vec<String> = self.ticks.iter().map(|&tick| self.label(tick)).collect();
        text::widest(&labels, size)
    }
}

/// plotters' view of the axis: its values are places.
impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, limit: (i32, i32)) -> i32 {
        let part = (place - self.from) / (self.to - self.from);
        limit.0 + (part * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, place: &f64) -> String {
        self.label(*place)
    }
}

/// 1, 2 or 5 times a power of ten, so that `range` holds about `count` of it.
fn step(range: f64, count: usize) -> f64 {
    let rough = range / count.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let factor = match rough / power {
        f if f < 1.5 => 1.0,
        f if f < 3.5 => 2.0,
        f if f < 7.5 => 5.0,
        _ => 10.0,
    };
    factor * power
}

fn multiples(from: f64, to: f64, step: f64) -> Vec<f64> {
    let slack = 1e-6;
    let first = (from / step - slack).ceil() as i64;
    let last = (to / step + slack).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Digits after the point that tell multiples of `step` apart.
fn decimals(step: f64) -> usize {
    (-step.log10() - 1e-9).ceil().max(0.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks.iter().map(|&tick| axis.label(tick)).collect()
    }

    #[test]
    fn a_linear_axis_has_round_ticks_and_starts_at_zero() {
        let axis = Axis::new(Scale::Linear, 0.02, 1.0, 5, true);
        assert_eq!(labels(&axis), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        let axis = Axis::new(Scale::Linear, -3.0, 3.0, 6, false);
        assert_eq!(labels(&axis), ["−3", "−2", "−1", "0", "1", "2", "3"]);
    }

    #[test]
    fn logarithmic_axes_tick_at_powers() {
        let axis = Axis::new(Scale::Log2, 8.0, 128.0, 6, false);
        assert_eq!(labels(&axis), ["8", "16", "32", "64", "128"]);
        let axis = Axis::new(Scale::Log10, 1e-5, 1.0, 6, false);
        assert_eq!(labels(&axis), ["10⁻⁵", "10⁻⁴", "0.001", "0.01", "0.1", "1"]);
        let axis = Axis::new(Scale::Log10, 1.0, 30.0, 6, false);
        assert_eq!(labels(&axis), ["1", "2", "5", "10", "20"]);
    }

    #[test]
    fn powers_of_two_are_written_in_one_way() {
        let axis = Axis::new(Scale::Log2, 32768.0, 131072.0, 6, false);
        assert_eq!(labels(&axis), ["32768", "65536", "131072"]);
        let axis = Axis::new(Scale::Log2, 1.0, 2f64.powi(20), 4, false);
        assert_eq!(labels(&axis), ["2⁰", "2⁵", "2¹⁰", "2¹⁵", "2²⁰"]);
    }

    #[test]
    fn a_single_value_still_spans_an_axis() {
        for value in [0.0, 7.0, -2.0] {
            let axis = Axis::new(Scale::Linear, value, value, 5, true);
            assert!(axis.from < value && value < axis.to && axis.ticks.len() > 1);
        }
    }
}
