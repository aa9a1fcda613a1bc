//! The demo treebank: sentences of a small grammar that writes the dependency tree with the words.
//!
//! Every sentence is one clause: an agent, an event, and at times an object, a place and a manner, active or passive.
//! The relations are those of Universal Dependencies. The grammar has few constructions, so that many sentences share
//! a tree, and many others have the same length and a different tree.

use std::collections::HashSet;
use std::fmt::Write as _;

use micse_random::{Draws, Stream};

use super::morphology::{article, gerund, participle, past, plural};
use super::vocabulary::{Class, Domain, Lexicon};

/// Number of sentences.
pub const TREEBANK_SENTENCES: usize = 400;

/// Seed of the treebank.
const SEED: u64 = 0x7472_6565_7300_0001;

/// A word with its place in the tree.
struct Entry {
    form: String,
    lemma: String,
    upos: &'static str,
    /// Index of the head in the phrase; the phrase's own head points to itself.
    head: usize,
    relation: &'static str,
}

/// Words with one head, which the clause attaches.
struct Phrase {
    words: Vec<Entry>,
    head: usize,
}

/// The contents of `demo.conllu`.
///
/// To write the shipped file, run `cargo run --release -p micse-data --example write_demo_treebank --
/// data/treebank-demo`.
pub fn treebank_file() -> String {
    let mut writer = Writer { lexicon: Lexicon::get(), draws: Stream::new(SEED).draws() };
    let (mut seen, mut file) = (HashSet::new(), String::new());
    while seen.len() < TREEBANK_SENTENCES {
        let Some(words) = writer.clause() else { continue };
        let text = surface(&words);
        if seen.insert(text.clone()) {
            write_sentence(&mut file, seen.len(), &text, &words);
        }
    }
    file
}

fn surface(words: &[Entry]) -> String {
    let mut text = String::new();
    for word in words {
        if !text.is_empty() && word.upos != "PUNCT" {
            text.push(' ');
        }
        text.push_str(&word.form);
    }
    text
}

fn write_sentence(file: &mut String, number: usize, text: &str, words: &[Entry]) {
    // Writing into a String cannot fail.
    let _ = writeln!(file, "# sent_id = demo-{number}\n# text = {text}");
    for (i, word) in words.iter().enumerate() {
        let head = if word.head == i { 0 } else { word.head + 1 };
        let misc =
            if words.get(i + 1).is_some_and(|next| next.upos == "PUNCT") { "SpaceAfter=No" } else { "_" };
        let _ = writeln!(
            file,
            "{}\t{}\t{}\t{}\t_\t_\t{head}\t{}\t_\t{misc}",
            i + 1,
            word.form,
            word.lemma,
            word.upos,
            word.relation
        );
    }
    file.push('\n');
}

fn one(form: &str, lemma: &str, upos: &'static str) -> Phrase {
    let word = Entry { form: form.into(), lemma: lemma.into(), upos, head: 0, relation: "root" };
    Phrase { words: vec![word], head: 0 }
}

struct Writer {
    lexicon: &'static Lexicon,
    draws: Draws,
}

