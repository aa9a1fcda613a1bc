//! Attention against its formula in f64, and gradients against finite differences.

use crate::common::{check_gradient, check_rounded, dot, normal};
use micse_kernels::attention::{AttentionDropout, DistanceBias, Layout, Taps, attention, attention_backward};
use micse_kernels::bf16::Lhs;
use micse_random::{Stream, dropout_threshold};

const RATE: f64 = 0.25;

struct Case {
    heads: usize,
    size: usize,
    /// (rows, keys) of each sentence.
    sentences: Vec<(usize, usize)>,
    streams: Option<Vec<Stream>>,
    biased: bool,
    window: Option<usize>,
}

impl Case {
    fn layout(&self) -> Layout {
        Layout::new(self.heads, self.size, self.window, self.sentences.iter().copied())
    }

    fn sees(&self, query: usize, key: usize) -> bool {
        self.window.is_none_or(|window| query.abs_diff(key) <= window)
    }

    fn dropout(&self) -> Option<AttentionDropout<'_>> {
        self.streams.as_ref().map(|streams| AttentionDropout {
            streams,
            threshold: dropout_threshold(RATE),
            scale: (1.0 / (1.0 - RATE)) as f32,
        })
    }

    fn factor(&self, sentence: usize, head: usize, query: usize, key: usize) -> f64 {
        let Some(d) = self.dropout() else { return 1.0 };
        let lane = d.streams[sentence].with(head as u64).with(query as u64).lane();
        if lane.draw(key as u32) >= d.threshold { 1.0 / (1.0 - RATE) } else { 0.0 }
    }

    /// One more than required.
    fn reach(&self) -> usize {
        self.sentences.iter().map(|s| s.0).max().unwrap_or(0) + 1
    }

    /// The table of biases; empty without biases.
    fn table(&self) -> Vec<f32> {
        if self.biased { normal(5, self.heads * DistanceBias::width(self.reach())) } else { Vec::new() }
    }

    fn run(&self, layout: &Layout, qkv: &[f32]) -> (Vec<f32>, Vec<f32>) {
        self.run_with(layout, qkv, &self.table())
    }

    fn run_with(&self, layout: &Layout, qkv: &[f32], table: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let bias = self.biased.then(|| DistanceBias { table, reach: self.reach() });
        let hidden = self.heads * self.size;
        let (mut context, mut maps) =
            (vec![0.0; layout.queries() * hidden], vec![0.0; layout.map_elements()]);
        attention(&mut context, None, Some(&mut maps), qkv, layout, self.dropout(), bias);
        let mut rounded = Lhs::new();
        let mut without_maps = vec![f32::NAN; context.len()];
        let into = Some(rounded.room(layout.queries(), hidden));
        attention(&mut without_maps, into, None, qkv, layout, self.dropout(), bias);
        check_rounded(&rounded, &without_maps, hidden);
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert!(bits(&without_maps) == bits(&context), "the context depends on whether the maps are kept");
        (context, maps)
    }
}

fn cases() -> Vec<Case> {
    let streams = |n: u64| Some((0..n).map(|s| Stream::new(3).with(s)).collect());
    vec![
        Case { heads: 1, size: 1, sentences: vec![(1, 1)], streams: None, biased: false, window: None },
        Case {
            heads: 3,
            size: 5,
            sentences: vec![(4, 4), (1, 1), (7, 7)],
            streams: streams(3),
            biased: false,
            window: None,
        },
        Case {
            heads: 2,
            size: 16,
            sentences: vec![(3, 3), (18, 18)],
            streams: None,
            biased: false,
            window: None,
        },
        Case {
            heads: 1,
            size: 20,
            sentences: vec![(6, 4), (6, 6)],
            streams: streams(2),
            biased: false,
            window: None,
        },
        Case {
            heads: 3,
            size: 5,
            sentences: vec![(6, 4), (1, 1), (18, 18)],
            streams: streams(3),
            biased: true,
            window: None,
        },
        Case {
            heads: 1,
            size: 32,
            sentences: vec![(5, 3), (17, 17)],
            streams: streams(2),
            biased: false,
            window: None,
        },
        // Several tiles, with pads that see no key, and sentences shorter than the window.
        Case {
            heads: 2,
            size: 5,
            sentences: vec![(70, 35), (1, 1), (33, 33), (4, 4)],
            streams: streams(4),
            biased: true,
            window: Some(3),
        },
        Case { heads: 1, size: 4, sentences: vec![(40, 40)], streams: None, biased: false, window: Some(17) },
    ]
}

