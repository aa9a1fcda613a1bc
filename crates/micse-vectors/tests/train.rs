//! Training on small corpora: what is learnt, and that it is reproducible.

use micse_random::Stream;
use micse_vectors::{Error, Options, Progress, WordVectors, train};

/// Sentences in which each of ten groups of words has its own contexts; `twin0` and `twin1` share all of theirs.
fn sentences() -> Vec<String> {
    let mut draws = Stream::new(9).draws();
    let mut sentences = Vec::new();
    for i in 0..4000_u64 {
        let group = i % 10;
        let mut word = |kind: &str, n: u64| format!("{kind}{group}x{}", draws.below(n));
        let middle = if group == 3 { format!("twin{}", (i / 10) % 2) } else { word("noun", 3) };
        sentences.push(format!(
            "the {} {middle} {} {} .",
            word("adjective", 4),
            word("verb", 4),
            word("adverb", 4)
        ));
    }
    sentences
}

fn options() -> Options {
    Options { dimension: 20, window: 4, x_max: 30.0, epochs: 30, ..Options::default() }
}

fn bits(vectors: &WordVectors) -> Vec<(String, Vec<u32>)> {
    vectors.iter().map(|(word, row)| (word.to_owned(), row.iter().map(|v| v.to_bits()).collect())).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn words_that_share_all_contexts_come_closest() {
    let vectors = train(sentences(), &options(), 48, &mut |_| {}).expect("vectors");
    assert_eq!((vectors.word(0), vectors.word(1)), ("the", "."));
    let of = |word| vectors.get(word).expect("the word");
    let twins = cosine(of("twin0"), of("twin1"));
    for (word, row) in vectors.iter().filter(|(word, _)| !word.starts_with("twin")) {
        for twin in ["twin0", "twin1"] {
            assert!(cosine(row, of(twin)) < twins, "{word} is as close to {twin} as its twin ({twins})");
        }
    }
    assert!(twins > 0.9, "{twins}");
}

#[test]
fn bits_depend_on_the_seed_and_not_on_the_threads() {
    let options = Options { epochs: 3, ..options() };
    let run = |threads, seed| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| train(sentences(), &options, seed, &mut |_| {})).expect("vectors")
    };
    let one = bits(&run(1, 48));
    assert_eq!(bits(&run(2, 48)), one);
    assert_eq!(bits(&run(3, 48)), one);
    assert_ne!(bits(&run(2, 49)), one);
}

#[test]
fn the_loss_falls_and_progress_is_whole() {
    let mut losses = Vec::new();
    let (mut read, mut counted) = ((0, 0), 0.0);
    train(sentences(), &options(), 48, &mut |progress| match progress {
        Progress::Reading { sentences, tokens } => read = (sentences, tokens),
        Progress::Counting { done, .. } => counted = done,
        Progress::Training { pairs, done, loss, .. } if done == pairs => losses.push(loss),
        Progress::Training { .. } => {}
    })
    .expect("vectors");
    assert_eq!((read, counted), ((4000, 24_000), 1.0));
    assert_eq!(losses.len(), 30);
    assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
    assert!(losses[29] < 0.1 * losses[0], "{losses:?}");
}

#[test]
fn the_vocabulary_is_counted_cut_and_ranked() {
    let text = ["B b c C a a", "b A rare"].repeat(5);
    let words = |options: Options| -> Vec<String> {
        let vectors = train(&text, &options, 1, &mut |_| {}).expect("vectors");
        vectors.iter().map(|(word, _)| word.to_owned()).collect()
    };
    let options = Options { dimension: 2, epochs: 1, ..Options::default() };
    // Equally frequent words in order of first occurrence.
    assert_eq!(words(options.clone()), ["b", "a", "c", "rare"]);
    assert_eq!(words(Options { min_count: 6, ..options.clone() }), ["b", "a", "c"]);
    assert_eq!(words(Options { vocabulary: Some(2), ..options }), ["b", "a"]);
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let said = |text: &[&str], options: Options| -> String {
        train(text, &options, 1, &mut |_| {}).expect_err("a refusal").to_string()
    };
    let default = Options::default;
    let text = ["a b c d"; 5];
    assert!(said(&text, Options { dimension: 0, ..default() }).contains("dimension 0"));
    assert!(said(&text, Options { epochs: 0, ..default() }).contains("epochs 0"));
    assert!(said(&text, Options { learning_rate: f64::NAN, ..default() }).contains("learning_rate NaN"));
    assert!(said(&text, Options { vocabulary: Some(1), ..default() }).contains("vocabulary 1"));
    assert!(said(&text[..4], default()).contains("16 tokens"));
    assert!(said(&[], default()).contains("0 tokens"));
    // Frequent words, but never two in one sentence.
    assert!(said(&["a", "b"].repeat(9), default()).contains("no two words"));
    let error =
        train(text, &Options { learning_rate: 1e30, ..default() }, 1, &mut |_| {}).expect_err("a refusal");
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
    // Only the parameters show the last step of the last epoch.
    let once = Options { learning_rate: 1e40, epochs: 1, ..default() };
    let error = train(["a b", "a b", "a b", "a b", "a b"], &once, 1, &mut |_| {}).expect_err("a refusal");
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
}
