//! A batch of tokenized sentences, one row per token.
//!
//! Tokens are packed: row `r` of every token-wise tensor (`[rows, D]`) is one token, sentence after sentence.
//! With padding (see [`Padding`]), each sentence has `width` rows.

use std::ops::Range;

use crate::{BertConfig, Error, Pooling, Result};

/// How the positions after the end of a short sentence are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Padding {
    /// They do not exist. This is the default, and the fastest.
    #[default]
    Drop,
    /// Their rows are computed, but nothing attends to them (a padded batch in PyTorch).
    Keep,
    /// They are ordinary tokens (as in released code that omits the attention mask).
    Attend,
}

/// Tokenized sentences, the input of encoders.
#[derive(Clone, Debug)]
pub struct Batch {
    ids: Vec<u32>,
    positions: Vec<u32>,
    lengths: Vec<usize>,
    first_row: Vec<usize>,
    padding: Padding,
    width: usize,
    first_sentence: usize,
}

impl Batch {
    /// A batch without padding. `sentences[b]` contains the token IDs of sentence b, with `[CLS]` and
    /// `[SEP]`.
    ///
    /// # Errors
    /// Fails without sentences, or if a sentence has no tokens.
    pub fn new(sentences: &[impl AsRef<[u32]>]) -> Result<Self> {
        Self::padded(sentences, 0, Padding::Drop)
    }

    /// A batch whose short sentences are padded with `pad_id` to the length of the longest, unless `padding`
    /// is [`Padding::Drop`].
    ///
    /// # Errors
    /// Fails without sentences, or if a sentence has no tokens.
    pub fn padded(sentences: &[impl AsRef<[u32]>], pad_id: u32, padding: Padding) -> Result<Self> {
        Self::padded_to(sentences, pad_id, padding, 0)
    }

    /// [`Self::padded`] to at least `width` rows per sentence, for code that pads to its length limit.
    ///
    /// # Errors
    /// Those of [`Self::padded`].
    pub fn padded_to(
        sentences: &[impl AsRef<[u32]>],
        pad_id: u32,
        padding: Padding,
        width: usize,
    ) -> Result<Self> {
        let lengths: Vec<usize> = sentences.iter().map(|s| s.as_ref().len()).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        if let Some(empty) = lengths.iter().position(|&n| n == 0) {
            return Err(Error::Input(format!("sentence {empty} of the batch has no tokens, not even [CLS]")));
        }
        let width = if padding == Padding::Drop { longest } else { longest.max(width) };
        if longest == 0 {
            return Err(Error::Input("a batch needs at least one sentence".into()));
        }
        let (mut ids, mut positions, mut first_row) = (Vec::new(), Vec::new(), Vec::new());
        for sentence in sentences {
            let sentence = sentence.as_ref();
            let rows = if padding == Padding::Drop { sentence.len() } else { width };
            first_row.push(ids.len());
            ids.extend_from_slice(sentence);
            ids.extend(std::iter::repeat_n(pad_id, rows - sentence.len()));
            positions.extend(0..rows as u32);
        }
        Ok(Self { ids, positions, lengths, first_row, padding, width, first_sentence: 0 })
    }

    /// Declares sentence 0 of this batch to be sentence `first` of the step's whole batch, so that dropout
    /// draws the same masks when a batch is encoded in chunks.
    #[must_use]
    pub fn starting_at(mut self, first: usize) -> Self {
        self.first_sentence = first;
        self
    }

    /// A batch of the given sentences only. They keep their numbers in the whole batch and, with padding,
    /// this batch's width.
    ///
    /// # Panics
    /// If the range is empty or not within the batch.
    #[must_use]
    pub fn chunk(&self, sentences: Range<usize>) -> Self {
        assert!(!sentences.is_empty() && sentences.end <= self.sentences(), "no chunk {sentences:?}");
        let start = self.first_row[sentences.start];
        let end = self.first_row.get(sentences.end).copied().unwrap_or(self.ids.len());
        let lengths = self.lengths[sentences.clone()].to_vec();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        Self {
            ids: self.ids[start..end].to_vec(),
            positions: self.positions[start..end].to_vec(),
            first_row: self.first_row[sentences.clone()].iter().map(|row| row - start).collect(),
            lengths,
            padding: self.padding,
            width: if self.padding == Padding::Drop { longest } else { self.width },
            first_sentence: self.first_sentence + sentences.start,
        }
    }

    /// Replaces the position IDs, one per row (see [`Self::positions`]): the shuffled positions of `ConSERT`.
    /// Dropout and attention positions still use the token's original place in its sentence.
    ///
    /// # Errors
    /// Fails if the number of IDs is not the number of rows.
    pub fn with_positions(mut self, positions: Vec<u32>) -> Result<Self> {
        if positions.len() != self.ids.len() {
            return Err(Error::Input(format!(
                "got {} position IDs for a batch of {} rows",
                positions.len(),
                self.ids.len()
            )));
        }
        self.positions = positions;
        Ok(self)
    }

    /// Number of sentences B.
    pub fn sentences(&self) -> usize {
        self.lengths.len()
    }

    /// Number of rows of token-wise tensors.
    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    /// The number of tokens of each sentence, without padding.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// The length n of the longest sentence in tokens.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How the positions after short sentences are treated.
    pub fn padding(&self) -> Padding {
        self.padding
    }

