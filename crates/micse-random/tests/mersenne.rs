//! The Mersenne Twister against numpy and PyTorch; `tests/fixtures/mersenne.py` describes the values.

use micse_random::Mersenne;
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    /// The places of the words.
    places: Vec<usize>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    seed: u32,
    words: Vec<u32>,
    /// Drawn one after the other.
    permutations: Vec<Vec<u32>>,
    layers: Vec<Layer>,
}

/// Initial weights and biases of a linear layer with two classes.
#[derive(Deserialize)]
struct Layer {
    width: usize,
    /// The last ones.
    last: Vec<f64>,
}

#[test]
fn draws_are_those_of_numpy_and_pytorch() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mersenne.json");
    let of: Fixture = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for case in of.cases {
        let mut generator = Mersenne::new(case.seed);
        let words: Vec<u32> = (0..=of.places[of.places.len() - 1]).map(|_| generator.word()).collect();
        let found: Vec<u32> = of.places.iter().map(|&place| words[place]).collect();
        assert_eq!(found, case.words, "seed {}", case.seed);

        let mut generator = Mersenne::new(case.seed);
        for expected in case.permutations {
            assert_eq!(generator.permutation(expected.len()), expected, "seed {}", case.seed);
        }

        for Layer { width, last } in case.layers {
            let mut generator = Mersenne::new(case.seed);
            let bound = (1.0 / (width as f64).sqrt()) as f32;
            let drawn: Vec<f64> =
                (0..2 * width + 2).map(|_| f64::from(generator.uniform(-bound, bound))).collect();
            assert_eq!(drawn[drawn.len() - last.len()..], last, "seed {}, width {width}", case.seed);
        }
    }
}
