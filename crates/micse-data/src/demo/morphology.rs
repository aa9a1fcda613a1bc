//! English inflection: rules, and the exceptions in the vocabulary.

/// Past tense and past participle of irregular verbs.
const IRREGULAR: [(&str, &str, &str); 90] = [
    ("be", "was", "been"),
    ("beat", "beat", "beaten"),
    ("become", "became", "become"),
    ("begin", "began", "begun"),
    ("bite", "bit", "bitten"),
    ("blow", "blew", "blown"),
    ("break", "broke", "broken"),
    ("breed", "bred", "bred"),
    ("bring", "brought", "brought"),
    ("build", "built", "built"),
    ("buy", "bought", "bought"),
    ("catch", "caught", "caught"),
    ("choose", "chose", "chosen"),
    ("come", "came", "come"),
    ("cut", "cut", "cut"),
    ("do", "did", "done"),
    ("draw", "drew", "drawn"),
    ("drink", "drank", "drunk"),
    ("drive", "drove", "driven"),
    ("eat", "ate", "eaten"),
    ("fall", "fell", "fallen"),
    ("feed", "fed", "fed"),
    ("find", "found", "found"),
    ("flee", "fled", "fled"),
    ("forbid", "forbade", "forbidden"),
    ("forecast", "forecast", "forecast"),
    ("forget", "forgot", "forgotten"),
    ("forgive", "forgave", "forgiven"),
    ("freeze", "froze", "frozen"),
    ("get", "got", "got"),
    ("give", "gave", "given"),
    ("go", "went", "gone"),
    ("grow", "grew", "grown"),
    ("hang", "hung", "hung"),
    ("have", "had", "had"),
    ("hear", "heard", "heard"),
    ("hide", "hid", "hidden"),
    ("hit", "hit", "hit"),
    ("hold", "held", "held"),
    ("hurt", "hurt", "hurt"),
    ("keep", "kept", "kept"),
    ("lead", "led", "led"),
    ("leave", "left", "left"),
    ("lend", "lent", "lent"),
    ("lose", "lost", "lost"),
    ("make", "made", "made"),
    ("meet", "met", "met"),
    ("mislead", "misled", "misled"),
    ("oversee", "oversaw", "overseen"),
    ("overthrow", "overthrew", "overthrown"),
    ("pay", "paid", "paid"),
    ("put", "put", "put"),
    ("quit", "quit", "quit"),
    ("read", "read", "read"),
    ("rebuild", "rebuilt", "rebuilt"),
    ("rewrite", "rewrote", "rewritten"),
    ("rise", "rose", "risen"),
    ("run", "ran", "run"),
    ("say", "said", "said"),
    ("see", "saw", "seen"),
    ("sell", "sold", "sold"),
    ("send", "sent", "sent"),
    ("set", "set", "set"),
    ("sew", "sewed", "sewn"),
    ("shake", "shook", "shaken"),
    ("shine", "shone", "shone"),
    ("show", "showed", "shown"),
    ("shrink", "shrank", "shrunk"),
    ("shut", "shut", "shut"),
    ("sing", "sang", "sung"),
    ("sink", "sank", "sunk"),
    ("sit", "sat", "sat"),
    ("sleep", "slept", "slept"),
    ("spin", "spun", "spun"),
    ("split", "split", "split"),
    ("steal", "stole", "stolen"),
    ("strike", "struck", "struck"),
    ("sweep", "swept", "swept"),
    ("take", "took", "taken"),
    ("teach", "taught", "taught"),
    ("tear", "tore", "torn"),
    ("tell", "told", "told"),
    ("throw", "threw", "thrown"),
    ("wake", "woke", "woken"),
    ("wear", "wore", "worn"),
    ("weave", "wove", "woven"),
    ("weep", "wept", "wept"),
    ("win", "won", "won"),
    ("withdraw", "withdrew", "withdrawn"),
    ("write", "wrote", "written"),
];

/// Verbs of more than one syllable that double their final consonant.
const DOUBLING: [&str; 14] = [
    "acquit", "begin", "cancel", "emit", "equip", "forbid", "forget", "level", "patrol", "rebel", "signal",
    "transfer", "transmit", "travel",
];

