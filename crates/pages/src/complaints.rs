//! What mdBook complains of: printed, and counted.

use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// From now on, warnings and errors are printed on standard error.
pub fn listen() {
    // Somebody else may be listening already, in a test.
    let _ = tracing::subscriber::set_global_default(Complaints);
}

/// How many there were.
pub fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

struct Complaints;

impl Subscriber for Complaints {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        COUNT.fetch_add(1, Ordering::Relaxed);
        eprintln!("{}: {}", event.metadata().level(), text.0.trim());
    }

    // Spans say where in the program one is; nobody asks.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The message of an event, then its fields.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing into a `String` does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?} "),
            name => write!(self.0, "{name}: {value:?} "),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_counted_and_progress_is_not() {
        tracing::subscriber::with_default(Complaints, || {
            let before = count();
            tracing::info!("Book building has started");
            assert_eq!(count(), before);
            tracing::warn!(page = 3, "no such file");
            assert_eq!(count(), before + 1);
        });
    }
}
