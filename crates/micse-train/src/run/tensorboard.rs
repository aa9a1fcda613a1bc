//! `events.out.tfevents.micse`: the lines of `metrics.jsonl` as TensorBoard reads them.
//!
//! Every number of a line becomes a scalar named after its key (`loss`, `learning_rate`); numbers in a nested object
//! are named after both keys (`terms/infonce`). The file is a function of `metrics.jsonl` and of the time when the run
//! first began: a line's time is that time plus the seconds of training up to the line, computed from the speeds in the
//! lines. A resumed run can therefore rebuild the file, and pauses between two starts do not appear in its curves.
//!
//! A file is a sequence of records, each `length u64 | masked CRC-32C of the length | payload | masked CRC-32C of the
//! payload`, little-endian; a payload is TensorFlow's protocol buffer `Event`, of which this writes
//!
//! ```text
//! Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
//! Summary { repeated Value value = 1; }
//! Value   { string tag = 1; float simple_value = 2; }
//! ```

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use micse_files::write_whole;
use serde_json::Value;

use crate::{Error, Result};

/// The first record, by which readers recognize the format.
const VERSION: &str = "brain.Event:2";
/// Bytes of a record before its payload.
const HEAD: usize = 12;

// Wire types: the encoding of a field's value, stored in the key before it.
const VARINT: u8 = 0;
const EIGHT_BYTES: u8 = 1;
const BYTES: u8 = 2;
const FOUR_BYTES: u8 = 5;

const fn key(field: u8, kind: u8) -> u8 {
    (field << 3) | kind
}

/// An event file that follows a `metrics.jsonl`.
pub(super) struct Events {
    path: PathBuf,
    file: File,
    timeline: Timeline,
}

impl Events {
    /// Rebuilds the file from the lines of a `metrics.jsonl`, and keeps it open for more lines. The time when the run
    /// began is kept from an earlier file.
    pub(super) fn renew(path: &Path, metrics: &str) -> Result<Self> {
        let started = match std::fs::read(path) {
            Ok(bytes) => start_of(&bytes),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(Error::io(path)(e)),
        };
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let mut timeline = Timeline { time: started.unwrap_or_else(now), step: 0 };
        let mut bytes = record(&event(timeline.time, 0, 3, VERSION.as_bytes()));
        for line in metrics.lines() {
            let line = serde_json::from_str(line)
                .map_err(|e| Error::run(path, format!("a line of metrics.jsonl is not valid JSON: {e}")))?;
            bytes.extend(timeline.record(&line));
        }
        write_whole(path, &bytes)?;
        let file = File::options().append(true).open(path).map_err(Error::io(path))?;
        Ok(Self { path: path.into(), file, timeline })
    }

    /// Adds a line of `metrics.jsonl`.
    pub(super) fn add(&mut self, line: &Value) -> Result<()> {
        self.file.write_all(&self.timeline.record(line)).map_err(Error::io(&self.path))
    }
}

/// Time and step of the last line.
struct Timeline {
    /// Seconds since 1970, without pauses.
    time: f64,
    step: u64,
}

impl Timeline {
    /// A line as a record. A line without a speed (the first line of a start) takes no time.
    fn record(&mut self, line: &Value) -> Vec<u8> {
        let step = line["step"].as_u64().unwrap_or(self.step);
        let sentences = step.saturating_sub(self.step) as f64 * line["sentences"].as_f64().unwrap_or(0.0);
        if let Some(rate) = line["sentences_per_s"].as_f64().filter(|&rate| rate > 0.0) {
            self.time += sentences / rate;
        }
        self.step = step;
        let mut summary = Vec::new();
        scalars("", line, &mut |tag, value| {
            let mut scalar = Vec::new();
            bytes_field(&mut scalar, 1, tag.as_bytes());
            scalar.push(key(2, FOUR_BYTES));
            scalar.extend((value as f32).to_le_bytes());
            bytes_field(&mut summary, 1, &scalar);
        });
        record(&event(self.time, step, 5, &summary))
    }
}

/// Passes every number of a line except the step to `tell`; numbers that are not finite are `null` in JSON.
fn scalars(prefix: &str, values: &Value, tell: &mut impl FnMut(&str, f64)) {
    for (key, value) in values.as_object().into_iter().flatten() {
        let tag = if prefix.is_empty() { key.clone() } else { format!("{prefix}/{key}") };
        match value.as_f64() {
            Some(number) if tag != "step" => tell(&tag, number),
            _ => scalars(&tag, value, tell),
        }
    }
}