/// Last words of nouns with an irregular plural.
const IRREGULAR_PLURALS: [(&str, &str); 32] = [
    ("man", "men"),
    ("child", "children"),
    ("person", "people"),
    ("mouse", "mice"),
    ("goose", "geese"),
    ("tooth", "teeth"),
    ("foot", "feet"),
    ("sheep", "sheep"),
    ("deer", "deer"),
    ("fish", "fish"),
    ("aircraft", "aircraft"),
    ("spacecraft", "spacecraft"),
    ("salmon", "salmon"),
    ("tuna", "tuna"),
    ("squid", "squid"),
    ("knife", "knives"),
    ("wife", "wives"),
    ("wolf", "wolves"),
    ("calf", "calves"),
    ("leaf", "leaves"),
    ("loaf", "loaves"),
    ("thief", "thieves"),
    ("scarf", "scarves"),
    ("potato", "potatoes"),
    ("tomato", "tomatoes"),
    ("mango", "mangoes"),
    ("tornado", "tornadoes"),
    ("volcano", "volcanoes"),
    ("quiz", "quizzes"),
    ("stomach", "stomachs"),
    ("monarch", "monarchs"),
    ("offspring", "offspring"),
];

/// The plural of a noun; of a phrase, the plural of its last word.
pub(super) fn plural(noun: &str) -> String {
    for (ending, many) in IRREGULAR_PLURALS {
        if let Some(stem) = noun.strip_suffix(ending) {
            return format!("{stem}{many}");
        }
    }
    match noun.strip_suffix("is") {
        // crisis, thesis, diagnosis
        Some(stem) if stem.ends_with('s') => format!("{stem}es"),
        _ => with_s(noun),
    }
}

/// The third person singular of a verb.
pub(super) fn third_person(verb: &str) -> String {
    match verb {
        "be" => "is".to_owned(),
        "have" => "has".to_owned(),
        _ if verb.ends_with('o') && !verb.ends_with("oo") => format!("{verb}es"),
        _ => with_s(verb),
    }
}

/// The past tense of a verb.
pub(super) fn past(verb: &str) -> String {
    irregular(verb).map_or_else(|| with_ed(verb), |(past, _)| past.to_owned())
}

/// The past participle of a verb.
pub(super) fn participle(verb: &str) -> String {
    irregular(verb).map_or_else(|| with_ed(verb), |(_, participle)| participle.to_owned())
}

/// The -ing form.
pub(super) fn gerund(verb: &str) -> String {
    if let Some(stem) = verb.strip_suffix("ie") {
        return format!("{stem}ying");
    }
    match verb.strip_suffix('e') {
        Some(stem) if !stem.ends_with(['e', 'o', 'y']) && verb != "be" => format!("{stem}ing"),
        Some(_) => format!("{verb}ing"),
        None => format!("{}ing", doubled(verb)),
    }
}

/// `a` or `an` for the following word.
pub(super) fn article(next: &str) -> &'static str {
    const CONSONANT_SOUND: [&str; 9] =
        ["uni", "use", "usu", "euro", "Euro", "one-", "unanimous", "utensil", "ukulele"];
    const VOWEL_SOUND: [&str; 5] = ["hour", "honest", "honour", "heir", "X-"];
    let vowel = if ["unin", "unim", "unid"].iter().any(|start| next.starts_with(start)) {
        true
    } else if CONSONANT_SOUND.iter().any(|start| next.starts_with(start)) {
        false
    } else {
        next.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U'])
            || VOWEL_SOUND.iter().any(|start| next.starts_with(start))
    };
    if vowel { "an" } else { "a" }
}

fn irregular(verb: &str) -> Option<(&'static str, &'static str)> {
    let entry = IRREGULAR.iter().find(|(base, _, _)| *base == verb)?;
    Some((entry.1, entry.2))
}

