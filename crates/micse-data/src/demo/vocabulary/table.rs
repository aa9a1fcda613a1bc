//! The written form of the vocabulary: short strings in constants, one domain each.
//!
//! In every list, commas separate entries and slashes separate synonyms: `soup/broth, stew` is two meanings. A
//! noun marked `~` is uncountable: it has no plural and no indefinite article (`~rice`). Events refer to kinds of
//! nouns by their names, separated by spaces. These typed slots make the sentences plausible.

/// The class of a kind of nouns: it determines adverbs, adjectives and relative pronouns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::demo) enum Class {
    Person,
    Animal,
    Thing,
}

/// A domain in its written form.
pub(super) struct DomainTable {
    pub(super) name: &'static str,
    /// The group of domains it belongs to: a subset of the demo STS.
    pub(super) group: &'static str,
    /// First and last year for events of this domain.
    pub(super) years: (u16, u16),
    pub(super) kinds: &'static [KindTable],
    pub(super) events: &'static [EventTable],
    pub(super) places: &'static str,
    /// Reasons that require intention.
    pub(super) purposes: &'static str,
    /// Reasons that do not.
    pub(super) causes: &'static str,
}

/// Nouns that fill the same slots, and adjectives that fit all of them.
pub(super) struct KindTable {
    pub(super) name: &'static str,
    pub(super) class: Class,
    pub(super) nouns: &'static str,
    pub(super) adjectives: &'static str,
}

pub(super) const fn people(name: &'static str, nouns: &'static str, adjectives: &'static str) -> KindTable {
    KindTable { name, class: Class::Person, nouns, adjectives }
}

pub(super) const fn animals(name: &'static str, nouns: &'static str, adjectives: &'static str) -> KindTable {
    KindTable { name, class: Class::Animal, nouns, adjectives }
}

pub(super) const fn things(name: &'static str, nouns: &'static str, adjectives: &'static str) -> KindTable {
    KindTable { name, class: Class::Thing, nouns, adjectives }
}

/// Who can do what to whom; each verb meaning in `verbs` is a separate event.
pub(super) struct EventTable {
    pub(super) agents: &'static str,
    pub(super) verbs: &'static str,
    /// Empty for verbs without an object.
    pub(super) objects: &'static str,
    /// A preposition and the kinds that can follow it, for verbs with a second complement.
    pub(super) complement: Option<(&'static str, &'static str)>,
}

pub(super) const fn event(agents: &'static str, verbs: &'static str, objects: &'static str) -> EventTable {
    EventTable { agents, verbs, objects, complement: None }
}

pub(super) const fn event_at(
    agents: &'static str,
    verbs: &'static str,
    objects: &'static str,
    preposition: &'static str,
    kinds: &'static str,
) -> EventTable {
    EventTable { agents, verbs, objects, complement: Some((preposition, kinds)) }
}

pub(super) const fn intransitive(agents: &'static str, verbs: &'static str) -> EventTable {
    EventTable { agents, verbs, objects: "", complement: None }
}
