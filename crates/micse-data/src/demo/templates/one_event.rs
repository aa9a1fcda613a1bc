//! Constructions of one event.

use super::{BARE, FULL, LEAN, Writer, disown};
use crate::demo::meaning::{Determiner, Number, Participant, Tense};
use crate::demo::realise::{Predicate, Style, Voice, join, sentence};
use crate::demo::vocabulary::{Class, SCALES, overlap};

/// The cook peels the onions in the kitchen.
#[expect(clippy::unnecessary_wraps, reason = "one type for all constructions")]
pub(super) fn simple(writer: &mut Writer) -> Option<String> {
    let frame = writer.frame(FULL);
    let front = writer.front(&frame);
    let clause = writer.realiser().clause(&frame, Style { voice: Voice::Active, front });
    Some(sentence(&clause, '.'))
}

/// The onions were peeled (by the cook).
pub(super) fn passive(writer: &mut Writer) -> Option<String> {
    let mut frame = writer.frame(FULL);
    disown(&mut frame);
    frame.object.as_ref()?;
    let voice = writer.one_of(&[Voice::Passive, Voice::Passive, Voice::PassiveWithoutAgent]);
    let front = writer.front(&frame);
    let clause = writer.realiser().clause(&frame, Style { voice, front });
    Some(sentence(&clause, '.'))
}

/// Did the cook peel the onions?
#[expect(clippy::unnecessary_wraps, reason = "one type for all constructions")]
pub(super) fn question(writer: &mut Writer) -> Option<String> {
    let mut frame = writer.frame(LEAN);
    let word = writer.one_of(&["", "", "why", "how", "when"]);
    match word {
        "when" => frame.details.time = None,
        "how" => frame.details.manner = None,
        _ => {}
    }
    let mut realiser = writer.realiser();
    let subject = realiser.subject(&frame, Voice::Active);
    let Predicate { auxiliary, rest } = realiser.predicate(&frame, Voice::Active, subject.plural, true);
    Some(sentence(&join(&[word, &auxiliary, &subject.words, &rest]), '?'))
}

/// The cook did not peel the onions.
#[expect(clippy::unnecessary_wraps, reason = "one type for all constructions")]
pub(super) fn denial(writer: &mut Writer) -> Option<String> {
    let frame = writer.frame(LEAN);
    let mut realiser = writer.realiser();
    let subject = realiser.subject(&frame, Voice::Active);
    let Predicate { auxiliary, rest } = realiser.predicate(&frame, Voice::Active, subject.plural, true);
    let auxiliary = if auxiliary == "can" { "cannot".to_owned() } else { format!("{auxiliary} not") };
    Some(sentence(&join(&[&subject.words, &auxiliary, &rest]), '.'))
}

/// The cook decided to peel the onions.
pub(super) fn intention(writer: &mut Writer) -> Option<String> {
    let mut frame = writer.frame(LEAN);
    if writer.drawer().agent_class(&frame) != Class::Person {
        return None;
    }
    frame.tense = Tense::Past;
    let verb = writer.one_of(&[
        "tried to",
        "decided to",
        "refused to",
        "wanted to",
        "promised to",
        "managed to",
        "hoped to",
        "began to",
        "was able to",
        "agreed to",
        "learned to",
        "had to",
    ]);
    let mut realiser = writer.realiser();
    let subject = realiser.subject(&frame, Voice::Active);
    let verb = if subject.plural { verb.replace("was", "were") } else { verb.to_owned() };
    let action = realiser.nonfinite(&frame, false);
    let place = frame.details.place.map_or("", |place| realiser.wording.choose(place));
    Some(sentence(&join(&[&subject.words, &verb, &action, place]), '.'))
}

