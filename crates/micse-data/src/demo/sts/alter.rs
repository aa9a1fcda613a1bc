//! Alterations of a frame, each with its score.
use crate::demo::meaning::{Common, Drawer, Frame, Number, Participant, Richness};
use crate::demo::vocabulary::{COUNTS, Meaning, overlap};

/// How a meaning is altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::demo) enum Level {
    Unrelated,
    Group,
    Domain,
    EventAndParticipant,
    Event,
    ParticipantAndDetail,
    Participant,
    Details,
    Detail,
    Adjective,
    Paraphrase,
}

impl Level {
    /// The score, 0 to 5.
    pub(super) fn score(self) -> f64 {
        f64::from(self as u8) / 2.0
    }

    /// The name in the STS files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unrelated => "unrelated",
            Self::Group => "group",
            Self::Domain => "domain",
            Self::EventAndParticipant => "event+participant",
            Self::Event => "event",
            Self::ParticipantAndDetail => "participant+detail",
            Self::Participant => "participant",
            Self::Details => "details",
            Self::Detail => "detail",
            Self::Adjective => "adjective",
            Self::Paraphrase => "paraphrase",
        }
    }
}

/// The altered frame; `None` if the frame does not allow the alteration (a new frame is drawn then).
pub(super) fn alter(drawer: &mut Drawer, frame: &Frame, level: Level) -> Option<Frame> {
    let mut other = frame.clone();
    match level {
        Level::Paraphrase => {}
        Level::Adjective => toggle_adjective(drawer, &mut other)?,
        Level::Detail => change_details(drawer, &mut other, 1)?,
        Level::Details => change_details(drawer, &mut other, 2)?,
        Level::Participant => change_participant(drawer, &mut other)?,
        Level::ParticipantAndDetail => {
            change_participant(drawer, &mut other)?;
            change_details(drawer, &mut other, 1)?;
        }
        Level::Event => change_event(drawer, &mut other)?,
        Level::EventAndParticipant => {
            change_event(drawer, &mut other)?;
            change_participant(drawer, &mut other)?;
        }
        Level::Domain => {
            other = shaped_like(drawer, frame, frame.domain)?;
            let shared = used(drawer, frame).iter().any(|word| used(drawer, &other).contains(word));
            if shared {
                return None;
            }
        }
        Level::Group | Level::Unrelated => {
            let domains = &drawer.lexicon.domains;
            let near =
                |i: &usize| (domains[*i].group == domains[frame.domain].group) == (level == Level::Group);
            let others: Vec<_> = (0..domains.len()).filter(|i| *i != frame.domain).filter(near).collect();
            let domain = *drawer.one_of(&others);
            other = shaped_like(drawer, frame, domain)?;
            if used(drawer, frame).iter().any(|word| used(drawer, &other).contains(word)) {
                return None;
            }
        }
    }
    Some(other)
}

/// All words that can express the event and its participants.
fn used(drawer: &Drawer, frame: &Frame) -> Vec<&'static str> {
    let mut words = drawer.event(frame.domain, frame.event).verb.clone();
    let participants = [Some(&frame.agent), frame.object.as_ref(), frame.complement.as_ref()];
    for participant in participants.into_iter().flatten() {
        if let Participant::Common(common) = participant {
            words.extend(&drawer.noun(frame.domain, common).words);
        }
    }
    words
}

/// A frame of another meaning with the same shape: filled slots, tense, determiners and numbers. Time and manner
/// are often copied too.
fn shaped_like(drawer: &mut Drawer, frame: &Frame, domain: usize) -> Option<Frame> {
    let shape = &frame.details;
    let rich = |there: bool| if there { 1.0 } else { 0.0 };
    let richness = Richness {
        names: 0.0,
        adjective: 0.5,
        time: rich(shape.time.is_some()),
        place: rich(shape.place.is_some()),
        manner: rich(shape.manner.is_some()),
        reason: rich(shape.reason.is_some()),
    };
    let mut other = drawer.frame_in(domain, frame.tense, richness);
    if other.object.is_some() != frame.object.is_some()
        || other.complement.is_some() != frame.complement.is_some()
    {
        return None;
    }
    copy_form(drawer, &frame.agent, domain, &mut other.agent);
    if let (Some(from), Some(to)) = (&frame.object, &mut other.object) {
        copy_form(drawer, from, domain, to);
    }
    if let (Some(from), Some(to)) = (&frame.complement, &mut other.complement) {
        copy_form(drawer, from, domain, to);
    }
    if drawer.chance(0.6) {
        other.details.time = frame.details.time;
    }
    if drawer.agent_class(frame) == drawer.agent_class(&other) && drawer.chance(0.6) {
        other.details.manner = frame.details.manner;
    }
    Some(other)
}

/// Copies number, determiner and the presence of an adjective.
fn copy_form(drawer: &mut Drawer, from: &Participant, domain: usize, to: &mut Participant) {
    let (Participant::Common(from), Participant::Common(to)) = (from, to) else { return };
    to.determiner = from.determiner;
    if !drawer.noun(domain, to).mass {
        to.number = from.number;
    }
    to.adjective = from.adjective.map(|_| drawer.below(drawer.kind(domain, to.kind).adjectives.len()));
}

