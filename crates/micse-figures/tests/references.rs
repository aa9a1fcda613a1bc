//! Numbers of the figures against NumPy and SciPy (`fixtures/write.py`).

use candle_core::{Device, Tensor};
use micse_eval::PairScores;
use micse_figures::{BINS, JointPanel, Similarity, compare, human_scores};
use micse_model::View;
use serde::Deserialize;

#[derive(Deserialize)]
struct References {
    layers: usize,
    heads: usize,
    views: Vec<Given>,
    positive: Expected,
    negative: Expected,
    local_positive: Expected,
    local_negative: Expected,
    slices: Vec<Slice>,
    local_slices: Vec<Slice>,
    human: Vec<f32>,
    cosines: Vec<f32>,
    spearman: f64,
}

#[derive(Deserialize)]
struct Given {
    tokens: usize,
    attention: Vec<f32>,
    embedding: Vec<f32>,
    windows: Vec<Option<usize>>,
}

#[derive(Deserialize)]
struct Expected {
    mutual_information: f64,
    cosine: f64,
    tokens: usize,
}

#[derive(Deserialize)]
struct Slice {
    rho: f64,
    mi: f64,
    edges: Vec<f64>,
    counts: Vec<u32>,
}

fn references() -> References {
    serde_json::from_str(include_str!("fixtures/figures.json")).expect("the fixture")
}

impl References {
    fn view(&self, i: usize) -> View {
        let Given { tokens, attention, embedding, windows } = &self.views[i];
        let shape = (self.layers, self.heads, *tokens, *tokens);
        let attention = Tensor::from_slice(attention, shape, &Device::Cpu).expect("maps");
        View { embedding: embedding.clone(), attention, windows: windows.clone() }
    }
}

fn close(what: &str, found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{what}: {found} is not {expected}");
}

#[test]
fn similarities_are_those_of_scipy() {
    let references = references();
    let check = |found: Similarity, expected: &Expected| {
        close("mutual information", found.mutual_information, expected.mutual_information);
        close("cosine", found.cosine, expected.cosine);
        assert_eq!(found.tokens, expected.tokens);
    };
    let [one, two, longer] = [0, 1, 2].map(|i| references.view(i));
    check(compare(&one, &two).expect("a pair"), &references.positive);
    check(compare(&one, &longer).expect("a pair"), &references.negative);
    // Mutual information is symmetric, whichever sentence is longer.
    check(compare(&longer, &one).expect("a pair"), &references.negative);
    // Attention within windows: only positions that all views can see count.
    let [one, two, longer] = [3, 4, 5].map(|i| references.view(i));
    check(compare(&one, &two).expect("a pair"), &references.local_positive);
    check(compare(&one, &longer).expect("a pair"), &references.local_negative);
    check(compare(&longer, &one).expect("a pair"), &references.local_negative);
}

#[test]
fn joint_distributions_are_those_of_numpy() {
    let references = references();
    for (views, slices) in [([0, 1], &references.slices), ([3, 4], &references.local_slices)] {
        let views = views.map(|i| references.view(i));
        let panel = JointPanel::of("m", [&views[0], &views[1]]).expect("slices");
        assert_eq!((panel.slices.len(), panel.per_layer_group), (12, 4));
        assert_eq!((panel.slices[5].layers, panel.slices[5].heads), ((3, 4), (2, 2)));
        for (found, expected) in panel.slices.iter().zip(slices) {
            close("rho", found.rho, expected.rho);
            close("mutual information", found.mutual_information, expected.mi);
            assert_eq!(found.edges.len(), BINS + 1);
            for (found, expected) in found.edges.iter().zip(&expected.edges) {
                close("edge", *found, *expected);
            }
            assert_eq!(found.counts, expected.counts);
        }
    }
}

#[test]
fn rank_correlations_are_those_of_scipy() {
    let References { human, cosines, spearman, .. } = references();
    let scores = PairScores { cosines: cosines.clone(), human: human.clone() };
    let reversed = PairScores { cosines: cosines.iter().map(|c| -c).collect(), human: human.clone() };
    let found = human_scores("STSBenchmark", ["a", "b"], [&scores, &reversed]).expect("scores");
    close("rho", found.panels[0].spearman, spearman);
    close("rho", found.panels[1].spearman, -spearman);

    let other = PairScores { human: human[1..].to_vec(), cosines: cosines[1..].to_vec() };
    let error = human_scores("STS12", ["a", "b"], [&scores, &other]).expect_err("other pairs").to_string();
    assert!(error.contains("80 and 79 pairs"), "{error}");
    let bad = PairScores { cosines: vec![f32::NAN; 80], human };
    let error = human_scores("STS12", ["a", "b"], [&scores, &bad]).expect_err("NaN").to_string();
    assert!(error.contains("b: the cosine of \"pair 1 of STS12\" is not finite"), "{error}");
    let error = human_scores("STS12", ["a", "a"], [&scores, &scores]).expect_err("one name").to_string();
    assert!(error.contains("--names"), "{error}");
}
