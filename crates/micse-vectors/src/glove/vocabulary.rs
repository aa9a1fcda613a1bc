//! Sentences as word numbers; 0 is the most frequent word.

use super::{Options, Progress};
use crate::tokens::{fold, tokens};
use crate::words::Words;
use crate::{Error, Result};

/// Sentences between two progress reports.
const REPORT: usize = 1 << 13;
/// A word that is not in the vocabulary.
const OUT: u32 = u32::MAX;

/// A corpus as word numbers; words outside the vocabulary are removed.
pub(super) struct Text {
    words: Words,
    ids: Vec<u32>,
    /// Where each sentence ends in `ids`.
    ends: Vec<usize>,
}

impl Text {
    /// Splits sentences and numbers the words with at least `min_count` occurrences by descending frequency; ties
    /// are numbered in order of first occurrence.
    pub(super) fn read<S: AsRef<str>>(
        sentences: impl IntoIterator<Item = S>,
        options: &Options,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self> {
        let mut all = Words::new();
        let mut counts: Vec<usize> = Vec::new();
        let (mut ids, mut ends) = (Vec::new(), Vec::new());
        for sentence in sentences {
            let sentence = fold(sentence.as_ref());
            tokens(&sentence, &mut |token| {
                let (id, new) = all.insert(token);
                if new {
                    counts.push(0);
                }
                counts[id] += 1;
                ids.push(id as u32);
            });
            ends.push(ids.len());
            if ends.len() % REPORT == 0 {
                progress(Progress::Reading { sentences: ends.len(), tokens: ids.len() });
            }
        }
        progress(Progress::Reading { sentences: ends.len(), tokens: ids.len() });

        let mut ranked: Vec<usize> = (0..all.len()).filter(|&id| counts[id] >= options.min_count).collect();
        ranked.sort_by_key(|&id| std::cmp::Reverse(counts[id]));
        ranked.truncate(options.vocabulary.unwrap_or(usize::MAX));
        if ranked.len() < 2 {
            return Err(Error::TooLittleText { tokens: ids.len(), min_count: options.min_count });
        }
        if ranked.len() > super::blocks::MOST_WORDS {
            return Err(Error::TooManyWords { words: ranked.len(), most: super::blocks::MOST_WORDS });
        }
        let mut ranks = vec![OUT; all.len()];
        let mut words = Words::new();
        for (rank, &id) in ranked.iter().enumerate() {
            ranks[id] = rank as u32;
            words.insert(all.get(id));
        }
        Ok(Self::renumbered(words, &ids, &ends, &ranks))
    }

    /// The corpus with new numbers, without words whose number is `OUT`.
    fn renumbered(words: Words, ids: &[u32], ends: &[usize], ranks: &[u32]) -> Self {
        let mut text =
            Self { words, ids: Vec::with_capacity(ids.len()), ends: Vec::with_capacity(ends.len()) };
        let mut start = 0;
        for &end in ends {
            let kept = ids[start..end].iter().map(|&id| ranks[id as usize]).filter(|&rank| rank != OUT);
            text.ids.extend(kept);
            text.ends.push(text.ids.len());
            start = end;
        }
        text
    }

    /// Number of tokens in the vocabulary.
    pub(super) fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// Number of words in the vocabulary.
    pub(super) fn words(&self) -> usize {
        self.words.len()
    }

    /// The sentences, as word numbers.
    pub(super) fn sentences(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.ids[start..end])
    }

    /// Only the vocabulary.
    pub(super) fn into_words(self) -> Words {
        self.words
    }
}
