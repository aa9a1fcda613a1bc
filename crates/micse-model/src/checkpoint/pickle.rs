//! The part of Python's pickle format that PyTorch uses for a table of tensors. Nothing is looked up, called
//! or built: classes are names, and calls are stored as (name, arguments).
//!
//! All values are in one flat list and refer to each other by index, so that deep nesting or sharing in an
//! untrusted file costs neither stack nor memory beyond the length of the file.

use std::collections::HashMap;

/// The index of a value.
pub(super) type Id = usize;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// None, a float, bytes: nothing that tables of tensors need.
    Other,
    Int(i64),
    Text(String),
    /// A class or function, by module and name.
    Global(String, String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A call: the callable, and its arguments.
    Call(Id, Id),
    /// An object outside the pickle: a storage.
    Persistent(Id),
}

/// All values of a pickle, and its root.
pub(super) struct Pickle {
    values: Vec<Value>,
    pub(super) root: Id,
}

impl Pickle {
    pub(super) fn get(&self, id: Id) -> &Value {
        &self.values[id]
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn int(&self, id: Id) -> Option<i64> {
        match self.get(id) {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    pub(super) fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Tuple(ids) => Some(ids),
            _ => None,
        }
    }
}

/// An entry of the stack.
#[derive(Clone, Copy)]
enum Item {
    Mark,
    Value(Id),
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value>,
    stack: Vec<Item>,
    memo: HashMap<u64, Id>,
}

type Step<T> = Result<T, String>;

/// Reads a pickle to its end.
pub(super) fn read(bytes: &[u8]) -> Result<Pickle, String> {
    let mut machine = Machine { bytes, at: 0, values: Vec::new(), stack: Vec::new(), memo: HashMap::new() };
    loop {
        let at = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok(Pickle { values: machine.values, root }),
            Err(reason) => return Err(format!("the pickle is not valid at byte {at}: {reason}")),
        }
    }
}

