//! The constructions of the demo corpus: ways to make one sentence of one or two frames.
use micse_random::Draws;

use super::meaning::{Determiner, Drawer, Frame, Number, Participant, Richness, Tense};
use super::realise::{Front, Predicate, Realiser, Style, Voice, join, sentence};
use super::vocabulary::{Class, Lexicon, overlap};
use super::wording::Wording;

/// A clause that is the whole sentence.
const FULL: Richness = Richness { names: 0.12, adjective: 0.32, time: 0.42, place: 0.38, manner: 0.28, reason: 0.16 };
/// A clause beside another.
const LEAN: Richness = Richness { names: 0.12, adjective: 0.22, time: 0.12, place: 0.16, manner: 0.14, reason: 0.0 };
/// No more than the event.
const BARE: Richness = Richness { names: 0.12, adjective: 0.3, time: 0.0, place: 0.0, manner: 0.0, reason: 0.0 };

/// A construction draws frames and words, or gives up where the frame does not suit it.
type Template = fn(&mut Writer) -> Option<String>;

/// The constructions and how often each is tried, in percent.
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

/// One sentence, by a construction chosen at random.
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

    /// Now and then the object belongs to the agent.
    fn own(&mut self, frame: &mut Frame) {
        let willed = self.drawer().agent_class(frame) == Class::Person;
        if willed && self.draws.unit() < 0.06 {
            if let Some(Participant::Common(object)) = &mut frame.object {
                if matches!(object.number, Number::One | Number::Many) {
                    object.determiner = Determiner::Possessive;
                }
            }
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

/// The cook peels the onions in the kitchen.
fn simple(writer: &mut Writer) -> Option<String> {
    let frame = writer.frame(FULL);
    let front = writer.front(&frame);
    let clause = writer.realiser().clause(&frame, Style { voice: Voice::Active, front });
    Some(sentence(&clause, '.'))
}

/// The onions were peeled (by the cook).
fn passive(writer: &mut Writer) -> Option<String> {
    let mut frame = writer.frame(FULL);
    disown(&mut frame);
    frame.object.as_ref()?;
    let voice = writer.one_of(&[Voice::Passive, Voice::Passive, Voice::PassiveWithoutAgent]);
    let front = writer.front(&frame);
    let clause = writer.realiser().clause(&frame, Style { voice, front });
    Some(sentence(&clause, '.'))
}

/// The cook peeled the onions and washed the pan.
fn same_agent(writer: &mut Writer) -> Option<String> {
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
fn two_clauses(writer: &mut Writer) -> Option<String> {
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
fn subordinate(writer: &mut Writer) -> Option<String> {
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
    // In the past, what came after follows a pluperfect.
    if word == "after" {
        first.tense = Tense::PastPerfect;
    }
    second.details.time = None;
    let first_comes_first = writer.draws.unit() < 0.5 && word != "until";
    let mut realiser = writer.realiser();
    let one = realiser.clause(&first, Style::PLAIN);
    let two = realiser.clause(&second, Style::PLAIN);
    let clause = if first_comes_first { format!("{word} {one}, {two}") } else { format!("{two} {word} {one}") };
    Some(sentence(&clause, '.'))
}

/// Before peeling the onions, the cook washed the pan.
fn participle_clause(writer: &mut Writer) -> Option<String> {
    let first = writer.frame(LEAN);
    let mut second = writer.frame_like(&first, BARE);
    second.agent = shared_agent(writer, &first, &second)?;
    disown(&mut second);
    let word = writer.one_of(&["before", "after", "instead of", "without", "while", "by"]);
    let comes_first = writer.draws.unit() < 0.5;
    let mut realiser = writer.realiser();
    let aside = realiser.nonfinite(&second, true);
    let main = realiser.clause(&first, Style::PLAIN);
    let clause = if comes_first { format!("{word} {aside}, {main}") } else { format!("{main} {word} {aside}") };
    Some(sentence(&clause, '.'))
}

/// The cook who peeled the onions washed the pan.
fn relative_subject(writer: &mut Writer) -> Option<String> {
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
    let clause =
        join(&[&subject.words, pronoun, &aside.auxiliary, &aside.rest, &main.auxiliary, &main.rest]);
    Some(sentence(&clause, '.'))
}

/// The onions that the cook peeled were fresh.
fn relative_object(writer: &mut Writer) -> Option<String> {
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
    let present = matches!(frame.tense, Tense::Present | Tense::Progressive | Tense::Future | Tense::Modal(_));
    let mut realiser = writer.realiser();
    let head = realiser.noun_phrase(&frame, &object);
    let pronoun = if kind.class == Class::Person { "whom" } else { "that" };
    // Without its object the clause has a gap where the pronoun belongs.
    let aside = realiser.clause(&frame, Style::PLAIN);
    let be = be(present, head.plural);
    let degree = if realiser.wording.chance(0.4) { "very" } else { "" };
    let adjective = realiser.wording.choose(&kind.adjectives[adjective]);
    let clause = join(&[&head.words, pronoun, &aside, be, if gradable(adjective) { degree } else { "" }, adjective]);
    Some(sentence(&clause, '.'))
}

/// Mary said that she had peeled the onions.
fn reported(writer: &mut Writer) -> Option<String> {
    let mut inner = writer.frame(LEAN);
    inner.tense = writer.one_of(&[Tense::PastPerfect, Tense::Modal("would"), Tense::PastProgressive, Tense::Modal("could")]);
    inner.details.time = None;
    let outer = writer.frame_like(&inner, BARE);
    let class = writer.drawer().agent_class(&outer);
    if class != Class::Person {
        return None;
    }
    let verb = writer.one_of(&["said", "explained", "claimed", "believed", "knew", "announced", "feared", "heard"]);
    let same = outer.agent == inner.agent || writer.draws.unit() < 0.25;
    let pronoun = pronoun(&outer.agent).filter(|_| same && writer.drawer().agent_class(&inner) == Class::Person);
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

/// Did the cook peel the onions?
fn question(writer: &mut Writer) -> Option<String> {
    let frame = writer.frame(LEAN);
    let word = writer.one_of(&["", "", "why", "how", "when"]);
    let mut frame = frame;
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

/// The cook decided to peel the onions.
fn intention(writer: &mut Writer) -> Option<String> {
    let mut frame = writer.frame(LEAN);
    if writer.drawer().agent_class(&frame) != Class::Person {
        return None;
    }
    frame.tense = Tense::Past;
    let verb = writer.one_of(&[
        "tried to", "decided to", "refused to", "wanted to", "promised to", "managed to", "hoped to", "began to",
        "was able to", "agreed to", "learned to", "had to",
    ]);
    let mut realiser = writer.realiser();
    let subject = realiser.subject(&frame, Voice::Active);
    let verb = if subject.plural { verb.replace("was", "were") } else { verb.to_owned() };
    let action = realiser.nonfinite(&frame, false);
    let place = frame.details.place.map_or("", |place| realiser.wording.choose(place));
    Some(sentence(&join(&[&subject.words, &verb, &action, place]), '.'))
}

/// The cook did not peel the onions.
fn denial(writer: &mut Writer) -> Option<String> {
    let frame = writer.frame(LEAN);
    let mut realiser = writer.realiser();
    let subject = realiser.subject(&frame, Voice::Active);
    let Predicate { auxiliary, rest } = realiser.predicate(&frame, Voice::Active, subject.plural, true);
    let auxiliary = if auxiliary == "can" { "cannot".to_owned() } else { format!("{auxiliary} not") };
    Some(sentence(&join(&[&subject.words, &auxiliary, &rest]), '.'))
}

/// The onions in the kitchen were fresh and large.
fn description(writer: &mut Writer) -> Option<String> {
    let mut frame = writer.frame(BARE);
    disown(&mut frame);
    let Some(Participant::Common(object)) = &mut frame.object else { return None };
    object.determiner = Determiner::Definite;
    object.adjective = None;
    let kind = &writer.lexicon.domains[frame.domain].kinds[object.kind];
    let [one, two] = writer.draws.distinct(kind.adjectives.len(), 2)[..] else { return None };
    let (one, two) = (&kind.adjectives[one as usize], &kind.adjectives[two as usize]);
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
fn existence(writer: &mut Writer) -> Option<String> {
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

/// Takes possessives away where the agent is not named before the object.
fn disown(frame: &mut Frame) {
    if let Some(Participant::Common(object)) = &mut frame.object {
        if object.determiner == Determiner::Possessive {
            object.determiner = Determiner::Definite;
        }
    }
}

fn pronoun(agent: &Participant) -> Option<&'static str> {
    match agent {
        Participant::Name { woman, .. } => Some(if *woman { "she" } else { "he" }),
        Participant::Common(agent) if agent.number != Number::One => Some("they"),
        Participant::Common(_) => None,
    }
}

fn be(present: bool, plural: bool) -> &'static str {
    match (present, plural) {
        (true, true) => "are",
        (true, false) => "is",
        (false, true) => "were",
        (false, false) => "was",
    }
}

/// Whether `very` can stand before an adjective.
fn gradable(adjective: &str) -> bool {
    const ABSOLUTE: [&str; 12] = [
        "first", "final", "missing", "daily", "weekly", "annual", "yearly", "electric", "left", "right", "whole", "raw",
    ];
    !ABSOLUTE.contains(&adjective) && !adjective.ends_with("ed") && !adjective.contains('-')
}
