//! What else differs between two compared methods.

use std::fmt;

use crate::results::{Method, NONE, Results};

/// What can differ between two methods of a sweep besides the method itself: their difference is then not the method's
/// alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// They start from different encoders.
    pub encoder: bool,
    /// They train on different corpora.
    pub corpus: bool,
}

impl Setup {
    /// Compares two methods of a sweep by the names of their encoders and corpora. A method without training has no
    /// corpus that could differ.
    pub(crate) fn between(results: &Results, method: &str, other: &str) -> Self {
        let find = |name: &str| results.methods.iter().find(|known| known.name == name);
        let (Some(method), Some(other)) = (find(method), find(other)) else { return Self::default() };
        let trains = |method: &Method| method.train_text != NONE;
        // Word vectors have no encoder: that is the method.
        let encodes = |method: &Method| method.encoder != NONE;
        Self {
            encoder: method.encoder != other.encoder && encodes(method) && encodes(other),
            corpus: method.own_corpus != other.own_corpus && trains(method) && trains(other),
        }
    }

    /// Whether nothing differs.
    pub fn is_same(self) -> bool {
        self == Self::default()
    }
}

/// `encoder`, `corpus`, `encoder, corpus`, or nothing.
impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.encoder, self.corpus) {
            (true, true) => "encoder, corpus",
            (true, false) => "encoder",
            (false, true) => "corpus",
            (false, false) => "",
        })
    }
}
