//! The figures of the page, from measurements.

use crate::experiment::{Measurement, Softness};
use figures::{Figure, FigureError, Lines};

/// The variance of q·k against the dimension, beside the theory's line.
pub fn variance(measurements: &[Measurement]) -> Result<Figure, FigureError> {
    let theory: Vec<_> = measurements.iter().map(|m| (m.head_dim, m.head_dim)).collect();
    let measured: Vec<_> = measurements.iter().map(|m| (m.head_dim, m.variance)).collect();
    Lines::new("The variance of a dot product is its dimension")
        .x("head_dim d")
        .y("variance of q·k")
        .log2_x()
        .log2_y()
        .theory("d", &theory)
        .points("measured", &measured)
        .alt("The measured variances of q·k lie close to the line variance = d, from d = 4 to d = 1024.")
        .draw()
}

/// The entropy of the weights against the dimension, with and without the scale.
pub fn entropy(measurements: &[Measurement], keys: usize) -> Result<Figure, FigureError> {
    let even = (keys as f64).ln();
    let theory: Vec<_> = measurements.iter().map(|m| (m.head_dim, even)).collect();
    lines("Without the scale, weights collapse onto one key", measurements, |s| s.entropy)
        .y("entropy of the weights (nats)")
        .y_range(0, even)
        .theory("all keys equal", &theory)
        .alt(
            "Entropy against head_dim. Divided by √d it stays near 3.7 nats, not far below the 4.16 of equal weights; \
             without the scale it falls from 3.0 at d = 4 to 0.1 at d = 1024.",
        )
        .draw()
}

/// The median norm of the gradient with respect to the logits against the dimension, with and without the scale.
pub fn gradient(measurements: &[Measurement]) -> Result<Figure, FigureError> {
    lines("Without the scale, the logits' gradient vanishes", measurements, |s| s.gradient)
        .y("median norm of the gradient")
        .log_y()
        .alt(
            "Median norm of the gradient with respect to the logits, against head_dim. Divided by √d it stays near 0.17; without the scale \
             it is larger up to d = 32, then falls, and is more than a thousand times smaller at d = 1024.",
        )
        .draw()
}

fn lines(title: &str, measurements: &[Measurement], of: impl Fn(&Softness) -> f64) -> Lines {
    let plain: Vec<_> = measurements.iter().map(|m| (m.head_dim, of(&m.plain))).collect();
    let scaled: Vec<_> = measurements.iter().map(|m| (m.head_dim, of(&m.scaled))).collect();
    Lines::new(title).x("head_dim d").log2_x().line("q·k / √d", &scaled).line("q·k", &plain)
}
