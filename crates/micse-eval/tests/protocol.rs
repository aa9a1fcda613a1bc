//! Tests the STS protocol with an embedder of known vectors.

use std::cell::RefCell;
use std::collections::HashMap;

use micse_data::sts::{Pair, Subset, Suite, Task};
use micse_eval::{Embedder, Error, Evaluation, dev_spearman, evaluate, evaluate_pairs};
use micse_random::permutation;

/// Returns known vectors, and records every sentence it was asked for.
struct Known {
    vectors: HashMap<&'static str, [f32; 2]>,
    asked: RefCell<Vec<String>>,
}

type Rows = Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>>;

impl Embedder for Known {
    fn dimension(&self) -> usize {
        2
    }

    fn embed(&self, sentences: &[&str]) -> Rows {
        self.asked.borrow_mut().extend(sentences.iter().map(ToString::to_string));
        let of =
            |s: &&str| self.vectors.get(s).map(|v| v.to_vec()).ok_or_else(|| format!("unknown: {s}").into());
        sentences.iter().map(of).collect()
    }
}

fn known(extra: &[(&'static str, [f32; 2])]) -> Known {
    let vectors = [
        ("east", [2.0, 0.0]),
        ("north", [0.0, 3.0]),
        ("northeast", [1.0, 1.0]),
        ("west", [-1.0, 0.0]),
        ("nowhere", [0.0, 0.0]),
        ("steep", [0.6, 0.8]),
    ];
    Known { vectors: vectors.into_iter().chain(extra.iter().copied()).collect(), asked: RefCell::default() }
}

fn pair(first: &str, second: &str, score: f64) -> Pair {
    Pair { first: first.into(), second: second.into(), score }
}

fn task(name: &str, subsets: &[(&str, Vec<Pair>)]) -> Task {
    let subsets = subsets.iter().map(|(name, pairs)| Subset { name: (*name).into(), pairs: pairs.clone() });
    Task { name: name.into(), subsets: subsets.collect() }
}

/// Two tasks. "Two" has two subsets, with cosines (1, 0.8, 0) and (-1, 0).
fn suite() -> Suite {
    let first = vec![pair("east", "east", 5.0), pair("north", "steep", 2.0), pair("east", "north", 3.0)];
    let second = vec![pair("east", "west", 1.0), pair("nowhere", "north", 4.0)];
    let dev = vec![pair("east", "northeast", 4.0), pair("north", "west", 3.9), pair("west", "west", 5.0)];
    Suite {
        name: "toy".into(),
        tasks: vec![task("Two", &[("b", first.clone()), ("a", second)]), task("One", &[("One", first)])],
        dev: Some(task("Dev", &[("Dev", dev)])),
        sick_dev: None,
    }
}

fn scores(suite: &Suite) -> Evaluation {
    evaluate(&known(&[]), suite, &mut |_, _| {}).unwrap()
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-5, "{found} instead of {expected}");
}

#[test]
fn hand_computed_scores() {
    let evaluation = scores(&suite());
    let two = evaluation.tasks.get("Two").unwrap();
    assert_eq!(two.pairs, 5);
    // Subset b: ranks of cosines 3, 2, 1 and of scores 3, 1, 2: rho = 1 - 6 (0 + 1 + 1) / (3 * 8) = 0.5.
    close(two.subsets.get("b").unwrap().spearman, 50.0);
    // Subset a: a zero vector has cosine 0, which is above -1.
    close(two.subsets.get("a").unwrap().spearman, 100.0);
    // Together: cosines 1, .8, 0, -1, 0 have ranks 5, 4, 2.5, 1, 2.5; scores 5, 2, 3, 1, 4 are their own.
    // Centred products: 2*2 + 1*(-1) + (-.5)*0 + (-2)(-2) + (-.5)*1 = 6.5; squares 9.5 and 10.
    close(two.spearman.all, 100.0 * 6.5 / 95_f64.sqrt());
    close(two.spearman.mean, 75.0);
    close(two.spearman.wmean, 100.0 * (0.5 * 3.0 + 2.0) / 5.0);
    // Subset b: cosines minus 0.6: 0.4, 0.2, -0.6; scores minus 10/3: 5/3, -4/3, -1/3. The sum of products is
    // 0.6; of squares 0.56 and 14/3.
    close(two.subsets.get("b").unwrap().pearson, 100.0 * 0.6 / (0.56_f64 * 14.0 / 3.0).sqrt());
    close(two.subsets.get("a").unwrap().pearson, 100.0);
    // Cosines minus 0.16, scores minus 3: 1.68 - 0.64 + 0 + 2.32 - 0.16; squares 2.64 - 0.128 and 10.
    close(two.pearson.all, 100.0 * 3.2 / (2.512_f64 * 10.0).sqrt());
    close(evaluation.average, f64::midpoint(two.spearman.all, 50.0));
    // Alignment: scores 4 and 5: (2 - sqrt 2 + 0) / 2.
    close(evaluation.alignment.unwrap(), 1.0 - 0.5_f64.sqrt());
    // Uniformity: sentences east, northeast, north, west, west, west. Squared distances: 2 - sqrt 2 twice
    // (east-northeast, northeast-north), 2 + sqrt 2 three times (northeast-west), 2 four times (north-east,
    // north-west), 4 three times (east-west), 0 three times (west-west).
    let root = 2_f64.sqrt();
    let kernel = |d: f64| (-2.0 * d).exp();
    let sum =
        2.0 * kernel(2.0 - root) + 3.0 * kernel(2.0 + root) + 4.0 * kernel(2.0) + 3.0 * kernel(4.0) + 3.0;
    close(evaluation.uniformity.unwrap(), (sum / 15.0).ln());
}

#[test]
fn all_mean_and_wmean_agree_on_one_subset() {
    let evaluation = scores(&suite());
    let one = evaluation.tasks.get("One").unwrap();
    for scores in [one.spearman, one.pearson] {
        assert_eq!(scores.all, scores.mean);
        assert_eq!(scores.all, scores.wmean);
    }
    assert_eq!(one.spearman.all, one.subsets.get("One").unwrap().spearman);
}

#[test]
fn the_order_of_pairs_and_of_their_sentences_does_not_matter() {
    let (before, mut suite) = (scores(&suite()), suite());
    for seed in 0..5 {
        for task in suite.tasks.iter_mut().chain(&mut suite.dev) {
            for subset in &mut task.subsets {
                let order = permutation(subset.pairs.len(), seed);
                subset.pairs = order.iter().map(|&i| subset.pairs[i as usize].clone()).collect();
                subset.pairs.iter_mut().for_each(|pair| std::mem::swap(&mut pair.first, &mut pair.second));
            }
        }
        let after = scores(&suite);
        close(after.average, before.average);
        close(after.alignment.unwrap(), before.alignment.unwrap());
        close(after.uniformity.unwrap(), before.uniformity.unwrap());
        for (name, task) in before.tasks.iter() {
            let other = after.tasks.get(name).unwrap();
            close(other.spearman.all, task.spearman.all);
            close(other.pearson.wmean, task.pearson.wmean);
        }
    }
}

#[test]
fn each_sentence_is_embedded_once_and_progress_ends_at_all() {
    let embedder = known(&[]);
    let mut reports = vec![];
    evaluate(&embedder, &suite(), &mut |done, total| reports.push((done, total))).unwrap();
    let mut asked = embedder.asked.into_inner();
    asked.sort();
    assert_eq!(asked, ["east", "north", "northeast", "nowhere", "steep", "west"]);
    assert_eq!(reports, [(0, 6), (6, 6)]);
}

#[test]
fn without_a_dev_set_there_is_no_geometry() {
    let evaluation = scores(&Suite { dev: None, ..suite() });
    assert_eq!((evaluation.alignment, evaluation.uniformity), (None, None));
    let low = task("Dev", &[("Dev", vec![pair("east", "north", 1.0)])]);
    let evaluation = scores(&Suite { dev: Some(low), ..suite() });
    assert!(evaluation.alignment.is_none() && evaluation.uniformity.is_some());
}

#[test]
fn selection_sees_the_same_figure_as_the_evaluation() {
    let suite = suite();
    let all = scores(&suite).tasks.get("Two").unwrap().spearman.all;
    assert_eq!(dev_spearman(&known(&[]), &suite.tasks[0]).unwrap(), all);
    let constant = task("T", &[("T", vec![pair("east", "east", 1.0), pair("west", "west", 2.0)])]);
    assert!(dev_spearman(&known(&[]), &constant).unwrap().is_nan());
}

/// Returns `.0` rows too many, of `.1` entries each.
struct Wrong(usize, usize);
impl Embedder for Wrong {
    fn dimension(&self) -> usize {
        2
    }
    fn embed(&self, sentences: &[&str]) -> Rows {
        Ok(vec![vec![1.0; self.1]; sentences.len() + self.0])
    }
}

#[test]
fn cosines_stand_in_the_suites_order_and_give_the_scores() {
    let (evaluation, pairs) = evaluate_pairs(&known(&[]), &suite(), &mut |_, _| {}).unwrap();
    assert_eq!(pairs.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["Two", "One"]);
    let two = pairs.get("Two").unwrap();
    let expected = [1.0, 0.8, 0.0, -1.0, 0.0];
    for (&found, expected) in two.cosines.iter().zip(expected) {
        close(f64::from(found), expected);
    }
    assert_eq!(two.human, [5.0, 2.0, 3.0, 1.0, 4.0]);
    for (name, task) in evaluation.tasks.iter() {
        assert_eq!(pairs.get(name).unwrap().spearman(), task.spearman.all, "{name}");
    }
    assert_eq!(evaluation, scores(&suite()), "both functions must return the same evaluation");
}

#[test]
fn broken_embeddings_are_errors_that_name_the_sentence() {
    let one = |sentence| task("T", &[("T", vec![pair(sentence, "east", 1.0)])]);
    let broken = known(&[("broken", [f32::NAN, 0.0])]);
    let message = dev_spearman(&broken, &one("broken")).unwrap_err().to_string();
    assert!(message.starts_with("the embedding of \"broken\" contains NaN"), "{message}");
    assert!(matches!(dev_spearman(&broken, &one("unheard of")), Err(Error::Embed(_))));

    assert!(matches!(dev_spearman(&Wrong(1, 2), &one("a")), Err(Error::Rows { expected: 2, found: 3 })));
    assert!(matches!(
        dev_spearman(&Wrong(0, 3), &one("a")),
        Err(Error::Dimension { expected: 2, found: 3, .. })
    ));
}

#[test]
fn many_sentences_go_in_several_calls() {
    struct Index;
    impl Embedder for Index {
        fn dimension(&self) -> usize {
            2
        }
        fn embed(&self, sentences: &[&str]) -> Rows {
            let angle = |s: &&str| s.parse::<f32>().unwrap() * 1e-3;
            Ok(sentences.iter().map(|s| vec![angle(s).cos(), angle(s).sin()]).collect())
        }
    }
    // The angle from 0 falls as the score grows, so the cosine rises with it.
    let pairs = (0..2999).map(|i| pair("0", &i.to_string(), f64::from(3000 - i))).collect();
    let (suite, mut last) =
        (Suite { name: "n".into(), tasks: vec![task("T", &[("T", pairs)])], dev: None, sick_dev: None }, 0);
    let evaluation = evaluate(&Index, &suite, &mut |done, total| {
        assert!(done >= last && total == 2999);
        last = done;
    });
    assert_eq!(last, 2999);
    assert!(evaluation.unwrap().average > 99.99);
}
