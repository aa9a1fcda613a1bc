//! Epoch orders: every sentence once, the same after resuming.

use std::collections::HashSet;

use micse_data::EpochOrder;
use proptest::prelude::*;

proptest! {
    #[test]
    fn every_position_once_an_epoch(len in 1_usize..300, batch_size in 1_usize..80, seed: u64) {
        let mut order = EpochOrder::new(len, batch_size, seed);
        let steps = order.steps_per_epoch();
        for epoch in 0..3 {
            let batches: Vec<_> = (0..steps).map(|step| order.batch(epoch * steps + step)).collect();
            prop_assert!(batches[..steps - 1].iter().all(|batch| batch.len() == batch_size));
            prop_assert!(!batches[steps - 1].is_empty());
            let mut all: Vec<u32> = batches.concat();
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(0..len as u32));
            prop_assert_eq!(order.epoch_of(epoch * steps + steps - 1), epoch);
        }
    }

    #[test]
    fn a_batch_does_not_depend_on_earlier_calls(len in 1_usize..300, batch_size in 1_usize..80, seed: u64, steps in prop::collection::vec(0_usize..200, 1..8)) {
        let mut order = EpochOrder::new(len, batch_size, seed);
        for step in steps {
            prop_assert_eq!(order.batch(step), EpochOrder::new(len, batch_size, seed).batch(step));
        }
    }
}

#[test]
fn epochs_and_seeds_differ() {
    let orders: HashSet<Vec<u32>> = (0..4)
        .flat_map(|seed| {
            let mut order = EpochOrder::new(50, 50, seed);
            [order.batch(0), order.batch(1), order.batch(2)]
        })
        .collect();
    assert_eq!(orders.len(), 12);
}

#[test]
fn a_small_split_is_one_batch() {
    let mut order = EpochOrder::new(3, 64, 48);
    assert_eq!((order.steps_per_epoch(), order.batch(0).len(), order.batch(5).len()), (1, 3, 3));
}

#[test]
fn order_is_pinned() {
    // A change here changes every run, so it must be deliberate.
    let mut order = EpochOrder::new(10, 4, 48);
    assert_eq!([order.batch(0), order.batch(2), order.batch(3)].concat(), PINNED);
}
const PINNED: [u32; 10] = [3, 6, 8, 5, 1, 7, 4, 3, 0, 9];
