//! The libraries' events in Python's `logging`, under the logger `micse`.

use std::fmt::{Debug, Write};
use std::sync::Once;

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Sends events to `logging` from now on. The command has its own log, so this is not done when the module is loaded.
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    // Fails only if there is a subscriber already, and that one keeps the events.
    STARTED.call_once(|| drop(tracing::subscriber::set_global_default(ToPython)));
}

struct ToPython;

/// The number of a level in `logging`.
fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG => 10,
        Level::TRACE => 5,
    }
}

/// The text of an event: its message, then its other fields.
#[derive(Default)]
struct Line(String, String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing into a String cannot fail.
        let _ = if field.name() == "message" {
            write!(self.0, "{value:?}")
        } else {
            write!(self.1, " {}={value:?}", field.name())
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = if field.name() == "message" {
            self.0.write_str(value)
        } else {
            write!(self.1, " {}={value}", field.name())
        };
    }
}

impl Subscriber for ToPython {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Other libraries' events below a warning say nothing to a user.
        metadata.is_event() && (metadata.target().starts_with("micse") || *metadata.level() <= Level::WARN)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let level = number(*event.metadata().level());
        Python::attach(|py| {
            // A log that cannot be written must not stop the work.
            let logger =
                py.import("logging").and_then(|logging| logging.call_method1("getLogger", ("micse",)));
            drop(logger.and_then(|logger| logger.call_method1("log", (level, "%s", line.0 + &line.1))));
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
