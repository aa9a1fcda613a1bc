//! Stratified folds, and held-out parts.

use micse_random::Mersenne;

/// `SentEval`'s seed. Each fold split and each classifier starts a generator anew with it.
pub(super) const SEED: u32 = 1111;

/// The rows of each of `count` folds, ascending, exactly as scikit-learn's `StratifiedKFold(count, shuffle=True,
/// random_state=seed)` draws them: every row in one fold, and the rows of each class spread over the folds.
///
/// ```
/// let folds = micse_eval::stratified_folds(&[0, 1, 1, 0, 1, 0, 0], 3, 1111);
/// assert_eq!(folds, [vec![4, 5, 6], vec![1, 3], vec![0, 2]]);
/// ```
///
/// # Panics
/// `count` is 0.
pub fn stratified_folds(labels: &[u8], count: usize, seed: u32) -> Vec<Vec<u32>> {
    assert!(count > 0, "no folds");
    let classes = labels.iter().max().map_or(0, |&class| usize::from(class) + 1);
    let mut rows = vec![Vec::new(); classes];
    for (row, &label) in labels.iter().enumerate() {
        rows[usize::from(label)].push(row as u32);
    }
    // Classes are numbered by their first row.
    rows.retain(|rows| !rows.is_empty());
    rows.sort_by_key(|rows| rows[0]);
    let mut generator = Mersenne::new(seed);
    let mut folds = vec![Vec::new(); count];
    // Rows sorted by class are dealt to the folds in turn, which fixes the number of each class in each fold.
    let mut dealt = 0;
    for rows in rows {
        let mut places: Vec<usize> = (dealt..dealt + rows.len()).map(|place| place % count).collect();
        dealt += rows.len();
        places.sort_unstable();
        generator.shuffle(&mut places);
        for (fold, row) in places.into_iter().zip(rows) {
            folds[fold].push(row);
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

/// The rows that train and the 5 % that are held out, both in the order in which they are drawn.
pub(super) fn held_out(rows: &[u32], generator: &mut Mersenne) -> (Vec<u32>, Vec<u32>) {
    let order = generator.permutation(rows.len());
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
    fn folds_are_scikit_learns() {
        for (case, of) in Fixture::read().folds.iter().enumerate() {
            let mut found = vec![0; of.labels.len()];
            for (fold, rows) in stratified_folds(&of.labels, 10, SEED).iter().enumerate() {
                assert!(rows.is_sorted());
                for &row in rows {
                    found[row as usize] = fold;
                }
            }
            assert_eq!(found, of.folds, "case {case}");
        }
    }

    #[test]
    fn held_out_rows_are_the_first_of_a_permutation() {
        let rows: Vec<u32> = (100..140).collect();
        let (kept, held) = held_out(&rows, &mut Mersenne::new(SEED));
        let expected = Mersenne::new(SEED).permutation(40).into_iter().map(|place| 100 + place);
        assert_eq!(held.len(), 2);
        assert!(held.into_iter().chain(kept).eq(expected));
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
            let (mut kept, held) = held_out(&rows, &mut Mersenne::new(9));
            proptest::prop_assert_eq!(held.len(), (0.05 * f64::from(count)) as usize);
            kept.extend(held);
            kept.sort_unstable();
            proptest::prop_assert_eq!(kept, rows);
        }
    }
}