fn with_s(word: &str) -> String {
    if ["s", "x", "z", "ch", "sh"].iter().any(|ending| word.ends_with(ending)) {
        return format!("{word}es");
    }
    match word.strip_suffix('y') {
        Some(stem) if !stem.ends_with(is_vowel) => format!("{stem}ies"),
        _ => format!("{word}s"),
    }
}

fn with_ed(verb: &str) -> String {
    if verb.ends_with('e') {
        return format!("{verb}d");
    }
    match verb.strip_suffix('y') {
        Some(stem) if !stem.ends_with(is_vowel) => format!("{stem}ied"),
        _ => format!("{}ed", doubled(verb)),
    }
}

/// The verb with its final consonant doubled where the rule requires it: one syllable that ends in consonant,
/// vowel, consonant.
fn doubled(verb: &str) -> String {
    let letters: Vec<char> = verb.chars().collect();
    let vowel = |i: usize| is_vowel(letters[i]) && !(i > 0 && letters[i] == 'u' && letters[i - 1] == 'q');
    let n = letters.len();
    let ending = n >= 3
        && !vowel(n - 1)
        && !['w', 'x', 'y'].contains(&letters[n - 1])
        && vowel(n - 2)
        && !vowel(n - 3);
    let one_syllable = n >= 3 && (0..n - 2).all(|i| !vowel(i));
    if (ending && one_syllable) || DOUBLING.contains(&verb) {
        return format!("{verb}{}", letters[n - 1]);
    }
    // mimic, mimicked
    if verb.ends_with("ic") { format!("{verb}k") } else { verb.to_owned() }
}

fn is_vowel(letter: char) -> bool {
    "aeiou".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals() {
        for (one, many) in [
            ("apple tree", "apple trees"),
            ("city", "cities"),
            ("boy", "boys"),
            ("fox", "foxes"),
            ("church", "churches"),
            ("stomach", "stomachs"),
            ("policeman", "policemen"),
            ("pregnant woman", "pregnant women"),
            ("midwife", "midwives"),
            ("diagnosis", "diagnoses"),
            ("virus", "viruses"),
            ("bookshelf scarf", "bookshelf scarves"),
            ("piano", "pianos"),
            ("roof", "roofs"),
        ] {
            assert_eq!(plural(one), many);
        }
    }

    #[test]
    fn verbs() {
        for (base, third, past_form, perfect, ing) in [
            ("chop", "chops", "chopped", "chopped", "chopping"),
            ("fry", "fries", "fried", "fried", "frying"),
            ("play", "plays", "played", "played", "playing"),
            ("bake", "bakes", "baked", "baked", "baking"),
            ("dye", "dyes", "dyed", "dyed", "dyeing"),
            ("die", "dies", "died", "died", "dying"),
            ("flee", "flees", "fled", "fled", "fleeing"),
            ("watch", "watches", "watched", "watched", "watching"),
            ("cook", "cooks", "cooked", "cooked", "cooking"),
            ("transmit", "transmits", "transmitted", "transmitted", "transmitting"),
            ("quit", "quits", "quit", "quit", "quitting"),
            ("transfer", "transfers", "transferred", "transferred", "transferring"),
            ("cancel", "cancels", "cancelled", "cancelled", "cancelling"),
            ("visit", "visits", "visited", "visited", "visiting"),
            ("bow", "bows", "bowed", "bowed", "bowing"),
            ("boo", "boos", "booed", "booed", "booing"),
            ("mimic", "mimics", "mimicked", "mimicked", "mimicking"),
            ("forget", "forgets", "forgot", "forgotten", "forgetting"),
            ("steal", "steals", "stole", "stolen", "stealing"),
        ] {
            assert_eq!(
                [third_person(base), past(base), participle(base), gerund(base)],
                [third, past_form, perfect, ing]
            );
        }
    }

    #[test]
    fn articles() {
        for (word, expected) in [
            ("apple", "an"),
            ("uniform", "a"),
            ("university", "a"),
            ("unknown", "an"),
            ("uninvited", "an"),
            ("user", "a"),
            ("honest", "an"),
            ("house", "a"),
            ("X-ray", "an"),
            ("European", "a"),
        ] {
            assert_eq!(article(word), expected, "{word}");
        }
    }
}
