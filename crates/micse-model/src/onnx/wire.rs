//! Protobuf's wire format, as far as an ONNX file needs it.
//!
//! Written here rather than generated: the nine messages of a file are a list of numbered fields each, so a derive with
//! its crates (prost, prost-derive, itertools, ...) would cost more to build than these lines to read.

/// A message under construction: fields in the order of the calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

/// The type of a field's value on the wire.
const VARINT: u64 = 0;
const LENGTH: u64 = 2;
const FIXED32: u64 = 5;

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn key(&mut self, field: u64, kind: u64) {
        self.varint(field << 3 | kind);
    }

    /// An integer or an enumerator.
    pub(super) fn int(mut self, field: u64, value: i64) -> Self {
        self.key(field, VARINT);
        self.varint(value.cast_unsigned());
        self
    }

    pub(super) fn float(mut self, field: u64, value: f32) -> Self {
        self.key(field, FIXED32);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self = self.begin(field, value.len());
        self.0.extend(value);
        self
    }

    pub(super) fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    /// A message within this one. The inner one is dropped at once, because it may contain a table of hundreds of
    /// megabytes.
    #[expect(clippy::needless_pass_by_value, reason = "see above")]
    pub(super) fn message(self, field: u64, value: Self) -> Self {
        self.bytes(field, &value.0)
    }

    /// The beginning of a field of `length` bytes, which the caller adds.
    pub(super) fn begin(mut self, field: u64, length: usize) -> Self {
        self.key(field, LENGTH);
        self.varint(length as u64);
        self
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
