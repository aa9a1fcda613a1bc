//! The vocabulary, read from its tables: domains, kinds of nouns, events, and words shared by all domains.
mod home;
mod leisure;
mod nature;
mod science;
mod shared;
mod society;
mod table;

use std::sync::LazyLock;

pub(super) use shared::{COUNTS, SCALES};
pub(super) use table::Class;
use table::{DomainTable, KindTable};

/// Synonyms: words with one meaning.
pub(super) type Meaning = Vec<&'static str>;

/// All domains and shared words.
pub(super) struct Lexicon {
    pub(super) domains: Vec<Domain>,
    pub(super) men: Vec<&'static str>,
    pub(super) women: Vec<&'static str>,
    pub(super) times: Times,
    manners: [Vec<Meaning>; 3],
}

/// Time expressions, grouped by the tenses that allow them.
pub(super) struct Times {
    pub(super) past: Vec<Meaning>,
    pub(super) any: Vec<Meaning>,
    pub(super) habit: Vec<Meaning>,
    pub(super) now: Vec<Meaning>,
    pub(super) future: Vec<Meaning>,
    pub(super) perfect: Vec<Meaning>,
}

/// A domain of life with its nouns, events, places and reasons.
pub(super) struct Domain {
    pub(super) group: &'static str,
    pub(super) years: (u16, u16),
    pub(super) kinds: Vec<Kind>,
    pub(super) events: Vec<Event>,
    pub(super) places: Vec<Meaning>,
    pub(super) purposes: Vec<Meaning>,
    pub(super) causes: Vec<Meaning>,
}

/// Nouns that fill the same slots.
pub(super) struct Kind {
    pub(super) class: Class,
    pub(super) nouns: Vec<Noun>,
    pub(super) adjectives: Vec<Meaning>,
}

/// One meaning of a noun.
pub(super) struct Noun {
    pub(super) words: Meaning,
    /// A substance: no plural, no counting.
    pub(super) mass: bool,
}

/// One meaning of a verb with its typed slots (indices into the domain's kinds).
pub(super) struct Event {
    pub(super) verb: Meaning,
    pub(super) agents: Vec<usize>,
    pub(super) objects: Vec<usize>,
    pub(super) complement: Option<(&'static str, Vec<usize>)>,
}

impl Lexicon {
    /// The only lexicon, read on first use.
    pub(super) fn get() -> &'static Self {
        static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::read);
        &LEXICON
    }

    /// How agents of a class do things.
    pub(super) fn manners(&self, class: Class) -> &[Meaning] {
        &self.manners[class as usize]
    }

    fn read() -> Self {
        let tables = [
            home::COOKING,
            home::FAMILY,
            home::BUILDING,
            home::CLOTHING,
            nature::WEATHER,
            nature::ANIMALS,
            nature::FARMING,
            nature::SEA,
            society::LAW,
            society::FINANCE,
            society::HISTORY,
            society::SCHOOL,
            science::MEDICINE,
            science::COMPUTING,
            science::PHYSICS,
            leisure::SPORT,
            leisure::MUSIC,
            leisure::TRAVEL,
            leisure::ART,
        ];
        Self {
            domains: tables.iter().map(Domain::read).collect(),
            men: words(shared::MEN, ','),
            women: words(shared::WOMEN, ','),
            times: Times {
                past: meanings(shared::PAST_TIMES),
                any: meanings(shared::ANY_TIMES),
                habit: meanings(shared::HABIT_TIMES),
                now: meanings(shared::NOW_TIMES),
                future: meanings(shared::FUTURE_TIMES),
                perfect: meanings(shared::PERFECT_TIMES),
            },
            manners: [shared::PERSON_MANNERS, shared::ANIMAL_MANNERS, shared::THING_MANNERS].map(meanings),
        }
    }
}

impl Domain {
    fn read(table: &DomainTable) -> Self {
        let kinds = |names: &'static str| -> Vec<usize> {
            let position = |name| {
                let found = table.kinds.iter().position(|kind| kind.name == name);
                found.unwrap_or_else(|| panic!("domain {} has no kind '{name}'", table.name))
            };
            names.split_whitespace().map(position).collect()
        };
        let events = table.events.iter().flat_map(|event| {
            meanings(event.verbs).into_iter().map(|verb| Event {
                verb,
                agents: kinds(event.agents),
                objects: kinds(event.objects),
                complement: event.complement.map(|(preposition, names)| (preposition, kinds(names))),
            })
        });
        Self {
            group: table.group,
            years: table.years,
            kinds: table.kinds.iter().map(Kind::read).collect(),
            events: events.collect(),
            places: meanings(table.places),
            purposes: meanings(table.purposes),
            causes: meanings(table.causes),
        }
    }
}

impl Kind {
    fn read(table: &KindTable) -> Self {
        let nouns = meanings(table.nouns).into_iter().map(|words| Noun {
            mass: words[0].starts_with('~'),
            words: words.iter().map(|word| word.trim_start_matches('~')).collect(),
        });
        let general = match table.class {
            Class::Person => shared::PERSON_ADJECTIVES,
            Class::Animal => shared::ANIMAL_ADJECTIVES,
            Class::Thing => "",
        };
        let mut adjectives = meanings(table.adjectives);
        for meaning in meanings(general) {
            if !adjectives.iter().any(|own| overlap(own, &meaning)) {
                adjectives.push(meaning);
            }
        }
        Self { class: table.class, nouns: nouns.collect(), adjectives }
    }
}

/// Whether two meanings share a word; such a meaning is not a change of the other.
pub(super) fn overlap(a: &[&str], b: &[&str]) -> bool {
    a.iter().any(|word| b.contains(word))
}

fn meanings(list: &'static str) -> Vec<Meaning> {
    words(list, ',').into_iter().map(|entry| words(entry, '/')).collect()
}

fn words(list: &'static str, separator: char) -> Vec<&'static str> {
    list.split(separator).map(str::trim).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_well_formed() {
        let lexicon = Lexicon::get();
        for domain in &lexicon.domains {
            assert!(domain.events.len() >= 30, "{}: {} events", domain.group, domain.events.len());
            for event in &domain.events {
                assert!(!event.agents.is_empty() && !event.verb.is_empty(), "{:?}", event.verb);
            }
            for kind in &domain.kinds {
                assert!(kind.nouns.len() >= 4 && kind.adjectives.len() >= 2, "{:?}", kind.nouns[0].words);
                for noun in &kind.nouns {
                    assert!(!noun.words.iter().any(|word| word.contains('_')), "{:?}", noun.words);
                }
            }
            assert!(domain.places.len() >= 5 && domain.purposes.len() >= 4 && domain.causes.len() >= 3);
        }
    }
}
