//! Why an edge matters: what goes wrong in practice when it does not hold. A learner reads it below the law.

/// Nothing to compute.
pub const EMPTY: &str = "filters, caches and the last batch of a data set produce empty tensors; an error or a panic there ends a run that took hours.";
/// One of everything.
pub const ONE: &str = "a prompt of one token, a single head, a last batch of one row: this is where squeezed dimensions and off-by-one bounds show up.";
/// Numbers far from 1.
pub const HUGE: &str = "in training, logits grow until one of them is huge; a formula that is right on paper then gives inf or NaN, and the run is lost.";
/// Infinities and NaN.
pub const NOT_FINITE: &str = "masks put −∞ into scores, and a NaN that is hidden or passed on shows up many layers later, far from its cause.";
/// f64 stays f64.
pub const DOUBLE: &str = "gradients are checked by differences in f64; a single detour through f32 buries them in rounding noise.";
/// f16 and bf16.
pub const HALF: &str = "models run in f16 and bf16: f16 is infinite above 65,504 and 0 below 6·10⁻⁸, bf16 has two or three digits.";
/// Input that means nothing here.
pub const REFUSED: &str = "bad input that goes through gives wrong numbers silently; an error names the mistake where it was made.";
/// Shapes that do not fit.
pub const STRETCHED: &str = "broadcasting stretches what does not fit, and the numbers are then silently wrong; an error names the mistake where it was made.";
/// Strides and offsets.
pub const VIEW: &str = "heads, slices and transposes are views; code that reads memory in order is right only for contiguous tensors.";
/// Counts that outgrow their type.
pub const COUNT: &str = "a sum keeps the type of what it sums: a u8 wraps at 256, a u32 at four billion, without an error.";
/// An error of what was called.
pub const PASSED_ON: &str =
    "an error that is swallowed turns into a wrong answer; `?` hands it to whoever can act on it.";
/// None of the others.
pub const LIMIT: &str = "indices, bounds and divisions go wrong at the ends of their range first.";
