//! The choice among synonyms.

use micse_random::Draws;

/// How the words of an earlier sentence affect this one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bias {
    /// Use the same words where there is a choice.
    Keep,
    /// Use other words where there is a choice.
    Avoid,
}

/// Chooses words and remembers them.
pub(super) struct Wording<'a> {
    draws: &'a mut Draws,
    earlier: Option<(&'a [&'static str], Bias)>,
    /// The words chosen so far.
    pub(super) chosen: Vec<&'static str>,
}

impl<'a> Wording<'a> {
    /// Chooses without constraint.
    pub(super) fn free(draws: &'a mut Draws) -> Self {
        Self { draws, earlier: None, chosen: Vec::new() }
    }

    /// Chooses with regard to the words of an earlier sentence.
    pub(super) fn after(draws: &'a mut Draws, earlier: &'a [&'static str], bias: Bias) -> Self {
        Self { draws, earlier: Some((earlier, bias)), chosen: Vec::new() }
    }

    /// One of the words of a meaning.
    pub(super) fn choose(&mut self, words: &[&'static str]) -> &'static str {
        let preferred: Vec<_> = match self.earlier {
            None => Vec::new(),
            Some((earlier, bias)) => {
                let keep = bias == Bias::Keep;
                words.iter().copied().filter(|word| earlier.contains(word) == keep).collect()
            }
        };
        let words = if preferred.is_empty() { words } else { &preferred };
        let word = words[self.draws.below(words.len() as u64) as usize];
        self.chosen.push(word);
        word
    }

    /// True with probability `p`; for choices of form, such as the place of an adverb.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.draws.unit() < p
    }
}