/// Heads of whole vectors, in sentences of up to and beyond the rows whose operands are not copied, and in tiles of several
/// blocks of queries.
fn long_cases() -> Vec<Case> {
    let case = |heads, size, sentences, window| Case {
        heads,
        size,
        sentences,
        streams: Some((0..4).map(|s| Stream::new(3).with(s)).collect()),
        biased: true,
        window,
    };
    vec![
        case(2, 32, vec![(48, 47), (49, 49), (16, 16), (5, 3)], None),
        case(1, 48, vec![(33, 33)], None),
        case(1, 64, vec![(20, 20), (50, 50)], None),
        case(1, 16, vec![(70, 66), (17, 17)], Some(5)),
        case(1, 16, vec![(340, 340)], Some(150)),
    ]
}

#[test]
fn values() {
    for case in cases().into_iter().chain(long_cases()) {
        let (layout, hidden) = (case.layout(), case.heads * case.size);
        let qkv = normal(1, layout.rows() * 3 * hidden);
        let table = case.table();
        let (context, maps) = case.run(&layout, &qkv);
        let mut first = 0;
        for (s, &(rows, keys)) in case.sentences.iter().enumerate() {
            for (head, query) in (0..case.heads).flat_map(|h| (0..rows).map(move |q| (h, q))) {
                let at = |part: usize, row: usize, c: usize| {
                    f64::from(qkv[(first + row) * 3 * hidden + part * hidden + head * case.size + c])
                };
                let score = |key: usize| {
                    let sum: f64 = (0..case.size).map(|c| at(0, query, c) * at(1, key, c)).sum();
                    let width = DistanceBias::width(case.reach());
                    let distance = head * width + case.reach() - 1 + key - query;
                    let bias = table.get(distance).map_or(0.0, |&b| f64::from(b));
                    sum / (case.size as f64).sqrt() + bias
                };
                let weight = |key: usize| if case.sees(query, key) { score(key).exp() } else { 0.0 };
                let total: f64 = (0..keys).map(weight).sum();
                let p: Vec<f64> =
                    (0..keys).map(|key| if total > 0.0 { weight(key) / total } else { 0.0 }).collect();
                for (key, want) in p.iter().enumerate() {
                    let place = layout.place(s, head, query, key);
                    assert_eq!(place.is_some(), case.sees(query, key));
                    let got = place.map_or(0.0, |place| f64::from(maps[place]));
                    assert!((got - want).abs() < 2e-6, "P {got} {want}");
                }
                for c in 0..case.size {
                    let want: f64 =
                        (0..keys).map(|key| p[key] * case.factor(s, head, query, key) * at(2, key, c)).sum();
                    let got = f64::from(context[(first + query) * hidden + head * case.size + c]);
                    assert!((got - want).abs() < 1e-5, "context {got} {want}");
                }
            }
            first += rows;
        }
    }
}

#[test]
fn gradients_with_taps() {
    for case in cases() {
        for after_dropout in [false, true] {
            let (layout, hidden) = (case.layout(), case.heads * case.size);
            let qkv = normal(1, layout.rows() * 3 * hidden);
            let dy = normal(2, layout.queries() * hidden);
            // Taps, two of them on the same entry.
            let mut at = Vec::new();
            for (s, &(rows, keys)) in case.sentences.iter().enumerate() {
                let near = case.window.map_or(rows, |window| window.min(rows - 1));
                for head in 0..case.heads {
                    let (last, far) = (keys - 1, near.min(keys - 1));
                    at.push((s, head, last, last - far));
                    at.push((s, head, 0, far));
                    at.push((s, head, 0, far));
                }
            }
            let weights = normal(3, at.len());
            let place = |&(s, h, q, k): &(usize, usize, usize, usize)| {
                layout.place(s, h, q, k).expect("a key in the window")
            };
            let mut entries: Vec<(u32, f32)> =
                at.iter().zip(&weights).map(|(a, w)| (place(a) as u32, *w)).collect();
            entries.sort_by_key(|e| e.0);
            // Three per map, whose places ascend from map to map.
            let maps: Vec<u32> = (0..=layout.maps() as u32).map(|map| 3 * map).collect();
            let taps = Taps { after_dropout, entries: &entries, maps: &maps };
            let table = case.table();
            let forward = |qkv: &[f32], table: &[f32]| {
                let (context, maps) = case.run_with(&layout, qkv, table);
                let tapped = at.iter().zip(&weights).map(|(a, w)| {
                    let factor = if after_dropout { case.factor(a.0, a.1, a.2, a.3) } else { 1.0 };
                    f64::from(maps[place(a)]) * factor * f64::from(*w)
                });
                dot(&context, &dy) + tapped.sum::<f64>()
            };
            let (_, maps) = case.run(&layout, &qkv);
            let mut out = vec![f32::NAN; qkv.len()];
            let mut biases = vec![f32::NAN; case.sentences.len() * table.len()];
            let mut rounded = Lhs::new();
            let into = Some(rounded.room(layout.rows(), 3 * hidden));
            attention_backward(&mut out, into, &mut biases, &dy, &maps, &qkv, &layout, case.dropout(), taps);
            check_rounded(&rounded, &out, 3 * hidden);
            check_gradient("dqkv", &qkv, &out, 5e-3, &mut |qkv| forward(qkv, &table));
            if case.biased {
                let mut sums = vec![0.0; table.len()];
                for own in biases.chunks_exact(table.len()) {
                    sums.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
                }
                check_gradient("dB", &table, &sums, 5e-3, &mut |table| forward(&qkv, table));
            }
        }
    }
}

