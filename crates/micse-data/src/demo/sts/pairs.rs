//! Writes graded pairs.
use std::collections::HashSet;

use micse_random::Draws;

use super::alter::{Level, alter};
use crate::demo::meaning::{Drawer, Frame, Richness};
use crate::demo::reads_well;
use crate::demo::realise::{Front, Realiser, Style, Voice, sentence};
use crate::demo::vocabulary::Lexicon;
use crate::demo::wording::{Bias, Wording};

/// All levels, by score.
pub(super) const LEVELS: [Level; 11] = [
    Level::Unrelated,
    Level::Group,
    Level::Domain,
    Level::EventAndParticipant,
    Level::Event,
    Level::ParticipantAndDetail,
    Level::Participant,
    Level::Details,
    Level::Detail,
    Level::Adjective,
    Level::Paraphrase,
];

/// Enough details that one can be changed.
const RICHNESS: Richness =
    Richness { names: 0.0, adjective: 0.4, time: 0.6, place: 0.5, manner: 0.4, reason: 0.3 };

/// A pair with its score.
pub(in crate::demo) struct Graded {
    pub(super) group: &'static str,
    pub(super) level: Level,
    pub(in crate::demo) first: String,
    pub(in crate::demo) second: String,
}

pub(super) struct Writer<'a> {
    lexicon: &'static Lexicon,
    draws: &'a mut Draws,
    /// Sentences written so far, to avoid repeats.
    seen: HashSet<String>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(lexicon: &'static Lexicon, draws: &'a mut Draws) -> Self {
        Self { lexicon, draws, seen: HashSet::new() }
    }

    /// Draws until a pair of this level results.
    pub(super) fn pair(&mut self, level: Level) -> Graded {
        loop {
            if let Some(pair) = self.attempt(level) {
                self.seen.insert(pair.first.clone());
                self.seen.insert(pair.second.clone());
                return pair;
            }
        }
    }

    fn attempt(&mut self, level: Level) -> Option<Graded> {
        let mut drawer = Drawer { lexicon: self.lexicon, draws: self.draws };
        let frame = drawer.frame(RICHNESS);
        let other = alter(&mut drawer, &frame, level)?;
        let other_words = drawer.chance(other_words(level));
        let style = style(&mut drawer, &frame);
        let other_style = if other_words { self::style(&mut drawer, &other) } else { fitted(style, &other) };

        let mut realiser = Realiser { lexicon: self.lexicon, wording: Wording::free(self.draws) };
        let first = sentence(&realiser.clause(&frame, style), '.');
        let chosen = realiser.wording.chosen;
        let bias = if other_words { Bias::Avoid } else { Bias::Keep };
        let wording = Wording::after(self.draws, &chosen, bias);
        let second = sentence(&Realiser { lexicon: self.lexicon, wording }.clause(&other, other_style), '.');

        let fits = |sentence: &String| reads_well(sentence) && !self.seen.contains(sentence);
        let group = self.lexicon.domains[frame.domain].group;
        (first != second && fits(&first) && fits(&second)).then_some(Graded { group, level, first, second })
    }
}

/// How often the second sentence uses other words and another form.
fn other_words(level: Level) -> f64 {
    match level {
        Level::Paraphrase => 1.0,
        Level::Adjective | Level::Detail | Level::Details => 0.7,
        Level::Participant | Level::ParticipantAndDetail => 0.65,
        Level::Event | Level::EventAndParticipant => 0.6,
        Level::Domain | Level::Group | Level::Unrelated => 0.1,
    }
}

/// Any form allowed by the frame.
fn style(drawer: &mut Drawer, frame: &Frame) -> Style {
    let voice = if frame.object.is_some() && drawer.chance(0.4) { Voice::Passive } else { Voice::Active };
    let front = *drawer.one_of(&[Front::Nothing, Front::Nothing, Front::Time, Front::Place, Front::Reason]);
    fitted(Style { voice, front }, frame)
}

/// The same form, as far as the frame allows it.
fn fitted(style: Style, frame: &Frame) -> Style {
    let voice = if frame.object.is_some() { style.voice } else { Voice::Active };
    Style { voice, front: style.front }
}