impl Writer {
    /// A clause; `None` if the drawn event needs words that this grammar does not have.
    fn clause(&mut self) -> Option<Vec<Entry>> {
        let lexicon = self.lexicon;
        let domain = self.one_of(&lexicon.domains);
        let event = self.one_of(&domain.events);
        let verb = *event.verb.iter().find(|verb| !verb.contains([' ', '_']))?;
        if event.complement.is_some() {
            return None;
        }
        let (agent, agents, class) = self.participant(domain, &event.agents)?;
        let object =
            if event.objects.is_empty() { None } else { Some(self.participant(domain, &event.objects)?) };
        let passive = object.is_some() && self.chance(0.25);
        let early = self.chance(0.2).then(|| self.manner(class)).flatten();
        let late = if early.is_none() && self.chance(0.2) { self.manner(class) } else { None };
        let place = if self.chance(0.3) { self.place(domain) } else { None };

        // Who is the subject, what is left of the object, and who is named after `by`.
        let (subject, many, object, by) = match object {
            Some((object, many, _)) if passive => (object, many, None, self.chance(0.6).then_some(agent)),
            object => (agent, agents, object.map(|(object, ..)| object), None),
        };
        let mut parts: Vec<(Phrase, &'static str)> =
            vec![(subject, if passive { "nsubj:pass" } else { "nsubj" })];
        let main = if passive {
            parts.push((one(if many { "were" } else { "was" }, "be", "AUX"), "aux:pass"));
            participle(verb)
        } else {
            match self.draws.unit() {
                u if u < 0.6 => past(verb),
                u if u < 0.8 => {
                    parts.push((one("will", "will", "AUX"), "aux"));
                    verb.to_owned()
                }
                _ => {
                    parts.push((one(if many { "are" } else { "is" }, "be", "AUX"), "aux"));
                    gerund(verb)
                }
            }
        };
        parts.extend(early.map(|manner| (manner, "advmod")));
        let root = parts.len();
        parts.push((one(&main, verb, "VERB"), "root"));
        parts.extend(object.map(|object| (object, "obj")));
        parts.extend(by.map(|agent| (with_case("by", agent), "obl:agent")));
        parts.extend(place.map(|place| (place, "obl")));
        parts.extend(late.map(|manner| (manner, "advmod")));
        parts.push((one(".", ".", "PUNCT"), "punct"));
        Some(assemble(parts, root))
    }

    /// A noun phrase of one of these kinds, whether it is plural, and its class.
    fn participant(&mut self, domain: &'static Domain, kinds: &[usize]) -> Option<(Phrase, bool, Class)> {
        let kind = &domain.kinds[*self.one_of(kinds)];
        if kind.class == Class::Person && self.chance(0.15) {
            let names = if self.chance(0.5) { &self.lexicon.men } else { &self.lexicon.women };
            let name = *self.one_of(names);
            return Some((one(name, name, "PROPN"), false, kind.class));
        }
        let noun = self.one_of(&kind.nouns);
        let lemma = *noun.words.iter().find(|word| !word.contains(' '))?;
        let many = !noun.mass && self.chance(0.3);
        let form = if many { plural(lemma) } else { lemma.to_owned() };
        let adjective = if self.chance(0.35) {
            let meaning = self.one_of(&kind.adjectives);
            meaning.iter().find(|word| !word.contains([' ', '-']))
        } else {
            None
        };
        let definite = noun.mass || self.chance(0.7);
        let first = adjective.copied().unwrap_or(form.as_str());
        let determiner = match (definite, many) {
            (true, _) => "the",
            (false, true) => "",
            (false, false) => article(first),
        };
        let mut words = Vec::new();
        let mut add = |form: &str, lemma: &str, upos, relation| {
            words.push(Entry { form: form.into(), lemma: lemma.into(), upos, head: 0, relation });
        };
        if !determiner.is_empty() {
            add(determiner, if definite { "the" } else { "a" }, "DET", "det");
        }
        if let Some(adjective) = adjective {
            add(adjective, adjective, "ADJ", "amod");
        }
        add(&form, lemma, "NOUN", "root");
        let head = words.len() - 1;
        for word in &mut words {
            word.head = head;
        }
        Some((Phrase { words, head }, many, kind.class))
    }

    /// An adverb for agents of this class, if the drawn manner is one word.
    fn manner(&mut self, class: Class) -> Option<Phrase> {
        let lexicon = self.lexicon;
        let meaning = self.one_of(lexicon.manners(class));
        let word = *meaning.iter().find(|word| !word.contains(' '))?;
        Some(one(word, word, "ADV"))
    }

    /// `in the kitchen`, if the drawn place has this form.
    fn place(&mut self, domain: &'static Domain) -> Option<Phrase> {
        let meaning = self.one_of(&domain.places);
        let words: Vec<&str> = meaning[0].split(' ').collect();
        let [case, "the", noun] = words[..] else { return None };
        let the = Entry { form: "the".into(), lemma: "the".into(), upos: "DET", head: 1, relation: "det" };
        // The lemma of a place is its form; no reader of this treebank uses lemmas.
        let noun = Entry { form: noun.into(), lemma: noun.into(), upos: "NOUN", head: 1, relation: "root" };
        Some(with_case(case, Phrase { words: vec![the, noun], head: 1 }))
    }

    fn chance(&mut self, p: f64) -> bool {
        self.draws.unit() < p
    }

    fn one_of<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        &list[self.draws.below(list.len() as u64) as usize]
    }
}

/// A noun phrase behind a preposition.
fn with_case(preposition: &str, mut phrase: Phrase) -> Phrase {
    for word in &mut phrase.words {
        word.head += 1;
    }
    let head = phrase.head + 1;
    let case =
        Entry { form: preposition.into(), lemma: preposition.into(), upos: "ADP", head, relation: "case" };
    phrase.words.insert(0, case);
    Phrase { words: phrase.words, head }
}

/// The words of all phrases in order. The heads of the phrases depend on the head of phrase `root`.
fn assemble(parts: Vec<(Phrase, &'static str)>, root: usize) -> Vec<Entry> {
    let starts: Vec<usize> = parts
        .iter()
        .scan(0, |next, (phrase, _)| {
            let start = *next;
            *next += phrase.words.len();
            Some(start)
        })
        .collect();
    let verb = starts[root] + parts[root].0.head;
    let mut words: Vec<Entry> = Vec::new();
    for ((phrase, relation), start) in parts.into_iter().zip(starts) {
        for (i, word) in phrase.words.into_iter().enumerate() {
            let (head, relation) =
                if i == phrase.head { (verb, relation) } else { (start + word.head, word.relation) };
            words.push(Entry { head, relation, ..word });
        }
    }
    if let Some(first) = words.first_mut() {
        let mut letters = first.form.chars();
        first.form = letters.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(letters).collect();
    }
    words
}
