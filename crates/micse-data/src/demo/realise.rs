//! From a frame to words: noun phrases, verb groups, clauses.
use super::meaning::{Common, Determiner, Frame, Number, Participant, Tense, Time};
use super::morphology::{article, gerund, participle, past, plural, third_person};
use super::vocabulary::{COUNTS, Class, Lexicon};
use super::wording::Wording;

/// The form of a clause.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) voice: Voice,
    /// The detail placed first, before a comma.
    pub(super) front: Front,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    Active,
    Passive,
    /// Passive without the agent.
    PassiveWithoutAgent,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Front {
    Nothing,
    Time,
    Place,
    Reason,
}

impl Style {
    pub(super) const PLAIN: Self = Self { voice: Voice::Active, front: Front::Nothing };
}

/// A noun phrase and its agreement with the verb.
pub(super) struct Subject {
    pub(super) words: String,
    pub(super) plural: bool,
}

/// A predicate in two parts, so that a subject or `not` can go between them.
pub(super) struct Predicate {
    pub(super) auxiliary: String,
    pub(super) rest: String,
}

/// Puts frames into words.
pub(super) struct Realiser<'a> {
    pub(super) lexicon: &'static Lexicon,
    pub(super) wording: Wording<'a>,
}

impl Realiser<'_> {
    /// A full clause, without initial capital and full stop.
    pub(super) fn clause(&mut self, frame: &Frame, style: Style) -> String {
        let (front, frame) = self.front(frame, style.front);
        let subject = self.subject(&frame, style.voice);
        let predicate = self.predicate(&frame, style.voice, subject.plural, false);
        join(&[&front, &subject.words, &predicate.auxiliary, &predicate.rest])
    }

    /// The initial detail with its comma, and the frame without it.
    fn front(&mut self, frame: &Frame, front: Front) -> (String, Frame) {
        let mut frame = frame.clone();
        let details = &mut frame.details;
        let words = match front {
            Front::Nothing => None,
            Front::Time => details.time.take().map(|time| self.time(time)),
            Front::Place => details.place.take().map(|place| self.wording.choose(place).to_owned()),
            Front::Reason => details.reason.take().map(|reason| self.wording.choose(reason).to_owned()),
        };
        (words.map_or_else(String::new, |words| format!("{words},")), frame)
    }

    /// The grammatical subject in this voice.
    pub(super) fn subject(&mut self, frame: &Frame, voice: Voice) -> Subject {
        match (&frame.object, voice) {
            (Some(object), Voice::Passive | Voice::PassiveWithoutAgent) => self.noun_phrase(frame, object),
            _ => self.noun_phrase(frame, &frame.agent),
        }
    }

    /// Everything after the subject. Inverted predicates (questions, denials) always have an auxiliary.
    pub(super) fn predicate(
        &mut self,
        frame: &Frame,
        voice: Voice,
        plural: bool,
        inverted: bool,
    ) -> Predicate {
        let event = &self.lexicon.domains[frame.domain].events[frame.event];
        let verb = Verb::parse(self.wording.choose(&event.verb));
        let passive = voice != Voice::Active && frame.object.is_some();
        let (auxiliary, main) = group(frame.tense, passive, plural, inverted, verb.head);
        let (early, late) = self.manner(frame);
        let object = match &frame.object {
            Some(object) if !passive => self.noun_phrase(frame, object).words,
            _ => String::new(),
        };
        let complement = match (&event.complement, &frame.complement) {
            (Some((preposition, _)), Some(noun)) => {
                format!("{preposition} {}", self.noun_phrase(frame, noun).words)
            }
            _ => String::new(),
        };
        let by = match voice {
            Voice::Passive if passive => format!("by {}", self.noun_phrase(frame, &frame.agent).words),
            _ => String::new(),
        };
        let details = self.late_details(frame);
        let rest = join(&[early, &main, verb.before, &object, verb.after, &complement, &by, late, &details]);
        Predicate { auxiliary, rest }
    }

    /// Verb, object and complement in the -ing form or as an infinitive, without details.
    pub(super) fn nonfinite(&mut self, frame: &Frame, in_ing: bool) -> String {
        let event = &self.lexicon.domains[frame.domain].events[frame.event];
        let verb = Verb::parse(self.wording.choose(&event.verb));
        let head = if in_ing { gerund(verb.head) } else { verb.head.to_owned() };
        let object = frame.object.as_ref().map(|object| self.noun_phrase(frame, object).words);
        let complement = match (&event.complement, &frame.complement) {
            (Some((preposition, _)), Some(noun)) => {
                format!("{preposition} {}", self.noun_phrase(frame, noun).words)
            }
            _ => String::new(),
        };
        join(&[&head, verb.before, &object.unwrap_or_default(), verb.after, &complement])
    }

    /// Place, time and reason, in their order at the end of a clause.
    pub(super) fn late_details(&mut self, frame: &Frame) -> String {
        let details = &frame.details;
        let place = details.place.map_or("", |place| self.wording.choose(place));
        let time = details.time.map_or_else(String::new, |time| self.time(time));
        let reason = details.reason.map_or("", |reason| self.wording.choose(reason));
        join(&[place, &time, reason])
    }

    /// The adverb before the main verb and the one after the object; one of them is empty.
    fn manner(&mut self, frame: &Frame) -> (&'static str, &'static str) {
        let Some(manner) = frame.details.manner else { return ("", "") };
        let words = self.wording.choose(manner);
        let early = !words.contains(' ') && self.wording.chance(0.55);
        if early { (words, "") } else { ("", words) }
    }

    fn time(&mut self, time: Time) -> String {
        match time {
            Time::Year(year) => format!("in {year}"),
            Time::Phrase(words) => self.wording.choose(words).to_owned(),
        }
    }

    /// A participant as a noun phrase.
    pub(super) fn noun_phrase(&mut self, frame: &Frame, participant: &Participant) -> Subject {
        match participant {
            Participant::Name { name, .. } => Subject { words: (*name).to_owned(), plural: false },
            Participant::Common(common) => self.common(frame, common),
        }
    }

    fn common(&mut self, frame: &Frame, common: &Common) -> Subject {
        let kind = &self.lexicon.domains[frame.domain].kinds[common.kind];
        let noun = &kind.nouns[common.noun];
        let word = self.wording.choose(&noun.words);
        let adjective = common.adjective.map_or("", |i| self.wording.choose(&kind.adjectives[i]));
        let number = if noun.mass { Number::One } else { common.number };
        let noun_words = if number == Number::One { word.to_owned() } else { plural(word) };
        let described = join(&[adjective, &noun_words]);
        let owner = match common.determiner {
            Determiner::Possessive => possessive(&frame.agent),
            _ => None,
        };
        let determiner = match (owner, common.determiner, number) {
            (Some(owner), ..) => owner,
            (None, Determiner::Indefinite, Number::One) if !noun.mass => article(&described),
            (None, Determiner::Indefinite, _) | (None, _, Number::Quantity(_)) => "",
            (None, ..) => "the",
        };
        let words = match number {
            Number::One | Number::Many => join(&[determiner, &described]),
            Number::Counted(count) => {
                // "the a hundred" is not English: the definite form drops the article of "a hundred".
                let count = COUNTS[count];
                let count = if determiner.is_empty() { count } else { count.trim_start_matches("a ") };
                join(&[determiner, count, &described])
            }
            Number::Quantity(quantity) => join(&[quantity, &described]),
        };
        Subject { words, plural: number != Number::One }
    }

    /// `who` for people, `that` otherwise.
    pub(super) fn relative(&self, frame: &Frame, participant: &Participant) -> &'static str {
        match participant {
            Participant::Common(common)
                if self.lexicon.domains[frame.domain].kinds[common.kind].class != Class::Person =>
            {
                "that"
            }
            _ => "who",
        }
    }
}