/// An `Event` with one field of bytes.
fn event(time: f64, step: u64, field: u8, content: &[u8]) -> Vec<u8> {
    let mut event = vec![key(1, EIGHT_BYTES)];
    event.extend(time.to_le_bytes());
    // A field with its default, 0, is omitted.
    if step > 0 {
        event.push(key(2, VARINT));
        varint(&mut event, step);
    }
    bytes_field(&mut event, field, content);
    event
}

fn bytes_field(into: &mut Vec<u8>, field: u8, content: &[u8]) {
    into.push(key(field, BYTES));
    varint(into, content.len() as u64);
    into.extend(content);
}

/// Seven bits per byte, the lowest first; the eighth means that more follow.
fn varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

fn record(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend(masked_crc(&length));
    record.extend(payload);
    record.extend(masked_crc(payload));
    record
}

/// The CRC-32C of bytes, rotated and shifted as TFRecord requires, so that a CRC of bytes that contain CRCs is safe.
fn masked_crc(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// The time of a file's first record, if the record is complete.
fn start_of(bytes: &[u8]) -> Option<f64> {
    let length = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    let end = HEAD.checked_add(usize::try_from(length).ok()?)?;
    let payload = bytes.get(HEAD..end)?;
    let whole = bytes.get(end..end.checked_add(4)?)? == masked_crc(payload);
    let time = f64::from_le_bytes(payload.get(1..9)?.try_into().ok()?);
    (whole && payload[0] == key(1, EIGHT_BYTES) && time.is_finite()).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that TensorBoard's own `RecordWriter` and protocol buffers (2.21) write for a version event at 1.7e9,
    /// and for an event half a second later with the step 300 and two scalars.
    const GOLDEN: &str = "1800000000000000a37f4b220900000040fc54d9411a0d627261696e2e4576656e743a32eced8f9d31\
        000000000000009d8383e90900002040fc54d94110ac022a230a0b0a046c6f7373150000803e0a140a0d7465726d732f696e666f6e6365\
        156f1283bae2eaaf9e";

    fn golden() -> Vec<u8> {
        let byte = |at: usize| u8::from_str_radix(&GOLDEN[at..at + 2], 16).unwrap();
        (0..GOLDEN.len()).step_by(2).map(byte).collect()
    }

    #[test]
    fn bytes_are_those_of_tensorboard() {
        let golden = golden();
        assert_eq!(start_of(&golden), Some(1.7e9));
        let folder = tempfile::tempdir().unwrap();
        let path = micse_files::RunFolder::new(folder.path()).events();
        // The time of the earlier file is kept.
        std::fs::write(&path, &golden).unwrap();
        let mut events = Events::renew(&path, "").unwrap();
        // 300 steps of 2 sentences at 1,200 per second take half a second; the golden bytes omit these two scalars.
        let mut line = serde_json::json!({"step": 300, "sentences": 2, "sentences_per_s": 1200.0});
        events.timeline.record(&line);
        assert_eq!(events.timeline.time, 1.7e9 + 0.5);
        for key in ["sentences", "sentences_per_s"] {
            line.as_object_mut().unwrap().remove(key);
        }
        line["loss"] = 0.25.into();
        line["uniformity"] = Value::Null;
        line["terms"] = serde_json::json!({"infonce": -1e-3});
        events.add(&line).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), golden);
    }

    #[test]
    fn a_renewed_file_is_the_one_that_grew() {
        let folder = tempfile::tempdir().unwrap();
        let path = micse_files::RunFolder::new(folder.path()).events();
        let lines = [
            r#"{"step":1,"loss":2.5,"sentences":64}"#,
            r#"{"step":10,"loss":2.0,"sentences":64,"sentences_per_s":100.5,"terms":{"infonce":1.0,"ami":-0.5}}"#,
            r#"{"step":20,"loss":1e-3,"sentences":64,"sentences_per_s":99.5,"development_spearman":71.25}"#,
        ];
        let mut grown = Events::renew(&path, "").unwrap();
        for line in lines {
            grown.add(&serde_json::from_str(line).unwrap()).unwrap();
        }
        let bytes = std::fs::read(&path).unwrap();
        for cut in [0, 3, 20] {
            // A truncated last record is ignored.
            std::fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
            Events::renew(&path, &lines.join("\n")).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
        assert!(Events::renew(&path, "{").is_err());
    }

    #[test]
    fn a_damaged_beginning_has_no_moment() {
        let golden = golden();
        for cut in [0, 7, 11, 20, 39] {
            assert_eq!(start_of(&golden[..cut]), None, "{cut} bytes");
        }
        for place in [0, 7, 12, 15, 36] {
            let mut damaged = golden.clone();
            damaged[place] ^= 0x40;
            assert_eq!(start_of(&damaged), None, "byte {place}");
        }
    }
}
