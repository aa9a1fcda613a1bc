//! Counts, losses, gradients and steps against NumPy and PyTorch (tests/fixtures/glove.py), and gradients against
//! finite differences.

use micse_random::Stream;
use serde::Deserialize;

use super::blocks::{BUCKETS, Block, Pair, Pairs, Side};
use super::table::{Table, train_block};
use super::vocabulary::Text;
use super::{Options, Progress};

/// Words, contexts, biases of words, biases of contexts.
type Parameters = (Vec<Vec<f64>>, Vec<Vec<f64>>, Vec<f64>, Vec<f64>);

#[derive(Deserialize)]
struct Fixture {
    sentences: Vec<String>,
    window: usize,
    x_max: f64,
    alpha: f64,
    rate: f32,
    words: Vec<String>,
    counts: Vec<Vec<f64>>,
    start: Parameters,
    order: Vec<(usize, usize)>,
    total: f64,
    gradients: Parameters,
    losses: Vec<f64>,
    end: Parameters,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../../tests/fixtures/glove.json")).expect("the fixture")
}

impl Fixture {
    fn options(&self) -> Options {
        Options {
            window: self.window,
            min_count: 1,
            x_max: self.x_max,
            alpha: self.alpha,
            ..Options::default()
        }
    }

    /// One pair as a separate block.
    fn pair(&self, (i, j): (usize, usize)) -> Pair {
        let x = self.counts[i][j];
        let weight = (x / self.x_max).powf(self.alpha).min(1.0) as f32;
        Pair { row: i as u16, column: j as u16, log: x.ln() as f32, weight }
    }

    fn tables(&self) -> (Table, Table) {
        (Table::of(&self.start.0, &self.start.2), Table::of(&self.start.1, &self.start.3))
    }
}

fn step(words: &mut Table, contexts: &mut Table, pair: Pair, rate: f32) -> f64 {
    train_block(Block { pairs: &[pair], side: Side::Kept }, words, contexts, rate)
}

fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance * (1.0 + expected.abs()), "{found}, not {expected}");
}

fn all_close(table: &Table, vectors: &[Vec<f64>], biases: &[f64], tolerance: f64) {
    for (row, expected) in vectors.iter().enumerate() {
        assert_eq!(table.row(row).len(), expected.len());
        for (&found, &expected) in table.row(row).iter().zip(expected) {
            close(f64::from(found), expected, tolerance);
        }
        close(f64::from(table.bias(row)), biases[row], tolerance);
    }
}

#[test]
fn counts_are_those_of_numpy() {
    let fixture = fixture();
    let options = fixture.options();
    let text = Text::read(&fixture.sentences, &options, &mut |_| {}).expect("a text");
    let pairs = Pairs::count(&text, &options, 48, &mut |_| {});
    let words = text.into_words();
    assert_eq!((0..words.len()).map(|i| words.get(i)).collect::<Vec<_>>(), fixture.words);
    // Fewer words than buckets: each word has its own bucket, with the word's number.
    let mut seen = 0;
    for a in 0..BUCKETS {
        for s in 0..BUCKETS {
            let block = pairs.block(a, s);
            for pair in block.pairs {
                let x = fixture.counts[a][(a + s) % BUCKETS];
                close(f64::from(pair.log), x.ln(), 1e-6);
                close(f64::from(pair.weight), (x / 2.0).powf(0.75).min(1.0), 1e-6);
            }
            seen += block.len();
        }
    }
    assert_eq!((seen, pairs.len()), (fixture.order.len(), fixture.order.len()));
}

#[test]
fn losses_and_steps_are_those_of_pytorch() {
    let fixture = fixture();
    let (mut words, mut contexts) = fixture.tables();
    let mut losses = fixture.losses.iter();
    while losses.len() > 0 {
        for &at in &fixture.order {
            let loss = step(&mut words, &mut contexts, fixture.pair(at), fixture.rate);
            close(loss, *losses.next().expect("a loss"), 2e-6);
        }
    }
    all_close(&words, &fixture.end.0, &fixture.end.2, 2e-6);
    all_close(&contexts, &fixture.end.1, &fixture.end.3, 2e-6);
}

#[test]
fn first_steps_are_the_gradient() {
    // With initial sums, a step is the learning rate times the gradient; 2^-10 scales without rounding.
    let (fixture, rate) = (fixture(), 1.0 / 1024.0);
    let (words, contexts) = fixture.tables();
    let mut sums = (fixture.gradients.0.clone(), fixture.gradients.1.clone());
    for row in sums.0.iter_mut().chain(&mut sums.1) {
        row.fill(0.0);
    }
    let mut total = 0.0;
    for &(i, j) in &fixture.order {
        let (mut w, mut c) = (words.clone(), contexts.clone());
        total += step(&mut w, &mut c, fixture.pair((i, j)), rate);
        let change = |after: &Table, before: &Table, row: usize, sum: &mut [f64]| {
            for ((after, before), sum) in after.row(row).iter().zip(before.row(row)).zip(sum) {
                *sum += f64::from((before - after) / rate);
            }
        };
        change(&w, &words, i, &mut sums.0[i]);
        change(&c, &contexts, j, &mut sums.1[j]);
    }
    close(total, fixture.total, 1e-6);
    for (found, expected) in [(&sums.0, &fixture.gradients.0), (&sums.1, &fixture.gradients.1)] {
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            close(*found, *expected, 5e-3);
        }
    }
}

