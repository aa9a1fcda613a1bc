//! Slices and samples of attention maps.

mod common;

use std::collections::HashSet;

use common::attention;
use micse_losses::{AmiSampler, Pool, Position, Scaling, Selection, Slice, Slicing};
use micse_random::Stream;
use proptest::prelude::*;

const PAPER: AmiSampler =
    AmiSampler { samples: 20, replacement: false, pool: Pool::All, scaling: Scaling::Mean };
const RELEASED: AmiSampler =
    AmiSampler { samples: 20, replacement: false, pool: Pool::Kept, scaling: Scaling::ValidShareSquared };

fn pairs() -> Vec<Slice> {
    Slicing::Adjacent { heads: 2, layers: 1 }.slices(&[8, 9], 4).unwrap()
}

/// A dropout mask with rate 1/4, from a hash of the position.
fn dropout(p: &Position) -> bool {
    let at = [p.sentence, p.layer, p.head, p.query, p.key];
    let stream = at.iter().fold(Stream::new(7), |stream, &i| stream.with(u64::from(i)));
    stream.draws().below(4) > 0
}

#[test]
fn slices_come_in_the_documented_order() {
    assert_eq!(
        pairs(),
        [[(8, 0), (8, 1)], [(8, 2), (8, 3)], [(9, 0), (9, 1)], [(9, 2), (9, 3)]].map(|s| s.to_vec())
    );
    assert_eq!(
        Slicing::Adjacent { heads: 1, layers: 2 }.slices(&[8, 9], 2).unwrap(),
        [[(8, 0), (9, 0)], [(8, 1), (9, 1)]].map(|s| s.to_vec())
    );
    assert_eq!(
        Slicing::HeadLayerParity.slices(&[7, 8, 9, 10], 2).unwrap(),
        [[(7, 0), (9, 0)], [(8, 0), (10, 0)], [(7, 1), (9, 1)], [(8, 1), (10, 1)]].map(|s| s.to_vec())
    );
}

#[test]
fn what_cannot_be_grouped_is_refused() {
    let pairs = Slicing::Adjacent { heads: 2, layers: 1 };
    let message = pairs.slices(&[0], 3).unwrap_err().to_string();
    assert!(message.starts_with("3 heads cannot be grouped by 2"), "{message}");
    assert!(pairs.slices(&[], 4).is_err());
    assert!(Slicing::Adjacent { heads: 0, layers: 1 }.slices(&[0], 4).is_err());
    assert!(Slicing::HeadLayerParity.slices(&[0, 1, 2], 4).is_err());
}