/// The buffer of maps grows with the window, not with the square of the length.
#[test]
fn a_window_costs_its_width() {
    let elements = |rows: usize, window| Layout::new(1, 4, window, [(rows, rows)].into_iter()).map_elements();
    assert_eq!(elements(640, None), 640 * 640);
    for rows in [640, 6400] {
        let with_window = elements(rows, Some(16));
        assert!(with_window <= rows * (2 * 16 + 32), "{with_window}");
    }
}

#[test]
fn only_some_rows_ask() {
    for (sentences, window) in
        [(vec![(4, 4), (3, 3), (9, 9)], None), (vec![(4, 4), (3, 3), (90, 90)], Some(4))]
    {
        for size in [6, 16] {
            only_some_rows_ask_of(size, sentences.clone(), window);
        }
    }
}

fn only_some_rows_ask_of(size: usize, sentences: Vec<(usize, usize)>, window: Option<usize>) {
    let case = Case {
        heads: 2,
        size,
        sentences,
        streams: Some((0..3).map(|s| Stream::new(8).with(s)).collect()),
        biased: true,
        window,
    };
    let (all, hidden) = (case.layout(), 2 * size);
    let qkv = normal(1, all.rows() * 3 * hidden);
    let last = all.rows() as u32 - 1;
    for rows in [vec![0, 4, 7], vec![1, 2, 8, last], vec![4, 5, 6], vec![5], vec![]] {
        let some = all.asking(&rows);
        let ((context, maps), (full, full_maps)) = (case.run(&some, &qkv), case.run(&all, &qkv));
        for (i, &row) in rows.iter().enumerate() {
            let row = row as usize;
            let pairs = context[i * hidden..(i + 1) * hidden].iter().zip(&full[row * hidden..]);
            for (got, want) in pairs {
                // With a window, rows of one tile have the same order of sums, but not the same keys of zero weight.
                let allowed = if window.is_some() { 1e-6 } else { 0.0 };
                assert!((got - want).abs() <= allowed, "{got} {want}");
            }
        }
        // The gradients must equal a full gradient that is zero in all other rows.
        let dy = normal(2, rows.len() * hidden);
        let mut wide = vec![0.0; all.rows() * hidden];
        for (i, &row) in rows.iter().enumerate() {
            wide[row as usize * hidden..][..hidden].copy_from_slice(&dy[i * hidden..(i + 1) * hidden]);
        }
        let (mut got, mut want) = (vec![f32::NAN; qkv.len()], vec![f32::NAN; qkv.len()]);
        let taps = Taps::default();
        let sums = vec![f32::NAN; 3 * case.table().len()];
        let (mut got_biases, mut want_biases) = (sums.clone(), sums);
        attention_backward(&mut got, None, &mut got_biases, &dy, &maps, &qkv, &some, case.dropout(), taps);
        let (dropout, full) = (case.dropout(), &full_maps);
        attention_backward(&mut want, None, &mut want_biases, &wide, full, &qkv, &all, dropout, taps);
        for (got, want) in got.iter().zip(&want).chain(got_biases.iter().zip(&want_biases)) {
            assert!((got - want).abs() < 1e-6, "{got} {want}");
        }
    }
}

#[test]
fn scores_far_apart_stay_finite() {
    let case =
        Case { heads: 1, size: 2, sentences: vec![(3, 3)], streams: None, biased: false, window: None };
    let layout = case.layout();
    let mut qkv = normal(1, 3 * 6);
    for x in &mut qkv {
        *x *= 300.0;
    }
    let (context, maps) = case.run(&layout, &qkv);
    assert!(context.iter().chain(&maps).all(|x| x.is_finite()));
    for query in 0..3 {
        let sum: f32 = (0..3).map(|key| maps[layout.place(0, 0, query, key).expect("a key")]).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    }
}

#[test]
fn nan_is_not_hidden() {
    let case =
        Case { heads: 1, size: 2, sentences: vec![(3, 3)], streams: None, biased: false, window: None };
    let layout = case.layout();
    let mut qkv = normal(1, 3 * 6);
    // A component of the second token's query.
    qkv[6] = f32::NAN;
    let (context, _) = case.run(&layout, &qkv);
    assert!(context[2..4].iter().all(|x| x.is_nan()) && context[..2].iter().all(|x| x.is_finite()));
}
