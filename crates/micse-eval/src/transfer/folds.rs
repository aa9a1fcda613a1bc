//! Stratified folds, and held-out parts.

use micse_random::{Stream, permutation};

/// `SentEval`'s seed.
pub(super) const SEED: u64 = 1111;

/// What the draws of a seed are for.
#[derive(Clone, Copy)]
pub(super) enum Use {
    Folds,
    HeldOut,
    Weights,
    Epoch,
}

/// A stream for one use of [`SEED`].
pub(super) fn stream(seed: u64, of: Use) -> Stream {
    Stream::new(seed).with(of as u64)
}

/// The rows of each of `count` folds, ascending: every row in exactly one fold, and the rows of each class spread over
/// the folds as scikit-learn's `StratifiedKFold(shuffle=True)` spreads them. Its fold sizes per class are the same; which
/// rows of a class go into a fold is drawn from `seed`.
///
/// # Panics
/// `count` is 0.
pub fn stratified_folds(labels: &[u8], count: usize, seed: u64) -> Vec<Vec<u32>> {
    assert!(count > 0, "no folds");
    let classes = labels.iter().max().map_or(0, |&class| usize::from(class) + 1);
    let mut rows = vec![Vec::new(); classes];
    for (row, &label) in labels.iter().enumerate() {
        rows[usize::from(label)].push(row as u32);
    }
    // Rows sorted by class are dealt to the folds in turn, which fixes the number of each class in each fold. Classes
    // are numbered by their first row.
    let mut order: Vec<usize> = (0..classes).filter(|&class| !rows[class].is_empty()).collect();
    order.sort_by_key(|&class| rows[class][0]);
    let mut folds = vec![Vec::new(); count];
    let mut dealt = 0;
    for class in order {
        let rows = &rows[class];
        let mut sizes = vec![0; count];
        for i in dealt..dealt + rows.len() {
            sizes[i % count] += 1;
        }
        dealt += rows.len();
        let draw = stream(seed, Use::Folds).with(class as u64).draws().word();
        let mut shuffled = permutation(rows.len(), draw).into_iter();
        for (fold, size) in folds.iter_mut().zip(sizes) {
            fold.extend(shuffled.by_ref().take(size).map(|place| rows[place as usize]));
        }
    }
    for fold in &mut folds {
        fold.sort_unstable();
    }
    folds
}

/// The rows of `all` that are not in `fold`; both are ascending.
pub(super) fn without(all: &[u32], fold: &[u32]) -> Vec<u32> {
    let mut fold = fold.iter().peekable();
    all.iter().copied().filter(|row| fold.next_if_eq(&row).is_none()).collect()
}

/// The rows that train and the 5 % that are held out, drawn from the seed and the number of rows.
pub(super) fn held_out(rows: &[u32], seed: u64) -> (Vec<u32>, Vec<u32>) {
    let order = permutation(rows.len(), stream(seed, Use::HeldOut).draws().word());
    let (held, kept) = order.split_at(held_out_count(rows.len()));
    let take = |places: &[u32]| places.iter().map(|&place| rows[place as usize]).collect();
    (take(kept), take(held))
}

/// The number of rows that [`held_out`] holds out.
pub(super) fn held_out_count(rows: usize) -> usize {
    rows / 20
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    #[test]
    fn folds_have_scikit_learns_sizes() {
        for (case, of) in Fixture::read().folds.iter().enumerate() {
            let folds = stratified_folds(&of.labels, of.sizes.len(), SEED);
            for (fold, sizes) in folds.iter().zip(&of.sizes) {
                let mut counts = vec![0; sizes.len()];
                for &row in fold {
                    counts[usize::from(of.labels[row as usize])] += 1;
                }
                assert_eq!(&counts, sizes, "case {case}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn every_row_is_in_one_fold(labels in proptest::collection::vec(0_u8..4, 0..120), count in 1_usize..12) {
            let folds = stratified_folds(&labels, count, 3);
            let mut all: Vec<u32> = folds.concat();
            all.sort_unstable();
            proptest::prop_assert!(all.iter().copied().eq(0..labels.len() as u32));
            for fold in &folds {
                let mut both = without(&all, fold);
                both.extend(fold);
                both.sort_unstable();
                proptest::prop_assert_eq!(&both, &all);
            }
        }

        #[test]
        fn five_percent_are_held_out(count in 0_u32..200) {
            let rows: Vec<u32> = (0..count).map(|row| 3 * row).collect();
            let (mut kept, held) = held_out(&rows, 9);
            proptest::prop_assert_eq!(held.len(), (0.05 * f64::from(count)) as usize);
            kept.extend(held);
            kept.sort_unstable();
            proptest::prop_assert_eq!(kept, rows);
        }
    }

    #[test]
    fn seeds_draw_different_folds() {
        let labels: Vec<u8> = (0..60).map(|row| row % 2).collect();
        assert_eq!(stratified_folds(&labels, 10, 1), stratified_folds(&labels, 10, 1));
        assert_ne!(stratified_folds(&labels, 10, 1), stratified_folds(&labels, 10, 2));
    }
}
