//! The meaning of a sentence before any words are chosen: a typed frame.

use micse_random::Draws;

use super::vocabulary::{Class, Domain, Event, Kind, Lexicon, Meaning, Noun};

/// Who did what to whom, when, where, how and why.
#[derive(Clone, PartialEq)]
pub(super) struct Frame {
    /// Index of the domain.
    pub(super) domain: usize,
    /// Index of the event in the domain.
    pub(super) event: usize,
    pub(super) agent: Participant,
    pub(super) object: Option<Participant>,
    pub(super) complement: Option<Participant>,
    pub(super) tense: Tense,
    pub(super) details: Details,
}

/// A participant of an event.
#[derive(Clone, PartialEq)]
pub(super) enum Participant {
    /// A person with a name.
    Name {
        name: &'static str,
        woman: bool,
    },
    Common(Common),
}

/// A participant given by a common noun.
#[derive(Clone, PartialEq)]
pub(super) struct Common {
    /// Index of the kind in the domain.
    pub(super) kind: usize,
    /// Index of the noun in the kind.
    pub(super) noun: usize,
    /// Index of the adjective in the kind.
    pub(super) adjective: Option<usize>,
    pub(super) number: Number,
    pub(super) determiner: Determiner,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    One,
    Many,
    /// A count: an index into the number words.
    Counted(usize),
    /// `some`, `several` and the like.
    Quantity(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Determiner {
    Definite,
    Indefinite,
    /// Belonging to the agent.
    Possessive,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tense {
    Past,
    Present,
    Progressive,
    PastProgressive,
    Perfect,
    PastPerfect,
    Future,
    Modal(&'static str),
}

/// What a sentence can add to the event and its participants.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Details {
    pub(super) time: Option<Time>,
    pub(super) place: Option<&'static Meaning>,
    pub(super) manner: Option<&'static Meaning>,
    pub(super) reason: Option<&'static Meaning>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Time {
    Year(u16),
    Phrase(&'static Meaning),
}

/// Probability of each detail.
#[derive(Clone, Copy)]
pub(super) struct Richness {
    pub(super) names: f64,
    pub(super) adjective: f64,
    pub(super) time: f64,
    pub(super) place: f64,
    pub(super) manner: f64,
    pub(super) reason: f64,
}

const TENSES: [(Tense, f64); 8] = [
    (Tense::Past, 0.55),
    (Tense::Present, 0.13),
    (Tense::Progressive, 0.07),
    (Tense::PastProgressive, 0.03),
    (Tense::Perfect, 0.08),
    (Tense::Future, 0.07),
    (Tense::Modal("must"), 0.04),
    (Tense::Modal("can"), 0.03),
];

const QUANTITIES: [&str; 5] = ["some", "several", "many", "a few", "most"];

/// Draws frames.
pub(super) struct Drawer<'a> {
    pub(super) lexicon: &'static Lexicon,
    pub(super) draws: &'a mut Draws,
}

impl Drawer<'_> {
    /// Draws a frame of any domain.
    pub(super) fn frame(&mut self, richness: Richness) -> Frame {
        let domain = self.below(self.lexicon.domains.len());
        let tense = self.tense();
        self.frame_in(domain, tense, richness)
    }

    /// Draws a frame of one domain in one tense.
    pub(super) fn frame_in(&mut self, domain: usize, tense: Tense, richness: Richness) -> Frame {
        let event = self.below(self.lexicon.domains[domain].events.len());
        let slots = self.event(domain, event);
        let agent = *self.one_of(&slots.agents);
        let agent = if self.kind(domain, agent).class == Class::Person && self.chance(richness.names) {
            let woman = self.chance(0.5);
            let names = if woman { &self.lexicon.women } else { &self.lexicon.men };
            let name: &&str = self.one_of(names);
            Participant::Name { name, woman }
        } else {
            Participant::Common(self.common(domain, agent, richness))
        };
        let object = (!slots.objects.is_empty()).then(|| {
            let kind = *self.one_of(&slots.objects);
            let mut object = self.common(domain, kind, richness);
            // Agent and object are never the same noun: "the neighbours missed the neighbour".
            if matches!(&agent, Participant::Common(agent) if agent.kind == kind && agent.noun == object.noun)
            {
                object.noun = (object.noun + 1) % self.kind(domain, kind).nouns.len();
            }
            Participant::Common(object)
        });
        let complement = slots.complement.as_ref().map(|(_, kinds)| {
            let kind = *self.one_of(kinds);
            Participant::Common(Common { adjective: None, ..self.common(domain, kind, richness) })
        });
        let mut frame =
            Frame { domain, event, agent, object, complement, tense, details: Details::default() };
        frame.details = Details {
            time: self.chance(richness.time).then(|| self.time(domain, tense)),
            place: self.chance(richness.place).then(|| self.place(domain)),
            manner: self.chance(richness.manner).then(|| self.manner(&frame)),
            reason: self.chance(richness.reason).then(|| self.reason(&frame)),
        };
        frame
    }

    pub(super) fn tense(&mut self) -> Tense {
        let mut left = self.draws.unit();
        for (tense, share) in TENSES {
            left -= share;
            if left < 0.0 {
                return tense;
            }
        }
        Tense::Past
    }

    /// Draws a participant of a kind.
    pub(super) fn common(&mut self, domain: usize, kind: usize, richness: Richness) -> Common {
        let table = self.kind(domain, kind);
        let noun = self.below(table.nouns.len());
        let adjective = self.chance(richness.adjective).then(|| self.below(table.adjectives.len()));
        let number = match self.draws.unit() {
            _ if table.nouns[noun].mass => Number::One,
            u if u < 0.62 => Number::One,
            u if u < 0.85 => Number::Many,
            u if u < 0.94 => Number::Counted(self.count()),
            _ => Number::Quantity(QUANTITIES[self.below(QUANTITIES.len())]),
        };
        let determiner = if self.chance(0.72) { Determiner::Definite } else { Determiner::Indefinite };
        Common { kind, noun, adjective, number, determiner }
    }

    /// Draws a number word; small ones are more likely.
    pub(super) fn count(&mut self) -> usize {
        let most = if self.chance(0.85) { 5 } else { super::vocabulary::COUNTS.len() };
        self.below(most)
    }

    pub(super) fn time(&mut self, domain: usize, tense: Tense) -> Time {
        let times = &self.lexicon.times;
        let (own, share) = match tense {
            Tense::Past => (&times.past, 0.55),
            Tense::Present => (&times.habit, 0.75),
            Tense::Progressive => (&times.now, 1.0),
            Tense::Perfect => (&times.perfect, 1.0),
            Tense::Future => (&times.future, 0.75),
            Tense::PastProgressive | Tense::PastPerfect | Tense::Modal(_) => (&times.any, 1.0),
        };
        if tense == Tense::Past && self.chance(0.12) {
            let (first, last) = self.lexicon.domains[domain].years;
            return Time::Year(first + self.below(usize::from(last - first) + 1) as u16);
        }
        let list = if self.chance(share) { own } else { &times.any };
        Time::Phrase(self.one_of(list))
    }

    pub(super) fn place(&mut self, domain: usize) -> &'static Meaning {
        self.one_of(&self.domain(domain).places)
    }

    pub(super) fn manner(&mut self, frame: &Frame) -> &'static Meaning {
        self.one_of(self.lexicon.manners(self.agent_class(frame)))
    }

    pub(super) fn reason(&mut self, frame: &Frame) -> &'static Meaning {
        let domain = self.domain(frame.domain);
        let willed = self.agent_class(frame) == Class::Person && self.chance(0.55);
        self.one_of(if willed { &domain.purposes } else { &domain.causes })
    }

    pub(super) fn agent_class(&self, frame: &Frame) -> Class {
        match &frame.agent {
            Participant::Name { .. } => Class::Person,
            Participant::Common(agent) => self.kind(frame.domain, agent.kind).class,
        }
    }

    pub(super) fn domain(&self, domain: usize) -> &'static Domain {
        &self.lexicon.domains[domain]
    }

    pub(super) fn kind(&self, domain: usize, kind: usize) -> &'static Kind {
        &self.domain(domain).kinds[kind]
    }

    pub(super) fn noun(&self, domain: usize, common: &Common) -> &'static Noun {
        &self.kind(domain, common.kind).nouns[common.noun]
    }

    pub(super) fn event(&self, domain: usize, event: usize) -> &'static Event {
        &self.domain(domain).events[event]
    }

    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.draws.unit() < p
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        self.draws.below(n as u64) as usize
    }

    pub(super) fn one_of<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        &list[self.below(list.len())]
    }
}