impl Machine<'_> {
    fn take(&mut self, count: usize) -> Step<&[u8]> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or("unexpected end")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// Reads a little-endian number of this many bytes.
    fn number(&mut self, bytes: usize) -> Step<u64> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte)))
    }

    fn text(&mut self, bytes: u64) -> Step<Value> {
        let bytes = usize::try_from(bytes).map_err(|_| "unexpected end")?;
        let text = std::str::from_utf8(self.take(bytes)?).map_err(|e| e.to_string())?;
        Ok(Value::Text(text.to_owned()))
    }

    fn line(&mut self) -> Step<String> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&byte| byte == b'\n').ok_or("unexpected end")?;
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        self.at += end + 1;
        Ok(line)
    }

    fn push(&mut self, value: Value) {
        self.values.push(value);
        self.stack.push(Item::Value(self.values.len() - 1));
    }

    fn pop(&mut self) -> Step<Id> {
        match self.stack.pop() {
            Some(Item::Value(id)) => Ok(id),
            _ => Err("missing value".into()),
        }
    }

    fn top(&self) -> Step<Id> {
        match self.stack.last() {
            Some(Item::Value(id)) => Ok(*id),
            _ => Err("missing value".into()),
        }
    }

    /// Removes and returns the values above the last mark, and removes the mark.
    fn pop_to_mark(&mut self) -> Step<Vec<Id>> {
        let mark = self.stack.iter().rposition(|item| matches!(item, Item::Mark));
        let above = self.stack.split_off(mark.ok_or("missing mark")?);
        Ok(above
            .into_iter()
            .filter_map(|item| if let Item::Value(id) = item { Some(id) } else { None })
            .collect())
    }

    fn pop_tuple(&mut self, count: usize) -> Step<()> {
        let mut ids = (0..count).map(|_| self.pop()).collect::<Step<Vec<Id>>>()?;
        ids.reverse();
        self.push(Value::Tuple(ids));
        Ok(())
    }

    fn append(&mut self, new: Vec<Id>) -> Step<()> {
        let list = self.top()?;
        match &mut self.values[list] {
            Value::List(ids) => ids.extend(new),
            _ => return Err("append to something other than a list".into()),
        }
        Ok(())
    }

    fn insert(&mut self, new: &[Id]) -> Step<()> {
        let dict = self.top()?;
        if !new.len().is_multiple_of(2) {
            return Err("key without a value".into());
        }
        match &mut self.values[dict] {
            Value::Dict(entries) => entries.extend(new.chunks_exact(2).map(|pair| (pair[0], pair[1]))),
            _ => return Err("key set in something other than a dict".into()),
        }
        Ok(())
    }

    /// A call. An ordered dict starts as a call of its class.
    fn call(&mut self) -> Step<()> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let ordered = matches!(&self.values[callee],
            Value::Global(module, name) if module == "collections" && name == "OrderedDict");
        self.push(if ordered { Value::Dict(Vec::new()) } else { Value::Call(callee, arguments) });
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Step<()> {
        let id = *self.memo.get(&key).ok_or("reference to an unknown value")?;
        self.stack.push(Item::Value(id));
        Ok(())
    }

    fn store(&mut self, key: u64) -> Step<()> {
        let id = self.top()?;
        self.memo.insert(key, id);
        Ok(())
    }

    /// Executes one instruction; returns the root if it was the last.
    fn step(&mut self) -> Step<Option<Id>> {
        match self.number(1)? as u8 {
            b'.' => return self.pop().map(Some),
            // Protocol and frame carry no values.
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'(' => self.stack.push(Item::Mark),
            // Popped; or an object's state, which in tables of tensors is only a version.
            b'0' | b'b' => drop(self.pop()?),
            b'N' | 0x88 | 0x89 => self.push(Value::Other),
            b'K' => {
                let n = self.number(1)?;
                self.push(Value::Int(n as i64));
            }
            b'M' => {
                let n = self.number(2)?;
                self.push(Value::Int(n as i64));
            }
            b'J' => {
                let n = self.number(4)?;
                self.push(Value::Int(i64::from(n as u32 as i32)));
            }
            0x8A => self.long()?,
            b'G' => {
                self.take(8)?;
                self.push(Value::Other);
            }
            b'X' => {
                let bytes = self.number(4)?;
                let text = self.text(bytes)?;
                self.push(text);
            }
            0x8C => {
                let bytes = self.number(1)?;
                let text = self.text(bytes)?;
                self.push(text);
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(module, name));
            }
            0x93 => self.stack_global()?,
            b'q' => {
                let key = self.number(1)?;
                self.store(key)?;
            }
            b'r' => {
                let key = self.number(4)?;
                self.store(key)?;
            }
            0x94 => self.store(self.memo.len() as u64)?,
            b'h' => {
                let key = self.number(1)?;
                self.recall(key)?;
            }
            b'j' => {
                let key = self.number(4)?;
                self.recall(key)?;
            }
            b')' => self.push(Value::Tuple(Vec::new())),
            0x85 => self.pop_tuple(1)?,
            0x86 => self.pop_tuple(2)?,
            0x87 => self.pop_tuple(3)?,
            b't' => {
                let ids = self.pop_to_mark()?;
                self.push(Value::Tuple(ids));
            }
            b']' => self.push(Value::List(Vec::new())),
            b'a' => {
                let id = self.pop()?;
                self.append(vec![id])?;
            }
            b'e' => {
                let ids = self.pop_to_mark()?;
                self.append(ids)?;
            }
            b'}' => self.push(Value::Dict(Vec::new())),
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(&[key, value])?;
            }
            b'u' => {
                let ids = self.pop_to_mark()?;
                self.insert(&ids)?;
            }
            b'R' | 0x81 => self.call()?,
            b'Q' => {
                let id = self.pop()?;
                self.push(Value::Persistent(id));
            }
            other => return Err(format!("unexpected instruction {other:#04x} in a table of tensors")),
        }
        Ok(None)
    }

    /// Reads a two's complement number of at most 8 bytes.
    fn long(&mut self) -> Step<()> {
        let bytes = self.number(1)? as usize;
        if bytes > 8 {
            return Err(format!("unsupported number of {bytes} bytes"));
        }
        let n = self.number(bytes)? as i64;
        let unused = 64 - 8 * bytes as u32;
        self.push(Value::Int(if bytes == 0 { 0 } else { n << unused >> unused }));
        Ok(())
    }

    fn stack_global(&mut self) -> Step<()> {
        let (name, module) = (self.pop()?, self.pop()?);
        let (Value::Text(module), Value::Text(name)) = (&self.values[module], &self.values[name]) else {
            return Err("class without a name".into());
        };
        let class = Value::Global(module.clone(), name.clone());
        self.push(class);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_and_nested_values_cost_what_the_file_is_long() {
        // A pair of itself, nested 10,000 times: expanded, it would have 2^10000 leaves.
        let mut bytes = b"\x80\x02K\x01q\x00".to_vec();
        for _ in 0..10_000 {
            bytes.extend(b"0h\x00h\x00\x86q\x00");
        }
        bytes.push(b'.');
        let pickle = read(&bytes).expect("a pickle");
        assert_eq!(pickle.values.len(), 10_001);
        // Tuples in tuples, a million levels deep.
        let deep = [&b"K\x01"[..], &vec![0x85; 1_000_000], b"."].concat();
        assert_eq!(read(&deep).expect("a pickle").values.len(), 1_000_001);
    }

    #[test]
    fn numbers_are_signed_and_what_is_cut_off_is_refused() {
        for (bytes, want) in [
            (&b"J\xFE\xFF\xFF\xFF."[..], -2),
            (b"\x8A\x01\xFF.", -1),
            (b"\x8A\x02\x00\x80.", -32768),
            (b"\x8A\x00.", 0),
            (b"M\x00\xFF.", 65280),
        ] {
            let pickle = read(bytes).expect("a pickle");
            assert_eq!(pickle.int(pickle.root), Some(want));
            for length in 0..bytes.len() {
                assert!(read(&bytes[..length]).is_err());
            }
        }
        // A string with an announced length of 4 GB; a system call, which must stay a name.
        assert!(read(b"X\xFF\xFF\xFF\xFFab.").is_err());
        let pickle = read(b"cos\nsystem\nX\x02\x00\x00\x00ls\x85R.").expect("a pickle");
        assert!(matches!(pickle.get(pickle.root), Value::Call(..)));
    }
}
