//! Figures of two models with known numbers.

use micse_eval::PairScores;
use micse_figures::{
    BINS, Figure, Grouped, Grouping, JointAttention, JointPanel, JointSlice, Panel, SentencePair, Similarity,
    human_scores,
};
use micse_random::Stream;
use micse_stats::{Resampling, separation};

/// Points of a group around a centre: (mutual information, cosine).
fn group(centre: [f64; 2], count: usize, seed: u64) -> Vec<Similarity> {
    let mut draws = Stream::new(seed).draws();
    let mut near = |value: f64| value + 0.05 * draws.normal();
    let point = |_| Similarity { mutual_information: near(centre[0]), cosine: near(centre[1]), tokens: 9 };
    (0..count).map(point).collect()
}

fn grouped(grouping: Grouping, names: [&str; 2], count: usize) -> Grouped {
    let panel = |model: &str, seed: u64| {
        let groups = [group([0.9, 0.8], count, seed), group([0.3, 0.2], count, seed + 1)];
        let points =
            groups.each_ref().map(|group| group.iter().map(|s| [s.mutual_information, s.cosine]).collect());
        let points: [Vec<[f64; 2]>; 2] = points;
        let resampling = Resampling { count: 100, stream: Stream::new(1) };
        let separation = separation([&points[0], &points[1]], &resampling).expect("points");
        Panel { model: model.into(), similarities: groups, separation }
    };
    let pair = |i: usize| SentencePair { first: format!("sentence {i}"), second: format!("\"other\", {i}") };
    let pairs = || (0..count).map(pair).collect();
    Grouped {
        grouping,
        note: format!("{count} made-up pairs."),
        pairs: [pairs(), pairs()],
        panels: [panel(names[0], 10), panel(names[1], 20)],
    }
}

fn joint(names: [&str; 2]) -> JointAttention {
    let panel = |model: &str, rows: usize| {
        let slice = |i: usize| {
            let mut counts = vec![0; BINS * BINS];
            // One full bin in the lower left corner, and a diagonal.
            counts[0] = 40;
            (1..BINS).for_each(|bin| counts[bin * BINS + bin] = 1);
            JointSlice {
                layers: (4 * (i / 4) + 1, 4 * (i / 4) + 4),
                heads: (3 * (i % 4) + 1, 3 * (i % 4) + 3),
                rho: -0.125,
                mutual_information: 1.5,
                edges: (0..=BINS).map(|edge| edge as f64 - 20.0).collect(),
                counts,
            }
        };
        JointPanel { model: model.into(), per_layer_group: 4, slices: (0..4 * rows).map(slice).collect() }
    };
    JointAttention { sentence: "Bread <rises>.".into(), panels: [panel(names[0], 3), panel(names[1], 2)] }
}

/// The four figures, with `count` points per group and eleven scored pairs.
pub(crate) fn figures(names: [&str; 2], count: usize) -> Vec<Figure> {
    let human: Vec<f32> = (0..11).map(|i| i as f32 / 2.0).collect();
    let rising =
        PairScores { cosines: human.iter().map(|score| score / 5.0).collect(), human: human.clone() };
    let constant = PairScores { cosines: vec![0.5; 11], human };
    vec![
        Figure::Grouped(Box::new(grouped(Grouping::Positives, names, count))),
        Figure::Grouped(Box::new(grouped(Grouping::Trees, names, count))),
        Figure::HumanScores(human_scores("STSBenchmark", names, [&rising, &constant]).expect("scores")),
        Figure::JointAttention(joint(names)),
    ]
}
