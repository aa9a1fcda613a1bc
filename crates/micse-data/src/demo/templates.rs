//! The constructions of the demo corpus: ways to build a sentence from one or two frames.
mod one_event;
mod two_events;

use micse_random::Draws;
use one_event::{denial, description, existence, intention, passive, question, relative_object, simple};
use two_events::{participle_clause, relative_subject, reported, same_agent, subordinate, two_clauses};

use super::meaning::{Determiner, Drawer, Frame, Number, Participant, Richness};
use super::realise::{Front, Realiser};
use super::vocabulary::{Class, Lexicon};
use super::wording::Wording;

/// A clause that is a full sentence.
const FULL: Richness =
    Richness { names: 0.12, adjective: 0.32, time: 0.42, place: 0.38, manner: 0.28, reason: 0.16 };
/// One of two clauses.
const LEAN: Richness =
    Richness { names: 0.12, adjective: 0.22, time: 0.12, place: 0.16, manner: 0.14, reason: 0.0 };
/// Only the event.
const BARE: Richness =
    Richness { names: 0.12, adjective: 0.3, time: 0.0, place: 0.0, manner: 0.0, reason: 0.0 };

/// A construction draws frames and words; it returns `None` if the frame does not suit it.
type Template = fn(&mut Writer) -> Option<String>;

/// The constructions and their relative weights.
const TEMPLATES: [(Template, u64); 14] = [
    (simple, 44),
    (passive, 13),
    (same_agent, 8),
    (two_clauses, 8),
    (subordinate, 7),
    (participle_clause, 4),
    (relative_subject, 4),
    (relative_object, 3),
    (reported, 4),
    (question, 3),
    (intention, 4),
    (denial, 3),
    (description, 4),
    (existence, 2),
];

/// Writes one sentence with a random construction.
pub(super) fn write(lexicon: &'static Lexicon, draws: &mut Draws) -> String {
    let total = TEMPLATES.iter().map(|(_, weight)| weight).sum();
    let mut writer = Writer { lexicon, draws };
    loop {
        let mut left = writer.draws.below(total);
        for (template, weight) in TEMPLATES {
            if left < weight {
                if let Some(sentence) = template(&mut writer) {
                    return sentence;
                }
                break;
            }
            left -= weight;
        }
    }
}

struct Writer<'a> {
    lexicon: &'static Lexicon,
    draws: &'a mut Draws,
}

impl Writer<'_> {
    fn drawer(&mut self) -> Drawer<'_> {
        Drawer { lexicon: self.lexicon, draws: self.draws }
    }

    fn realiser(&mut self) -> Realiser<'_> {
        Realiser { lexicon: self.lexicon, wording: Wording::free(self.draws) }
    }

    fn frame(&mut self, richness: Richness) -> Frame {
        let mut frame = self.drawer().frame(richness);
        self.own(&mut frame);
        frame
    }

    fn frame_like(&mut self, other: &Frame, richness: Richness) -> Frame {
        let mut frame = self.drawer().frame_in(other.domain, other.tense, richness);
        self.own(&mut frame);
        frame
    }

    /// Occasionally makes the object belong to the agent.
    fn own(&mut self, frame: &mut Frame) {
        let willed = self.drawer().agent_class(frame) == Class::Person;
        if willed
            && self.draws.unit() < 0.06
            && let Some(Participant::Common(object)) = &mut frame.object
            && matches!(object.number, Number::One | Number::Many)
        {
            object.determiner = Determiner::Possessive;
        }
    }

    fn front(&mut self, frame: &Frame) -> Front {
        let details = &frame.details;
        let fits = [
            (details.time.is_some(), Front::Time),
            (details.place.is_some(), Front::Place),
            (details.reason.is_some(), Front::Reason),
        ];
        let fits: Vec<_> = fits.into_iter().filter(|(there, _)| *there).collect();
        if fits.is_empty() || self.draws.unit() > 0.3 {
            return Front::Nothing;
        }
        fits[self.draws.below(fits.len() as u64) as usize].1
    }

    fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.draws.below(list.len() as u64) as usize]
    }
}

/// Removes possessives where the agent is not named before the object.
fn disown(frame: &mut Frame) {
    if let Some(Participant::Common(object)) = &mut frame.object
        && object.determiner == Determiner::Possessive
    {
        object.determiner = Determiner::Definite;
    }
}
