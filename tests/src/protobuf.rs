//! Reads protobuf's wire format, from its definition.

/// The value of a field.
enum Field<'a> {
    Number(u64),
    Float(f32),
    Bytes(&'a [u8]),
}

/// The fields of a message by number, in order.
pub struct Message<'a>(Vec<(u64, Field<'a>)>);

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (&byte, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

impl<'a> Message<'a> {
    /// Reads a message.
    ///
    /// # Panics
    /// If the bytes are not a message.
    pub fn of(mut bytes: &'a [u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let value = match key & 7 {
                0 => Field::Number(varint(&mut bytes)),
                2 => {
                    let length = varint(&mut bytes) as usize;
                    let (value, rest) = bytes.split_at(length);
                    bytes = rest;
                    Field::Bytes(value)
                }
                5 => {
                    let (value, rest) = bytes.split_first_chunk().expect("four bytes");
                    bytes = rest;
                    Field::Float(f32::from_le_bytes(*value))
                }
                kind => panic!("a field of kind {kind}"),
            };
            fields.push((key >> 3, value));
        }
        Self(fields)
    }

    fn all<'b, T>(&'b self, number: u64, of: impl Fn(&'b Field<'a>) -> Option<T>) -> Vec<T> {
        self.0.iter().filter(|(field, _)| *field == number).filter_map(|(_, value)| of(value)).collect()
    }

    /// The numbers of a field.
    pub fn numbers(&self, number: u64) -> Vec<u64> {
        self.all(number, |value| if let Field::Number(value) = value { Some(*value) } else { None })
    }

    /// The floats of a field.
    pub fn floats(&self, number: u64) -> Vec<f32> {
        self.all(number, |value| if let Field::Float(value) = value { Some(*value) } else { None })
    }

    /// The bytes of a field.
    pub fn bytes(&self, number: u64) -> Vec<&'a [u8]> {
        self.all(number, |value| if let Field::Bytes(value) = value { Some(*value) } else { None })
    }

    /// The texts of a field.
    ///
    /// # Panics
    /// If one is not UTF-8.
    pub fn texts(&self, number: u64) -> Vec<String> {
        self.bytes(number).into_iter().map(|text| String::from_utf8(text.into()).expect("UTF-8")).collect()
    }

    /// The last text of a field.
    ///
    /// # Panics
    /// If there is none.
    pub fn text(&self, number: u64) -> String {
        self.texts(number).pop().expect("a text")
    }

    /// The messages of a field.
    pub fn messages(&self, number: u64) -> Vec<Self> {
        self.bytes(number).into_iter().map(Self::of).collect()
    }
}
