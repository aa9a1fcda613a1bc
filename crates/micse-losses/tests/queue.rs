//! The queue of negatives against a plain list.

mod common;

use candle_core::{Device, Tensor};
use common::normal;
use micse_losses::{Error, NegativeQueue, QueueState};
use proptest::prelude::*;

proptest! {
    #[test]
    fn keeps_the_newest_rows_oldest_first(capacity in 1_usize..12, batches in prop::collection::vec(1_usize..9, 1..8)) {
        let mut queue = NegativeQueue::new(capacity, 3, &Device::Cpu).unwrap();
        let mut list: Vec<(Vec<f64>, u32)> = vec![];
        let mut sentence = 0;
        for (seed, &size) in batches.iter().enumerate() {
            let rows = normal(seed as u64, &[size, 3]);
            let sentences: Vec<u32> = (sentence..sentence + size as u32).collect();
            sentence += size as u32;
            queue.push(&rows, &sentences).unwrap();
            list.extend(rows.to_vec2::<f64>().unwrap().into_iter().zip(sentences));
            let newest = &list[list.len().saturating_sub(capacity)..];
            prop_assert_eq!(queue.len(), newest.len());
            let found = queue.rows().unwrap().to_vec2::<f64>().unwrap();
            prop_assert!(found.iter().zip(queue.sentences()).eq(newest.iter().map(|(row, s)| (row, s))));
        }
    }
}

#[test]
fn a_restored_queue_goes_on_as_the_first() {
    let mut first = NegativeQueue::new(5, 3, &Device::Cpu).unwrap();
    let empty = first.state();
    first.push(&normal(1, &[4, 3]), &[0, 1, 2, 3]).unwrap();
    let mut second = NegativeQueue::new(5, 3, &Device::Cpu).unwrap();
    second.restore(&first.state()).unwrap();
    for queue in [&mut first, &mut second] {
        queue.push(&normal(2, &[3, 3]), &[4, 5, 6]).unwrap();
    }
    assert_eq!(second.sentences(), [2, 3, 4, 5, 6]);
    let rows = [&first, &second].map(|queue| queue.rows().unwrap().to_vec2::<f64>().unwrap());
    assert_eq!(rows[0], rows[1]);
    second.restore(&empty).unwrap();
    assert!(second.is_empty() && second.rows().is_none());
}

#[test]
fn rows_carry_no_graph() {
    let variable = normal(1, &[2, 3]);
    let mut queue = NegativeQueue::new(5, 3, &Device::Cpu).unwrap();
    queue.push(&(variable.as_tensor() * 2.0).unwrap(), &[0, 1]).unwrap();
    assert!(!queue.rows().unwrap().track_op());
}

#[test]
fn what_does_not_fit_is_refused() {
    assert!(matches!(NegativeQueue::new(0, 3, &Device::Cpu), Err(Error::EmptyQueue { .. })));
    let mut queue = NegativeQueue::new(2, 3, &Device::Cpu).unwrap();
    let message = queue.push(&normal(1, &[2, 4]), &[0, 1]).unwrap_err().to_string();
    assert_eq!(message, "queue rows: expected shape [rows, 3], found [2, 4]");
    assert!(matches!(queue.push(&normal(1, &[2, 3]), &[0]), Err(Error::QueueRows { .. })));
    let rows = Tensor::clone(&normal(1, &[3, 3]));
    let too_many = QueueState { rows: Some(rows), sentences: vec![0, 1, 2] };
    assert!(matches!(queue.restore(&too_many), Err(Error::QueueRows { .. })));
    let no_rows = QueueState { rows: None, sentences: vec![0] };
    assert!(matches!(queue.restore(&no_rows), Err(Error::QueueRows { .. })));
    assert!(queue.is_empty());
}