#[test]
fn gradients_are_those_of_differences() {
    // 1/2 f (w . c + b + d - log X)^2 in f64, for each parameter of one pair.
    let (dimension, log, weight, rate) = (19, 0.7_f32, 0.4_f32, 1.0 / 64.0);
    let mut draws = Stream::new(3).draws();
    let mut start: Vec<f64> = (0..2 * dimension + 2).map(|_| f64::from(draws.normal() as f32)).collect();
    let loss = |p: &[f64]| {
        let (w, c) = (&p[..dimension], &p[dimension..2 * dimension]);
        let product: f64 = w.iter().zip(c).map(|(w, c)| w * c).sum();
        let difference = product + p[2 * dimension] + p[2 * dimension + 1] - f64::from(log);
        0.5 * f64::from(weight) * difference * difference
    };
    let mut words = Table::of(&[start[..dimension].to_vec()], &[start[2 * dimension]]);
    let mut contexts = Table::of(&[start[dimension..2 * dimension].to_vec()], &[start[2 * dimension + 1]]);
    let pair = Pair { row: 0, column: 0, log, weight };
    close(step(&mut words, &mut contexts, pair, rate), loss(&start), 1e-5);
    let after: Vec<f32> = words
        .row(0)
        .iter()
        .chain(contexts.row(0))
        .copied()
        .chain([words.bias(0), contexts.bias(0)])
        .collect();
    for k in 0..start.len() {
        let (value, h) = (start[k], 1e-4);
        let mut at = |value: f64| {
            start[k] = value;
            loss(&start)
        };
        let gradient = (at(value + h) - at(value - h)) / (2.0 * h);
        start[k] = value;
        close((value - f64::from(after[k])) / f64::from(rate), gradient, 1e-4);
    }
}

#[test]
fn blocks_meet_every_pair_once() {
    // More words than buckets, so that buckets also have pairs within themselves.
    let mut draws = Stream::new(5).draws();
    let mut word = || format!("w{}", draws.below(150).min(draws.below(150)));
    let mut sentence = || (0..12).map(|_| word()).collect::<Vec<_>>().join(" ");
    let sentences: Vec<String> = (0..300).map(|_| sentence()).collect();
    let options = Options { window: 4, min_count: 2, ..Options::default() };
    let mut reported = Vec::new();
    let text = Text::read(&sentences, &options, &mut |_| {}).expect("a text");
    let n = text.words();
    assert!(n > BUCKETS + 20, "{n} words");
    let mut expected = vec![0.0; n * n];
    for sentence in text.sentences() {
        for (p, &i) in sentence.iter().enumerate() {
            for (q, &j) in sentence.iter().enumerate() {
                if p != q && p.abs_diff(q) <= 4 {
                    expected[i as usize * n + j as usize] += 1.0 / p.abs_diff(q) as f64;
                }
            }
        }
    }
    let pairs = Pairs::count(&text, &options, 1, &mut |progress| reported.push(progress));
    let mut found = vec![0.0; n * n];
    let mut put = |row: usize, column: usize, log: f32| {
        let place = &mut found[row * n + column];
        assert_eq!(*place, 0.0, "a pair twice");
        *place = f64::from(log).exp();
    };
    for (a, s) in (0..BUCKETS * BUCKETS).map(|k| (k / BUCKETS, k % BUCKETS)) {
        let block = pairs.block(a, s);
        let word = |bucket: usize, place: u16| usize::from(place) * BUCKETS + bucket;
        let b = (a + s) % BUCKETS;
        for pair in block.pairs {
            match block.side {
                Side::Kept => put(word(a, pair.row), word(b, pair.column), pair.log),
                Side::Turned => put(word(a, pair.column), word(b, pair.row), pair.log),
                Side::Both => {
                    put(word(a, pair.row), word(a, pair.column), pair.log);
                    if pair.row != pair.column {
                        put(word(a, pair.column), word(a, pair.row), pair.log);
                    }
                }
            }
        }
    }
    for (found, expected) in found.iter().zip(&expected) {
        close(*found, *expected, 1e-6);
    }
    assert_eq!(pairs.len(), expected.iter().filter(|&&x| x > 0.0).count());
    assert!(matches!(reported.last(), Some(Progress::Counting { done: 1.0, .. })), "{reported:?}");
}