#[test]
fn slicings_are_written_as_in_recipes() {
    let written = [
        (r#"{"heads":2,"layers":1}"#, Slicing::Adjacent { heads: 2, layers: 1 }),
        (r#""head-and-layer-parity""#, Slicing::HeadLayerParity),
    ];
    for (text, slicing) in written {
        assert_eq!(serde_json::to_string(&slicing).unwrap(), text);
        assert_eq!(serde_json::from_str::<Slicing>(text).unwrap(), slicing);
    }
    let message = serde_json::from_str::<Slicing>(r#"{"heads":2,"layer":1}"#).unwrap_err().to_string();
    assert!(message.contains("heads = N, layers = N"), "{message}");
}

proptest! {
    #[test]
    fn the_paper_draws_distinct_positions_of_real_tokens(seed: u64, lengths in prop::collection::vec(1_usize..9, 1..5)) {
        let slices = pairs();
        let selection = PAPER.draw(&slices, &lengths, None, &|_| unreachable!(), Stream::new(seed)).unwrap();
        prop_assert_eq!(selection.rows, lengths.len() * slices.len());
        prop_assert_eq!(selection.weight, 1.0);
        for (row, positions) in selection.positions.chunks(selection.samples).enumerate() {
            let (sentence, slice) = (row / slices.len(), &slices[row % slices.len()]);
            let count = selection.counts[row] as usize;
            prop_assert_eq!(count, 20.min(2 * lengths[sentence] * lengths[sentence]));
            prop_assert_eq!(positions[..count].iter().collect::<HashSet<_>>().len(), count);
            prop_assert!(positions[count..].iter().all(|p| *p == positions[0]));
            for p in positions {
                prop_assert_eq!(p.sentence as usize, sentence);
                prop_assert!(slice.contains(&(p.layer as usize, p.head as usize)));
                prop_assert!(p.query.max(p.key) < lengths[sentence] as u32);
            }
        }
    }

    #[test]
    fn the_released_code_draws_kept_positions_of_padded_queries(seed: u64, lengths in prop::collection::vec(2_usize..9, 1..5)) {
        let slices = pairs();
        let selection = RELEASED.draw(&slices, &lengths, Some(9), &dropout, Stream::new(seed)).unwrap();
        let counts = AmiSampler::valid_counts(&slices, &lengths, Some(9), &dropout).unwrap();
        let enough = counts.iter().filter(|&&count| count >= 20).count();
        prop_assert!(enough > 0);
        prop_assert_eq!(selection.rows, enough);
        prop_assert!(selection.counts.iter().all(|&count| count == 20));
        prop_assert!(selection.positions.iter().all(|p| dropout(p) && p.query < 9));
        prop_assert!(selection.positions.iter().all(|p| p.key < lengths[p.sentence as usize] as u32));
        let shares = counts.iter().filter(|&&count| count >= 20).map(|&count| f64::from(count) / (2.0 * 81.0));
        let share = shares.sum::<f64>() / enough as f64;
        prop_assert!((selection.weight - (share * share + 1e-6)).abs() < 1e-12);
    }

    #[test]
    fn a_sentence_draws_the_same_whatever_the_others_are(seed: u64, other in 1_usize..9) {
        let alone = PAPER.draw(&pairs(), &[6], None, &|_| true, Stream::new(seed)).unwrap();
        let both = PAPER.draw(&pairs(), &[6, other], None, &|_| true, Stream::new(seed)).unwrap();
        prop_assert_eq!(&alone.positions[..], &both.positions[..alone.positions.len()]);
    }
}

#[test]
fn kept_positions_of_real_tokens_only_without_a_width() {
    let lengths = [2, 6];
    let selection = RELEASED.draw(&pairs(), &lengths, None, &dropout, Stream::new(1)).unwrap();
    let valid = AmiSampler::valid_counts(&pairs(), &lengths, None, &dropout).unwrap();
    assert_eq!(selection.rows, 8);
    assert!(selection.counts.iter().zip(&valid).all(|(&count, &valid)| count == valid.min(20)));
    assert!(selection.positions.iter().all(|p| dropout(p) && p.query < lengths[p.sentence as usize] as u32));
}

#[test]
fn a_row_that_dropout_emptied_has_no_valid_sample() {
    let kept = |p: &Position| p.sentence == 1;
    let selection = RELEASED.draw(&pairs(), &[3, 4], None, &kept, Stream::new(1)).unwrap();
    assert_eq!(selection.counts, [0, 0, 0, 0, 20, 20, 20, 20]);
    let everything = AmiSampler { replacement: true, ..RELEASED };
    let selection = everything.draw(&pairs(), &[3, 4], None, &kept, Stream::new(1)).unwrap();
    assert_eq!(selection.counts[..4], [0; 4]);
}

#[test]
fn all_released_slices_too_short_lower_the_number_of_samples() {
    // 2 maps x 3 queries x 2 keys; key 1 is dropped in map (9, 3), query 0.
    let kept = |p: &Position| !(p.layer == 9 && p.head == 3 && p.query == 0 && p.key == 1);
    let selection = RELEASED.draw(&pairs(), &[2], Some(3), &kept, Stream::new(1)).unwrap();
    assert_eq!((selection.rows, selection.samples), (4, 11));
    let message =
        RELEASED.draw(&pairs(), &[2], Some(3), &|p| p.head > 1, Stream::new(1)).unwrap_err().to_string();
    assert!(message.contains("a slice with 0 valid positions"), "{message}");
}

#[test]
fn replacement_fills_every_row() {
    let sampler = AmiSampler { samples: 150, replacement: true, ..PAPER };
    let selection = sampler.draw(&pairs(), &[3], None, &|_| true, Stream::new(1)).unwrap();
    assert!(selection.counts.iter().all(|&count| count == 150));
    for row in selection.positions.chunks(150) {
        // 150 draws from 18 positions: the probability that any is missing is 18 (17/18)^150 = 0.003.
        assert!(row.iter().collect::<HashSet<_>>().len() >= 16);
    }
}

/// A row is as wide as was asked for, but not beyond all reason: no memory holds a billion positions per row.
#[test]
fn more_samples_than_any_row_has_positions_take_little_memory() {
    let draw = |samples| {
        let sampler = AmiSampler { samples, ..PAPER };
        sampler.draw(&pairs(), &[3, 50], None, &|_| true, Stream::new(1)).unwrap()
    };
    // The longer sentence has 2 x 50 x 50 positions.
    assert_eq!(draw(4_000).samples, 4_000);
    let (all, many) = (draw(5_000), draw(1_000_000_000));
    assert_eq!(all, many);
    assert!(many.samples == 5_000 && many.counts.contains(&18) && many.counts.contains(&5_000));
}

#[test]
fn draws_differ_between_steps_and_slices() {
    let draw = |step| PAPER.draw(&pairs(), &[9], None, &|_| true, Stream::new(1).with(step)).unwrap();
    let (first, second) = (draw(0), draw(1));
    assert_ne!(first.positions, second.positions);
    let places = |row: usize| -> Vec<(u32, u32)> {
        first.positions[row * 20..][..20].iter().map(|p| (p.query, p.key)).collect()
    };
    assert_ne!(places(0), places(1));
}

#[test]
fn wrong_arguments_are_named() {
    let draw = |sampler: &AmiSampler, lengths: &[usize], width| {
        sampler.draw(&pairs(), lengths, width, &|_| true, Stream::new(1)).unwrap_err().to_string()
    };
    assert!(draw(&AmiSampler { samples: 1, ..PAPER }, &[3], None).contains("needs at least 2 samples"));
    let many = AmiSampler { samples: 1 << 20, replacement: true, ..PAPER };
    assert!(draw(&many, &[3], None).contains("1048576 samples with replacement are more than 65536"));
    assert!(draw(&PAPER, &[3, 0], None).contains("sentence 1 has 0 tokens"));
    assert!(draw(&PAPER, &[5], Some(4)).contains("sentence 0 has 5 tokens in width 4"));
    assert!(PAPER.draw(&[], &[3], None, &|_| true, Stream::new(1)).is_err());

    let slices = Slicing::Adjacent { heads: 2, layers: 1 }.slices(&[0], 2).unwrap();
    assert!(Selection::from_indices(&slices, &[0, 1, 2], 2, 3).is_err());
    assert!(Selection::from_indices(&slices, &[0, 18], 2, 3).unwrap_err().to_string().contains("index 18"));
    let selection = Selection::from_indices(&slices, &[0, 17], 2, 3).unwrap();
    assert!(selection.gather(&attention(1, &[1, 1, 2, 2, 2])).unwrap_err().to_string().contains("outside"));
    assert!(selection.gather(&attention(1, &[1, 2, 3, 3])).is_err());
}

#[test]
fn gather_reads_the_position() {
    let maps = attention(1, &[2, 3, 2, 4, 4]);
    let slices = Slicing::Adjacent { heads: 2, layers: 1 }.slices(&[0, 1, 2], 2).unwrap();
    let selection = PAPER.draw(&slices, &[4, 3], None, &|_| true, Stream::new(1)).unwrap();
    let gathered: Vec<f64> = selection.gather(&maps).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    for (p, value) in selection.positions.iter().zip(gathered) {
        let at = maps.get(p.sentence as usize).unwrap().get(p.layer as usize).unwrap();
        let map = at.get(p.head as usize).unwrap().to_vec2::<f64>().unwrap();
        assert_eq!(map[p.query as usize][p.key as usize], value);
    }
}

/// With local attention, only positions within the window are drawn, and a row has no more samples than positions.
#[test]
fn positions_are_drawn_within_a_window() {
    let window = 1;
    let seen = |p: &Position| p.query.abs_diff(p.key) <= window;
    let slices = pairs();
    for sampler in [PAPER, AmiSampler { pool: Pool::Kept, ..PAPER }] {
        let draw = |seen: Option<&dyn Fn(&Position) -> bool>| {
            sampler.draw_seen(&slices, &[30, 3], None, seen, &dropout, Stream::new(3)).unwrap()
        };
        let (all, near) = (draw(None), draw(Some(&seen)));
        assert!(!all.positions.iter().all(seen) && near.positions.iter().all(seen));
        for (row, positions) in near.positions.chunks(near.samples).enumerate() {
            // Of 3 tokens, 7 pairs are at most 1 apart, in each of the two maps of a slice.
            let exist = if row < slices.len() { 20 } else { 14 };
            let valid = &positions[..near.counts[row] as usize];
            let distinct: HashSet<_> = valid.iter().map(|p| (p.layer, p.head, p.query, p.key)).collect();
            assert_eq!(distinct.len(), valid.len());
            assert!(valid.len() <= exist && (sampler.pool == Pool::Kept || valid.len() == exist));
            assert!(sampler.pool == Pool::All || valid.iter().all(dropout));
        }
    }
}
