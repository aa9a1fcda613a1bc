//! Constructions of two events.

use super::{BARE, LEAN, Writer, disown};
use crate::demo::meaning::{Determiner, Frame, Number, Participant, Tense};
use crate::demo::realise::{Style, Voice, join, sentence};
use crate::demo::vocabulary::{Class, overlap};

/// The cook peeled the onions and washed the pan.
pub(super) fn same_agent(writer: &mut Writer) -> Option<String> {
    let first = writer.frame(LEAN);
    let mut second = writer.frame_like(&first, LEAN);
    second.agent = shared_agent(writer, &first, &second)?;
    second.details.time = None;
    let link = writer.one_of(&["and", "and then", "but also", "or"]);
    let mut realiser = writer.realiser();
    let subject = realiser.subject(&first, Voice::Active);
    let one = realiser.predicate(&first, Voice::Active, subject.plural, false);
    let two = realiser.predicate(&second, Voice::Active, subject.plural, false);
    let clause = join(&[&subject.words, &one.auxiliary, &one.rest, link, &two.auxiliary, &two.rest]);
    Some(sentence(&clause, '.'))
}

/// The cook peeled the onions, and the waiter washed the pan.
pub(super) fn two_clauses(writer: &mut Writer) -> Option<String> {
    let first = writer.frame(LEAN);
    let mut second = writer.frame_like(&first, LEAN);
    if first.agent == second.agent {
        return None;
    }
    second.details.time = None;
    let link = writer.one_of(&[", and", ", but", ", so", "; meanwhile,", "; in the end,"]);
    let mut realiser = writer.realiser();
    let one = realiser.clause(&first, Style::PLAIN);
    let two = realiser.clause(&second, Style::PLAIN);
    Some(sentence(&format!("{one}{link} {two}"), '.'))
}

/// While the cook peeled the onions, the waiter washed the pan.
pub(super) fn subordinate(writer: &mut Writer) -> Option<String> {
    let mut first = writer.frame(BARE);
    first.tense = writer.one_of(&[Tense::Past, Tense::Past, Tense::Present]);
    let mut second = writer.frame_like(&first, LEAN);
    if first.agent == second.agent {
        return None;
    }
    let words = match first.tense {
        Tense::Past => &["while", "after", "before", "because", "although", "when"][..],
        _ => &["if", "whenever", "because", "unless", "until"][..],
    };
    let word = writer.one_of(words);
    // In the past tense, the earlier event takes the past perfect.
    if word == "after" {
        first.tense = Tense::PastPerfect;
    }
    second.details.time = None;
    let first_comes_first = writer.draws.unit() < 0.5 && word != "until";
    let mut realiser = writer.realiser();
    let one = realiser.clause(&first, Style::PLAIN);
    let two = realiser.clause(&second, Style::PLAIN);
    let clause =
        if first_comes_first { format!("{word} {one}, {two}") } else { format!("{two} {word} {one}") };
    Some(sentence(&clause, '.'))
}

/// Before peeling the onions, the cook washed the pan.
pub(super) fn participle_clause(writer: &mut Writer) -> Option<String> {
    let first = writer.frame(LEAN);
    let mut second = writer.frame_like(&first, BARE);
    second.agent = shared_agent(writer, &first, &second)?;
    disown(&mut second);
    let word = writer.one_of(&["before", "after", "instead of", "without", "while", "by"]);
    let comes_first = writer.draws.unit() < 0.5;
    let mut realiser = writer.realiser();
    let aside = realiser.nonfinite(&second, true);
    let main = realiser.clause(&first, Style::PLAIN);
    let clause =
        if comes_first { format!("{word} {aside}, {main}") } else { format!("{main} {word} {aside}") };
    Some(sentence(&clause, '.'))
}

/// The cook who peeled the onions washed the pan.
pub(super) fn relative_subject(writer: &mut Writer) -> Option<String> {
    let first = writer.frame(BARE);
    let mut second = writer.frame_like(&first, LEAN);
    second.agent = shared_agent(writer, &first, &second)?;
    let Participant::Common(agent) = &mut second.agent else { return None };
    agent.determiner = Determiner::Definite;
    let mut realiser = writer.realiser();
    let subject = realiser.subject(&second, Voice::Active);
    let pronoun = realiser.relative(&second, &second.agent);
    let aside = realiser.predicate(&first, Voice::Active, subject.plural, false);
    let main = realiser.predicate(&second, Voice::Active, subject.plural, false);
    let clause = join(&[&subject.words, pronoun, &aside.auxiliary, &aside.rest, &main.auxiliary, &main.rest]);
    Some(sentence(&clause, '.'))
}

/// Mary said that she had peeled the onions.
pub(super) fn reported(writer: &mut Writer) -> Option<String> {
    let mut inner = writer.frame(LEAN);
    inner.tense = writer.one_of(&[
        Tense::PastPerfect,
        Tense::Modal("would"),
        Tense::PastProgressive,
        Tense::Modal("could"),
    ]);
    inner.details.time = None;
    let outer = writer.frame_like(&inner, BARE);
    let class = writer.drawer().agent_class(&outer);
    if class != Class::Person {
        return None;
    }
    let verb =
        writer.one_of(&["said", "explained", "claimed", "believed", "knew", "announced", "feared", "heard"]);
    let same = outer.agent == inner.agent || writer.draws.unit() < 0.25;
    let pronoun =
        pronoun(&outer.agent).filter(|_| same && writer.drawer().agent_class(&inner) == Class::Person);
    let mut realiser = writer.realiser();
    let speaker = realiser.subject(&outer, Voice::Active).words;
    let told = match pronoun {
        Some(pronoun) => {
            disown(&mut inner);
            let predicate = realiser.predicate(&inner, Voice::Active, pronoun == "they", false);
            join(&[pronoun, &predicate.auxiliary, &predicate.rest])
        }
        None => realiser.clause(&inner, Style::PLAIN),
    };
    Some(sentence(&join(&[&speaker, verb, "that", &told]), '.'))
}

/// The first frame's agent, if it can do the second event and the verbs differ.
fn shared_agent(writer: &Writer, first: &Frame, second: &Frame) -> Option<Participant> {
    let events = &writer.lexicon.domains[first.domain].events;
    let (one, two) = (&events[first.event], &events[second.event]);
    let able = match (&first.agent, &second.agent) {
        (Participant::Common(agent), _) => two.agents.contains(&agent.kind),
        (Participant::Name { .. }, Participant::Common(own)) => {
            writer.lexicon.domains[first.domain].kinds[own.kind].class == Class::Person
        }
        _ => true,
    };
    (able && !overlap(&one.verb, &two.verb)).then(|| first.agent.clone())
}

fn pronoun(agent: &Participant) -> Option<&'static str> {
    match agent {
        Participant::Name { woman, .. } => Some(if *woman { "she" } else { "he" }),
        Participant::Common(agent) if agent.number != Number::One => Some("they"),
        Participant::Common(_) => None,
    }
}