/// The onions that the cook peeled were fresh.
pub(super) fn relative_object(writer: &mut Writer) -> Option<String> {
    let mut frame = writer.frame(BARE);
    disown(&mut frame);
    if frame.complement.is_some() {
        return None;
    }
    let Some(Participant::Common(object)) = &mut frame.object else { return None };
    object.determiner = Determiner::Definite;
    let adjective = object.adjective.take()?;
    let kind = &writer.lexicon.domains[frame.domain].kinds[object.kind];
    let object = frame.object.take()?;
    let present =
        matches!(frame.tense, Tense::Present | Tense::Progressive | Tense::Future | Tense::Modal(_));
    let mut realiser = writer.realiser();
    let head = realiser.noun_phrase(&frame, &object);
    let pronoun = if kind.class == Class::Person { "whom" } else { "that" };
    // Without its object the clause has a gap where the pronoun belongs.
    let aside = realiser.clause(&frame, Style::PLAIN);
    let be = be(present, head.plural);
    let degree = if realiser.wording.chance(0.4) { "very" } else { "" };
    let adjective = realiser.wording.choose(&kind.adjectives[adjective]);
    let clause =
        join(&[&head.words, pronoun, &aside, be, if gradable(adjective) { degree } else { "" }, adjective]);
    Some(sentence(&clause, '.'))
}

/// The onions in the kitchen were fresh and large.
pub(super) fn description(writer: &mut Writer) -> Option<String> {
    let mut frame = writer.frame(BARE);
    disown(&mut frame);
    let Some(Participant::Common(object)) = &mut frame.object else { return None };
    object.determiner = Determiner::Definite;
    object.adjective = None;
    let kind = &writer.lexicon.domains[frame.domain].kinds[object.kind];
    let [one, two] = writer.draws.distinct(kind.adjectives.len(), 2)[..] else { return None };
    let (one, two) = (&kind.adjectives[one as usize], &kind.adjectives[two as usize]);
    if SCALES.iter().any(|scale| overlap(scale, one) && overlap(scale, two)) {
        return None;
    }
    let place = writer.drawer().place(frame.domain);
    let (placed, link) = (writer.draws.unit() < 0.6, writer.one_of(&["and", "but"]));
    let present = writer.draws.unit() < 0.35;
    let object = frame.object.take()?;
    let mut realiser = writer.realiser();
    let subject = realiser.noun_phrase(&frame, &object);
    let place = if placed { realiser.wording.choose(place) } else { "" };
    let (one, two) = (realiser.wording.choose(one), realiser.wording.choose(two));
    let be = be(present, subject.plural);
    Some(sentence(&join(&[&subject.words, place, be, one, link, two]), '.'))
}

/// There were three onions in the kitchen.
pub(super) fn existence(writer: &mut Writer) -> Option<String> {
    let mut frame = writer.frame(BARE);
    disown(&mut frame);
    let Some(Participant::Common(object)) = &mut frame.object else { return None };
    object.determiner = Determiner::Indefinite;
    if object.number == Number::Quantity("most") {
        return None;
    }
    let place = writer.drawer().place(frame.domain);
    let time = writer.drawer().time(frame.domain, Tense::Past);
    let timed = writer.draws.unit() < 0.6;
    let object = frame.object.take()?;
    frame.details.place = Some(place);
    frame.details.time = timed.then_some(time);
    let mut realiser = writer.realiser();
    let subject = realiser.noun_phrase(&frame, &object);
    let details = realiser.late_details(&frame);
    Some(sentence(&join(&["there", be(false, subject.plural), &subject.words, &details]), '.'))
}

fn be(present: bool, plural: bool) -> &'static str {
    match (present, plural) {
        (true, true) => "are",
        (true, false) => "is",
        (false, true) => "were",
        (false, false) => "was",
    }
}

/// Whether `very` can precede an adjective.
fn gradable(adjective: &str) -> bool {
    const ABSOLUTE: [&str; 12] = [
        "first", "final", "missing", "daily", "weekly", "annual", "yearly", "electric", "left", "right",
        "whole", "raw",
    ];
    !ABSOLUTE.contains(&adjective) && !adjective.ends_with("ed") && !adjective.contains('-')
}
