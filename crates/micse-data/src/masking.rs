//! Masking for masked language modelling (Devlin et al. 2019, section 3.1): which tokens of a sentence to predict,
//! and what replaces them.
//!
//! A share `rate` of the ordinary tokens (excluding `[CLS]`, `[SEP]`, `[UNK]`, ...) is chosen. Of these, 80 %
//! become `[MASK]`, 10 % a random ordinary token, and 10 % stay unchanged. All of them are predicted.

use micse_random::{Draws, Stream};

/// Share of the chosen tokens that become `[MASK]`.
const MASKED: f64 = 0.8;
/// Share of the chosen tokens that become `[MASK]` or a random token.
const CHANGED: f64 = 0.9;

/// Special tokens of RoBERTa, XLM-RoBERTa and MPNet.
const SPECIAL_OF_ROBERTA: [&str; 5] = ["<s>", "</s>", "<pad>", "<unk>", "<mask>"];
/// First character of a token that begins a word: the space marks of byte-level BPE and SentencePiece.
const SPACES: [char; 2] = ['\u{120}', '\u{2581}'];

/// What masking needs to know about a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskVocabulary {
    mask: u32,
    kinds: Vec<Kind>,
    ordinary: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Never chosen, never drawn.
    Special,
    /// Begins a word.
    Begins,
    /// Continues the word of the token before it.
    Continues,
}

impl MaskVocabulary {
    /// Builds the vocabulary in which the token of ID `i` is `tokens[i]`. An empty token (an ID without a token)
    /// is special.
    ///
    /// A vocabulary with `[MASK]` or `[UNK]` is WordPiece: tokens in square brackets (`[CLS]`, `[unused7]`; not a
    /// lone bracket) are special, and tokens that begin with `##` continue a word. If it also has all of `<s>`,
    /// `</s>`, `<pad>` and `<mask>`, it is MPNet's: those are special too, and the mask is `<mask>`. Otherwise, a
    /// vocabulary with `<mask>` is RoBERTa's or XLM-RoBERTa's: `<s>`, `</s>`, `<pad>` and `<unk>` are special, and
    /// tokens that do not begin with the space mark continue a word.
    ///
    /// Returns `None` if there is no mask or no ordinary token.
    pub fn new<S: AsRef<str>>(tokens: &[S]) -> Option<Self> {
        let find = |mask: &str| tokens.iter().position(|token| token.as_ref() == mask);
        let has = |token: &&str| find(token).is_some();
        let (mask, kind): (&str, fn(&str) -> Kind) = if !["[MASK]", "[UNK]"].iter().any(has) {
            ("<mask>", kind_of_marked_space)
        } else if ["<s>", "</s>", "<pad>", "<mask>"].iter().all(has) {
            ("<mask>", kind_of_piece_of_mpnet)
        } else {
            ("[MASK]", kind_of_word_piece)
        };
        let mask = find(mask)? as u32;
        let kinds: Vec<Kind> = tokens.iter().map(|token| kind(token.as_ref())).collect();
        let ordinary: Vec<u32> =
            (0..kinds.len() as u32).filter(|&id| kinds[id as usize] != Kind::Special).collect();
        (!ordinary.is_empty()).then_some(Self { mask, kinds, ordinary })
    }

    /// Number of IDs.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether there are no IDs: never, because there is a mask.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The ID of `[MASK]` or `<mask>`.
    pub fn mask(&self) -> u32 {
        self.mask
    }

    fn kind(&self, id: u32) -> Kind {
        // An ID beyond the vocabulary is the caller's error; treated as special, it at least stays unchanged.
        self.kinds.get(id as usize).copied().unwrap_or(Kind::Special)
    }
}

fn kind_of_word_piece(token: &str) -> Kind {
    if token.is_empty() || (token.len() > 2 && token.starts_with('[') && token.ends_with(']')) {
        Kind::Special
    } else if token.len() > 2 && token.starts_with("##") {
        Kind::Continues
    } else {
        Kind::Begins
    }
}

fn kind_of_piece_of_mpnet(token: &str) -> Kind {
    if SPECIAL_OF_ROBERTA.contains(&token) { Kind::Special } else { kind_of_word_piece(token) }
}

