//! Distinct words in one buffer, numbered in order of insertion.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A free slot in the index.
const FREE: u32 = u32::MAX;

/// Words and their numbers. A word takes at most 16 bytes in addition to its text, because there can be millions.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    text: String,
    /// Where each word ends in `text`.
    ends: Vec<usize>,
    /// Hash table with linear probing, at most half full; its length is a power of two.
    slots: Vec<u32>,
}

impl Words {
    pub(crate) fn new() -> Self {
        Self { text: String::new(), ends: Vec::new(), slots: vec![FREE; 16] }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Word number i.
    pub(crate) fn get(&self, i: usize) -> &str {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.text[start..self.ends[i]]
    }

    /// The number of a word.
    pub(crate) fn find(&self, word: &str) -> Option<usize> {
        let found = self.slots[self.slot(word)];
        (found != FREE).then_some(found as usize)
    }

    /// The number of a word, and whether the word is new.
    pub(crate) fn insert(&mut self, word: &str) -> (usize, bool) {
        let slot = self.slot(word);
        if self.slots[slot] != FREE {
            return (self.slots[slot] as usize, false);
        }
        let number = self.len();
        assert!(number < FREE as usize, "more than 2^32 - 1 words");
        self.slots[slot] = number as u32;
        self.text.push_str(word);
        self.ends.push(self.text.len());
        if 2 * self.len() > self.slots.len() {
            self.grow();
        }
        (number, true)
    }

    /// The slot of a word in the table, or the free slot where it would be inserted.
    fn slot(&self, word: &str) -> usize {
        let mask = self.slots.len() - 1;
        let mut hasher = DefaultHasher::new();
        word.hash(&mut hasher);
        let mut slot = hasher.finish() as usize & mask;
        while self.slots[slot] != FREE && self.get(self.slots[slot] as usize) != word {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        self.slots = vec![FREE; 4 * self.slots.len()];
        for number in 0..self.len() {
            let slot = self.slot(self.get(number));
            self.slots[slot] = number as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn words_are_numbered_as_they_come(words in proptest::collection::vec("[a-d]{0,3}", 0..300)) {
            let mut table = Words::new();
            let mut order: Vec<&str> = Vec::new();
            for word in &words {
                let expected = order.iter().position(|w| w == word);
                proptest::prop_assert_eq!(table.find(word), expected);
                let (number, new) = table.insert(word);
                proptest::prop_assert_eq!((number, new), (expected.unwrap_or(order.len()), expected.is_none()));
                if new {
                    order.push(word);
                }
            }
            proptest::prop_assert_eq!(table.len(), order.len());
            for (i, word) in order.iter().enumerate() {
                proptest::prop_assert_eq!(table.get(i), *word);
            }
        }
    }
}