/// Removes an adjective from agent or object, or adds one.
fn toggle_adjective(drawer: &mut Drawer, frame: &mut Frame) -> Option<()> {
    let domain = frame.domain;
    let on_agent = frame.object.is_none() || drawer.chance(0.5);
    let Participant::Common(common) = (if on_agent { &mut frame.agent } else { frame.object.as_mut()? })
    else {
        return None;
    };
    common.adjective = match common.adjective {
        Some(_) => None,
        None => Some(drawer.below(drawer.kind(domain, common.kind).adjectives.len())),
    };
    Some(())
}

/// Removes or changes this many different details.
fn change_details(drawer: &mut Drawer, frame: &mut Frame, count: usize) -> Option<()> {
    let mut there = Vec::new();
    let details = &frame.details;
    for (i, present) in
        [details.time.is_some(), details.place.is_some(), details.manner.is_some(), details.reason.is_some()]
            .into_iter()
            .enumerate()
    {
        if present {
            there.push(i);
        }
    }
    if counted(frame).is_some() {
        there.push(4);
    }
    if there.len() < count {
        return None;
    }
    for i in drawer.draws.distinct(there.len(), count) {
        let drop = drawer.chance(0.4);
        let fresh = frame.clone();
        let details = &mut frame.details;
        match there[i as usize] {
            0 => {
                let time = drawer.time(fresh.domain, fresh.tense);
                if Some(time) == details.time {
                    return None;
                }
                details.time = (!drop).then_some(time);
            }
            1 => change(&mut details.place, drawer.place(fresh.domain), drop)?,
            2 => change(&mut details.manner, drawer.manner(&fresh), drop)?,
            3 => change(&mut details.reason, drawer.reason(&fresh), drop)?,
            _ => {
                let count = drawer.count();
                let common = counted(frame)?;
                let Number::Counted(old) = common.number else { return None };
                common.number = Number::Counted(if count == old { (old + 1) % COUNTS.len() } else { count });
            }
        }
    }
    Some(())
}

/// Removes a detail, or replaces it with one that shares no word.
fn change(detail: &mut Option<&'static Meaning>, new: &'static Meaning, drop: bool) -> Option<()> {
    if !drop && overlap((*detail)?, new) {
        return None;
    }
    *detail = (!drop).then_some(new);
    Some(())
}

/// The participant with a number word, if there is one.
fn counted(frame: &mut Frame) -> Option<&mut Common> {
    [Some(&mut frame.agent), frame.object.as_mut()].into_iter().flatten().find_map(|participant| {
        match participant {
            Participant::Common(common) if matches!(common.number, Number::Counted(_)) => Some(common),
            _ => None,
        }
    })
}

/// Replaces the noun of agent or object with another of a suitable kind; half the time, its adjective is dropped.
fn change_participant(drawer: &mut Drawer, frame: &mut Frame) -> Option<()> {
    let domain = frame.domain;
    let event = drawer.event(domain, frame.event);
    let on_agent = frame.object.is_none() || drawer.chance(0.5);
    let kinds = if on_agent { &event.agents } else { &event.objects };
    let kind = *drawer.one_of(kinds);
    let noun = drawer.below(drawer.kind(domain, kind).nouns.len());
    let others = used(drawer, frame);
    let Participant::Common(common) = (if on_agent { &mut frame.agent } else { frame.object.as_mut()? })
    else {
        return None;
    };
    let words = &drawer.kind(domain, kind).nouns[noun];
    // Another class needs other adverbs.
    if overlap(&others, &words.words)
        || drawer.kind(domain, kind).class != drawer.kind(domain, common.kind).class
    {
        return None;
    }
    if common.kind != kind {
        common.adjective = common.adjective.map(|_| drawer.below(drawer.kind(domain, kind).adjectives.len()));
    }
    (common.kind, common.noun) = (kind, noun);
    if words.mass {
        common.number = Number::One;
    }
    Some(())
}

/// Replaces the frame's event with another one that allows the same agent and object.
fn change_event(drawer: &mut Drawer, frame: &mut Frame) -> Option<()> {
    let (Participant::Common(agent), object) = (&frame.agent, frame.object.as_ref()) else { return None };
    let old = drawer.event(frame.domain, frame.event);
    let events = &drawer.domain(frame.domain).events;
    let fitting: Vec<_> = (0..events.len())
        .filter(|&i| {
            let event = &events[i];
            let object_fits = match object {
                Some(Participant::Common(object)) => event.objects.contains(&object.kind),
                _ => event.objects.is_empty(),
            };
            event.agents.contains(&agent.kind)
                && object_fits
                && event.complement.is_none()
                && !overlap(&event.verb, &old.verb)
        })
        .collect();
    if fitting.is_empty() {
        return None;
    }
    frame.event = *drawer.one_of(&fitting);
    frame.complement = None;
    Some(())
}
