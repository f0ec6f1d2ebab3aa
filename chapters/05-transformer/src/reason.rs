//! What an error says.

use candle_core::Error;

/// The text of `error` without the backtrace that candle puts behind it when `RUST_BACKTRACE` is set.
pub fn reason(error: &Error) -> String {
    match error {
        Error::WithBacktrace { inner, .. } => reason(inner),
        other => other.to_string(),
    }
}