    /// The token ID of every row.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The position ID of every row: 0, 1, 2, ... in every sentence.
    pub fn positions(&self) -> &[u32] {
        &self.positions
    }

    /// The row of an encoder's position table for every row. Like the RoBERTa code, this does not count a pad
    /// token in the middle of a sentence (a text with a literal `<pad>`) in the positions of the tokens after
    /// it.
    pub(crate) fn position_rows(&self, config: &BertConfig) -> Vec<u32> {
        let place = |(&id, &position): (&u32, &u32)| config.position_row(id, position);
        let mut rows: Vec<u32> = self.ids.iter().zip(&self.positions).map(place).collect();
        if !config.family.shifts_positions() {
            return rows;
        }
        for (b, &length) in self.lengths.iter().enumerate() {
            let sentence = self.first_row[b]..self.first_row[b] + length;
            let pad = |row: &usize| self.ids[*row] == config.pad_token_id;
            let pads: Vec<u32> = sentence.clone().filter(pad).map(|row| self.positions[row]).collect();
            for row in sentence.filter(|row| !pads.is_empty() && !pad(row)) {
                rows[row] -= pads.iter().filter(|&&at| at < self.positions[row]).count() as u32;
            }
        }
        rows
    }

    /// The row of the first token of each sentence.
    pub fn first_rows(&self) -> &[usize] {
        &self.first_row
    }

    /// The number of rows of sentence b: its length, or the width with padding.
    pub fn rows_of(&self, b: usize) -> usize {
        if self.padding == Padding::Drop { self.lengths[b] } else { self.width }
    }

    /// The number of keys that the tokens of sentence b attend to.
    pub fn keys_of(&self, b: usize) -> usize {
        if self.padding == Padding::Attend { self.width } else { self.lengths[b] }
    }

    /// The number of rows of sentence b that a pooling averages.
    pub(crate) fn averaged_rows(&self, b: usize, pooling: Pooling) -> usize {
        match pooling {
            Pooling::MeanWithPads => self.rows_of(b),
            _ => self.keys_of(b),
        }
    }

    /// The number of sentence b in the step's whole batch.
    pub fn sentence_number(&self, b: usize) -> usize {
        self.first_sentence + b
    }

    /// Checks that an encoder with this configuration accepts the batch.
    ///
    /// # Errors
    /// Fails if a token ID is outside the vocabulary, or a sentence is longer than the encoder's positions.
    pub fn check(&self, config: &BertConfig) -> Result<()> {
        if let Some(row) = self.ids.iter().position(|&id| id as usize >= config.vocab_size) {
            let sentence = self.first_row.partition_point(|&first| first <= row) - 1;
            return Err(Error::Input(format!(
                "token ID {} (sentence {}, position {}) is outside the encoder's vocabulary of {}; use the \
                 encoder's own tokenizer",
                self.ids[row],
                self.sentence_number(sentence),
                row - self.first_row[sentence],
                config.vocab_size
            )));
        }
        if let Some(position) = self.positions.iter().find(|&&p| p as usize >= config.max_position_embeddings)
        {
            let positions = config.max_position_embeddings;
            if self.width <= positions {
                return Err(Error::Input(format!(
                    "position ID {position} is outside the encoder's {positions} positions"
                )));
            }
        }
        if self.width > config.max_position_embeddings {
            return Err(Error::Input(format!(
                "a sentence of {} tokens exceeds the encoder's {} positions; truncate it",
                self.width, config.max_position_embeddings
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_within_a_sentence_are_not_counted_as_positions() {
        let mut config = BertConfig::with_sizes(20, 1, 4, 2, 16);
        // Reference: create_position_ids_from_input_ids([[0, 7, 1, 8, 1, 2], [0, 9, 2, 1, 1, 1]], 1) of
        // transformers.
        let sentences = [vec![0, 7, 1, 8, 1, 2], vec![0, 9, 2]];
        let batch = Batch::padded(&sentences, 1, Padding::Keep).expect("a batch");
        config.family = crate::Family::Roberta;
        config.pad_token_id = 1;
        assert_eq!(batch.position_rows(&config), [2, 3, 1, 4, 1, 5, 2, 3, 4, 1, 1, 1]);
        config.family = crate::Family::Bert;
        assert_eq!(batch.position_rows(&config), [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_chunk_is_the_batch_of_its_sentences_with_their_numbers() {
        let sentences = [vec![2, 8, 9, 3], vec![2, 3], vec![2, 7, 3], vec![2, 5, 3]];
        let same = |a: &Batch, b: &Batch| format!("{a:?}") == format!("{b:?}");
        let whole = Batch::new(&sentences).expect("a batch");
        let alone = Batch::new(&sentences[1..3]).expect("a batch").starting_at(1);
        assert!(same(&whole.chunk(1..3), &alone));
        assert!(same(&whole.chunk(1..4).chunk(1..2), &whole.chunk(2..3)));
        assert!(same(&whole.chunk(0..4), &whole));

        // With padding, a sentence's rows do not depend on its chunk.
        let padded = Batch::padded(&sentences, 0, Padding::Keep).expect("a batch");
        let chunk = padded.chunk(2..4);
        assert_eq!((chunk.width(), chunk.rows(), chunk.sentence_number(1)), (4, 8, 3));
        assert_eq!(chunk.ids(), [2, 7, 3, 0, 2, 5, 3, 0]);
        assert_eq!(chunk.positions(), [0, 1, 2, 3, 0, 1, 2, 3]);
    }
}
