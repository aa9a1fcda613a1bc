//! Searches against a plain computation in f64, with several numbers of threads.

use std::fs::File;

use micse_random::Stream;
use micse_search::{Hit, Index, Npy, NpyWriter};

fn rows(seed: u64, count: usize, columns: usize) -> Vec<Vec<f32>> {
    let mut draws = Stream::new(seed).draws();
    (0..count).map(|_| (0..columns).map(|_| draws.normal() as f32).collect()).collect()
}

fn index(rows: &[Vec<f32>]) -> Result<Index, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rows.npy");
    let mut writer = NpyWriter::new(File::create(&path).expect("a file"), rows[0].len()).expect("a header");
    for row in rows {
        writer.push(row).expect("a row");
    }
    writer.finish().expect("the header");
    // The file stays open after the folder is deleted.
    Index::new(Npy::open(&path).expect("rows.npy")).map_err(|e| e.to_string())
}

/// All rows by their cosine in f64, best first.
fn brute_force(rows: &[Vec<f32>], query: &[f32]) -> Vec<(usize, f64)> {
    let wide = |row: &[f32]| row.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let query = wide(query);
    let cosine = |row: &Vec<f32>| {
        let row = wide(row);
        let norms = dot(&row, &row).sqrt() * dot(&query, &query).sqrt();
        if norms > 0.0 { dot(&row, &query) / norms } else { 0.0 }
    };
    let mut all: Vec<(usize, f64)> = rows.iter().map(cosine).enumerate().collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all
}

#[test]
fn neighbours_are_those_of_a_plain_computation() {
    for (count, columns, top) in [(1, 3, 5), (900, 384, 7), (5000, 37, 100), (64, 1, 64)] {
        let (rows, queries) = (rows(1, count, columns), rows(2, 9, columns));
        let index = index(&rows).expect("an index");
        let found = index.search(&queries, top).expect("a search");
        assert_eq!(found.len(), queries.len());
        for (query, hits) in queries.iter().zip(&found) {
            let want = brute_force(&rows, query);
            assert_eq!(hits.len(), top.min(count));
            for (hit, (row, cosine)) in hits.iter().zip(want) {
                assert!((hit.cosine - cosine).abs() < 1e-12, "{hit:?} is not {row} {cosine}");
                // In one dimension, all cosines are 1 or -1 up to rounding, which determines their order.
                assert!(columns == 1 || hit.row == row, "{hit:?} is not {row} {cosine}");
            }
        }
    }
}

#[test]
fn equal_cosines_come_by_row_number_and_zeros_have_none() {
    let mut all = rows(3, 3000, 16);
    let copies = [2999, 17, 1500, 0, 40];
    let copy = all[17].clone();
    for row in copies {
        all[row].clone_from(&copy);
    }
    all[5] = vec![0.0; 16];
    let index = index(&all).expect("an index");
    let hits = &index.search(&[copy], 5).expect("a search")[0];
    assert_eq!(hits.iter().map(|hit| hit.row).collect::<Vec<_>>(), [0, 17, 40, 1500, 2999]);
    // With a zero vector, all cosines are equal.
    let hits = &index.search(&[[0.0; 16]], 4).expect("a search")[0];
    assert_eq!(
        hits.iter().map(|hit| (hit.row, hit.cosine)).collect::<Vec<_>>(),
        [(0, 0.0), (1, 0.0), (2, 0.0), (3, 0.0)]
    );
    let all_rows = &index.search(&[&all[9]], 3000).expect("a search")[0];
    assert_eq!(all_rows.iter().find(|hit| hit.row == 5).map(|hit| hit.cosine.to_bits()), Some(0));
    assert!(index.search(&[&all[9]], 0).expect("a search")[0].is_empty());
    assert!(index.search::<&[f32]>(&[], 3).expect("a search").is_empty());
}

#[test]
fn threads_and_other_queries_change_no_bit() {
    let (rows, queries) = (rows(4, 4000, 129), rows(5, 12, 129));
    let index = index(&rows).expect("an index");
    let bits = |hits: &[Hit]| hits.iter().map(|h| (h.row, h.cosine.to_bits())).collect::<Vec<_>>();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| index.search(&queries, 20).expect("a search"))
    };
    let one = on(1);
    for threads in [2, 5] {
        for (a, b) in one.iter().zip(&on(threads)) {
            assert_eq!(bits(a), bits(b), "{threads} threads");
        }
    }
    for (query, hits) in queries.iter().zip(&one) {
        assert_eq!(bits(&index.search(&[query], 20).expect("a search")[0]), bits(hits));
    }
}

#[test]
fn what_has_no_cosine_is_named() {
    let mut all = rows(6, 700, 8);
    let good = index(&all).expect("an index");
    assert!(good.search(&[[1.0; 7]], 1).expect_err("refused").to_string().contains("7 entries"));
    let error = good.search(&[[1.0; 8], [f32::NAN; 8]], 1).expect_err("refused").to_string();
    assert!(error.contains("query 1"), "{error}");
    all[602][3] = f32::INFINITY;
    all[690][0] = f32::NAN;
    let error = index(&all).expect_err("refused");
    assert!(error.contains("row 602"), "{error}");
}

#[test]
fn rows_in_memory_give_what_a_file_gives() {
    let stream = micse_random::Stream::new(3);
    let row =
        |i: u64| (0..7).map(|k| stream.with(i).with(k).draws().unit() as f32 - 0.5).collect::<Vec<f32>>();
    let rows: Vec<Vec<f32>> = (0..300).map(row).collect();
    let (file, memory) = (index(&rows).unwrap(), Index::from_rows(&rows).unwrap());
    let queries = &rows[..20];
    assert_eq!(file.search(queries, 5).unwrap(), memory.search(queries, 5).unwrap());
    assert_eq!((memory.len(), memory.dimension(), memory.row(4).unwrap()), (300, 7, rows[4].clone()));
    for (rows, reason) in [
        (vec![], "none"),
        (vec![vec![]], "empty"),
        (vec![vec![1.0], vec![1.0, 2.0]], "row 1 has 2 entries"),
        (vec![vec![1.0], vec![f32::NAN]], "row 1 contains NaN"),
    ] {
        let error = Index::from_rows(&rows).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