fn kind_of_marked_space(token: &str) -> Kind {
    if token.is_empty() || SPECIAL_OF_ROBERTA.contains(&token) {
        Kind::Special
    } else if token.starts_with(SPACES) {
        Kind::Begins
    } else {
        Kind::Continues
    }
}

/// How to choose tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Masking {
    /// Share of ordinary tokens to choose, usually 0.15.
    pub rate: f64,
    /// Whether to choose words with all their tokens (whole-word masking) or single tokens. Text written without
    /// spaces is one word for vocabularies that mark spaces.
    pub whole_words: bool,
}

/// A masked sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masked {
    /// The IDs with masks and random tokens in place; the number of IDs is unchanged.
    pub ids: Vec<u32>,
    /// Positions of the chosen tokens, ascending.
    pub positions: Vec<u32>,
    /// The original tokens at these positions.
    pub targets: Vec<u32>,
}

impl Masking {
    /// Masks the sentence `ids`; a pure function of its arguments.
    ///
    /// Of `n` ordinary tokens, chooses `rate n`, rounded up or down at random so that the mean is exact, but at
    /// least one if there is one. With whole words, words are visited in random order. A word that would exceed
    /// that number is skipped; if none was chosen in the end, the first is.
    ///
    /// ```
    /// use micse_data::{MaskVocabulary, Masking};
    /// use micse_random::Stream;
    ///
    /// let vocabulary = MaskVocabulary::new(&["[CLS]", "[SEP]", "[MASK]", "the", "sheep", "##dog", "barks"]).unwrap();
    /// let masking = Masking { rate: 0.15, whole_words: true };
    /// let masked = masking.apply(&[0, 3, 4, 5, 6, 1], &vocabulary, Stream::new(48).with(7));
    /// assert_eq!(masked.ids.len(), 6);
    /// assert_eq!((masked.ids[0], masked.ids[5]), (0, 1));
    /// assert!(!masked.positions.is_empty());
    /// ```
    pub fn apply(&self, ids: &[u32], vocabulary: &MaskVocabulary, stream: Stream) -> Masked {
        let mut draws = stream.draws();
        let mut positions = self.choose(ids, vocabulary, &mut draws);
        positions.sort_unstable();
        let mut masked = Masked { ids: ids.to_vec(), positions, targets: Vec::new() };
        for &position in &masked.positions {
            let id = &mut masked.ids[position as usize];
            masked.targets.push(*id);
            let draw = draws.unit();
            if draw < MASKED {
                *id = vocabulary.mask;
            } else if draw < CHANGED {
                *id = vocabulary.ordinary[draws.below(vocabulary.ordinary.len() as u64) as usize];
            }
        }
        masked
    }

    fn choose(&self, ids: &[u32], vocabulary: &MaskVocabulary, draws: &mut Draws) -> Vec<u32> {
        let units = self.units(ids, vocabulary);
        let tokens: usize = units.iter().map(|&(_, length)| length as usize).sum();
        if tokens == 0 {
            return Vec::new();
        }
        let count = ((tokens as f64 * self.rate + draws.unit()) as usize).clamp(1, tokens);
        let order = draws.distinct(units.len(), if self.whole_words { units.len() } else { count });
        let unit = |&place: &u32| units[place as usize];
        let mut chosen = Vec::new();
        for (first, length) in order.iter().map(unit) {
            if chosen.len() + length as usize <= count {
                chosen.extend(first..first + length);
            }
        }
        if chosen.is_empty() {
            let (first, length) = unit(&order[0]);
            chosen.extend(first..first + length);
        }
        chosen
    }

    /// First position and length of each unit chosen together: words or single tokens.
    fn units(&self, ids: &[u32], vocabulary: &MaskVocabulary) -> Vec<(u32, u32)> {
        let mut units: Vec<(u32, u32)> = Vec::new();
        for (position, &id) in (0_u32..).zip(ids) {
            match (vocabulary.kind(id), units.last_mut()) {
                (Kind::Special, _) => {}
                (Kind::Continues, Some((first, length)))
                    if self.whole_words && *first + *length == position =>
                {
                    *length += 1;
                }
                _ => units.push((position, 1)),
            }
        }
        units
    }
}