/// A verb of the vocabulary: its inflected head, what comes before the object, and what comes after it.
struct Verb {
    head: &'static str,
    before: &'static str,
    after: &'static str,
}

impl Verb {
    /// `put _ to death` has its object at `_`; without this mark, the object comes last.
    fn parse(words: &'static str) -> Self {
        let (front, after) = words.split_once(" _ ").unwrap_or((words, ""));
        let (head, before) = front.split_once(' ').unwrap_or((front, ""));
        Self { head, before, after }
    }
}

/// The auxiliary (may be empty) and the rest of the verb group.
fn group(tense: Tense, passive: bool, plural: bool, inverted: bool, verb: &str) -> (String, String) {
    let pick = |one: &'static str, many: &'static str| if plural { many } else { one };
    let (be, was, have) = (pick("is", "are"), pick("was", "were"), pick("has", "have"));
    let (auxiliary, main) = if passive {
        let done = participle(verb);
        match tense {
            Tense::Past => (was, done),
            Tense::Present => (be, done),
            Tense::Progressive => (be, format!("being {done}")),
            Tense::PastProgressive => (was, format!("being {done}")),
            Tense::Perfect => (have, format!("been {done}")),
            Tense::PastPerfect => ("had", format!("been {done}")),
            Tense::Future => ("will", format!("be {done}")),
            Tense::Modal(modal) => (modal, format!("be {done}")),
        }
    } else {
        match tense {
            Tense::Past if inverted => ("did", verb.to_owned()),
            Tense::Past => ("", past(verb)),
            Tense::Present if inverted => (pick("does", "do"), verb.to_owned()),
            Tense::Present => ("", if plural { verb.to_owned() } else { third_person(verb) }),
            Tense::Progressive => (be, gerund(verb)),
            Tense::PastProgressive => (was, gerund(verb)),
            Tense::Perfect => (have, participle(verb)),
            Tense::PastPerfect => ("had", participle(verb)),
            Tense::Future => ("will", verb.to_owned()),
            Tense::Modal(modal) => (modal, verb.to_owned()),
        }
    };
    (auxiliary.to_owned(), main)
}

/// `his`, `her` or `their`, if the agent's pronoun is known.
fn possessive(agent: &Participant) -> Option<&'static str> {
    match agent {
        Participant::Name { woman, .. } => Some(if *woman { "her" } else { "his" }),
        Participant::Common(agent) if agent.number != Number::One => Some("their"),
        Participant::Common(_) => None,
    }
}

/// Joins the non-empty parts with single spaces.
pub(super) fn join(parts: &[&str]) -> String {
    let mut words = String::with_capacity(parts.iter().map(|part| part.len() + 1).sum());
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(part);
    }
    words
}

/// Turns a clause into a sentence: initial capital and end mark.
pub(super) fn sentence(clause: &str, mark: char) -> String {
    let mut letters = clause.chars();
    let mut sentence: String = letters.next().map(|first| first.to_ascii_uppercase()).into_iter().collect();
    sentence.push_str(letters.as_str());
    sentence.push(mark);
    sentence
}
