//! English function words: closed classes of words that express structure, not content.

/// Whether a token, in lower case with a straight apostrophe, is a function word.
pub(crate) fn is_function_word(token: &str) -> bool {
    FUNCTION_WORDS.iter().any(|class| class.contains(&token))
}

/// By class. Clitics are listed with and without their apostrophe, because some texts separate it as a token.
const FUNCTION_WORDS: [&[&str]; 9] =
    [ARTICLES, PRONOUNS, QUESTIONS, QUANTIFIERS, VERBS, PREPOSITIONS, CONJUNCTIONS, ADVERBS, CLITICS];

const ARTICLES: &[&str] = &["the", "a", "an", "this", "that", "these", "those"];
const PRONOUNS: &[&str] = &[
    "i",
    "you",
    "he",
    "she",
    "it",
    "we",
    "they",
    "me",
    "him",
    "her",
    "us",
    "them",
    "my",
    "your",
    "his",
    "its",
    "our",
    "their",
    "mine",
    "yours",
    "hers",
    "ours",
    "theirs",
    "myself",
    "yourself",
    "himself",
    "herself",
    "itself",
    "ourselves",
    "yourselves",
    "themselves",
    "oneself",
    "one",
    "ones",
    "there",
    "here",
];
const QUESTIONS: &[&str] = &[
    "who",
    "whom",
    "whose",
    "which",
    "what",
    "when",
    "where",
    "why",
    "how",
    "whoever",
    "whatever",
    "whichever",
    "whenever",
    "wherever",
    "however",
];
const QUANTIFIERS: &[&str] = &[
    "all",
    "any",
    "both",
    "each",
    "either",
    "every",
    "few",
    "many",
    "much",
    "more",
    "most",
    "less",
    "least",
    "neither",
    "none",
    "other",
    "others",
    "another",
    "own",
    "same",
    "several",
    "some",
    "such",
    "enough",
    "anyone",
    "anything",
    "everyone",
    "everything",
    "someone",
    "something",
    "nothing",
    "nobody",
    "somebody",
    "anybody",
    "everybody",
];
const VERBS: &[&str] = &[
    "be", "am", "is", "are", "was", "were", "been", "being", "have", "has", "had", "having", "do", "does",
    "did", "doing", "done", "can", "could", "may", "might", "must", "shall", "should", "will", "would",
    "ought", "cannot", "let", "get", "gets", "got", "getting",
];
const PREPOSITIONS: &[&str] = &[
    "of",
    "in",
    "to",
    "for",
    "on",
    "with",
    "at",
    "by",
    "from",
    "about",
    "as",
    "into",
    "onto",
    "upon",
    "like",
    "through",
    "throughout",
    "after",
    "over",
    "between",
    "out",
    "against",
    "during",
    "without",
    "before",
    "under",
    "around",
    "among",
    "amongst",
    "across",
    "along",
    "above",
    "below",
    "behind",
    "beneath",
    "beside",
    "besides",
    "beyond",
    "down",
    "up",
    "off",
    "near",
    "past",
    "per",
    "since",
    "till",
    "until",
    "toward",
    "towards",
    "via",
    "within",
];
const CONJUNCTIONS: &[&str] = &[
    "and", "or", "but", "nor", "so", "yet", "if", "because", "although", "though", "unless", "while",
    "whilst", "whereas", "whether", "than",
];
const ADVERBS: &[&str] = &[
    "not",
    "no",
    "very",
    "too",
    "also",
    "just",
    "only",
    "then",
    "thus",
    "hence",
    "therefore",
    "again",
    "ever",
    "never",
    "even",
    "still",
    "already",
    "almost",
    "quite",
    "rather",
    "else",
    "now",
    "always",
    "often",
];
const CLITICS: &[&str] =
    &["'s", "'d", "'m", "'re", "'ve", "'ll", "n't", "s", "d", "m", "re", "ve", "ll", "t", "ca", "wo"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_disjoint_and_folded() {
        let mut all: Vec<&str> = FUNCTION_WORDS.iter().flat_map(|class| class.iter().copied()).collect();
        assert!(all.iter().all(|word| crate::tokens::fold(word) == *word));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(is_function_word("the") && is_function_word("n't") && !is_function_word("boat"));
    }
}
