//! The order of a task's examples.

use micse_data::transfer::{Example, Parts};

/// The examples of each part by number of words, pairs by those of the first and then of the second sentence, and equally
/// long ones by class; otherwise in the order of the files. The parts follow each other.
///
/// `SentEval` sorts them to save padding, but folds and batches are drawn by place, so scores depend on it.
pub(super) fn by_length<'a>(parts: &'a Parts) -> Vec<&'a Example> {
    let words = |sentence: &str| sentence.split_whitespace().count();
    let sorted = |part: &'a [Example]| {
        let mut part: Vec<&Example> = part.iter().collect();
        part.sort_by_cached_key(|example| {
            (words(&example.first), example.second.as_deref().map_or(0, words), example.class)
        });
        part
    };
    match parts {
        Parts::Folds(all) => sorted(all),
        Parts::TrainTest { train, test } => [sorted(train), sorted(test)].concat(),
        Parts::TrainDevTest { train, dev, test } => [sorted(train), sorted(dev), sorted(test)].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Examples `class:first` or `class:first|second`.
    fn part(texts: &[&str]) -> Vec<Example> {
        let read = |text: &&str| {
            let (class, sentences) = text.split_once(':').unwrap();
            let (first, second) = match sentences.split_once('|') {
                Some((first, second)) => (first, Some(second.to_owned())),
                None => (sentences, None),
            };
            Example { first: first.to_owned(), second, class: class.parse().unwrap() }
        };
        texts.iter().map(read).collect()
    }

    fn order(parts: &Parts) -> Vec<String> {
        let text = |example: &&Example| {
            let second = example.second.iter().map(|second| format!("|{second}"));
            format!("{}:{}{}", example.class, example.first, second.collect::<String>())
        };
        by_length(parts).iter().map(text).collect()
    }

    #[test]
    fn sentences_are_sorted_by_words_then_class_then_place() {
        let all = part(&["1:a b", "1:longest", "1:c d", "1:", "0:e f", "0:g"]);
        let expected = ["1:", "0:g", "1:longest", "0:e f", "1:a b", "1:c d"];
        assert_eq!(order(&Parts::Folds(all)), expected);
    }

    #[test]
    fn each_part_is_sorted_on_its_own() {
        let [train, dev, test] = [&["0:a b", "1:c"][..], &["0:d e f", "0:g"], &["1:h i", "0:j k"]].map(part);
        let expected = ["1:c", "0:a b", "0:j k", "1:h i"];
        assert_eq!(order(&Parts::TrainTest { train: train.clone(), test: test.clone() }), expected);
        let expected = ["1:c", "0:a b", "0:g", "0:d e f", "0:j k", "1:h i"];
        assert_eq!(order(&Parts::TrainDevTest { train, dev, test }), expected);
    }

    #[test]
    fn pairs_are_sorted_by_both_sentences() {
        let all = part(&["1:a b|c", "0:d|e f", "1:g|h i", "0:j|k", "0:l m|n"]);
        let expected = ["0:j|k", "0:d|e f", "1:g|h i", "0:l m|n", "1:a b|c"];
        assert_eq!(order(&Parts::Folds(all)), expected);
    }
}
