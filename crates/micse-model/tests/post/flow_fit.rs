//! Fits of the flow: comparison with PyTorch, the entropy bound, and errors.

use crate::common::{
    FlowReference, correlated_rows, entries, fixture, normal_rows, numbers, relative_error, tensor,
};
use candle_core::{DType, Device, Tensor};
use micse_model::post::{Error, Flow, FlowOptions, FlowTrainer};
use micse_random::Stream;

fn fit(options: FlowOptions, seed: u64, batches: &[Vec<Vec<f32>>]) -> (Flow, Vec<f64>) {
    let dimension = batches[0][0].len();
    let mut trainer = FlowTrainer::new(options, dimension, Stream::new(seed)).unwrap();
    let losses = batches.iter().map(|b| trainer.step(&tensor(b, DType::F32)).unwrap()).collect();
    assert_eq!(trainer.steps(), batches.len());
    (trainer.finish().unwrap(), losses)
}

#[test]
fn a_fit_agrees_with_pytorch_step_by_step() {
    let reference: FlowReference = fixture("flow.json");
    let (shape, expected) = (reference.shape(), &reference.fit);
    let options = FlowOptions {
        levels: shape.levels,
        depth: shape.depth,
        width: shape.width,
        learning_rate: expected.learning_rate,
        weight_decay: expected.weight_decay,
        clip: expected.clip,
    };
    let (flow, losses) = fit(options, reference.seed, &reference.batches);
    for (step, (found, expected)) in losses.iter().zip(&expected.losses).enumerate() {
        assert!(
            (found - expected).abs() < 1e-4,
            "loss of step {}: got {found}, expected {expected}",
            step + 1
        );
    }
    for (name, value) in flow.glow().parameters() {
        let after = numbers(&expected.after[&name]);
        let change = numbers(&reference.initial[&name]);
        let change = after.iter().zip(&change).fold(0_f64, |m, (a, b)| m.max((a - b).abs()));
        let worst = entries(&value).iter().zip(&after).fold(0_f64, |m, (a, b)| m.max((a - b).abs()));
        // Compared with float64, relative to how far the parameter moved.
        assert!(worst < 0.01 * change, "{name}: off by {worst:e} after a change of {change:e}");
    }
}

/// Rows of a normal distribution with standard deviations 3 and 0.5 and correlation 0.9.
fn pairs(seed: u64, n: usize) -> Vec<Vec<f32>> {
    let second = |r: &[f32]| 0.9 * r[0] + 0.19_f32.sqrt() * r[1];
    normal_rows(seed, n, 2).iter().map(|r| vec![3.0 * r[0] + 1.0, 0.5 * second(r) - 2.0]).collect()
}

#[test]
fn the_likelihood_approaches_the_entropy() {
    let options =
        FlowOptions { levels: 1, depth: 2, width: 8, learning_rate: 3e-3, ..FlowOptions::default() };
    let mut trainer = FlowTrainer::new(options, 2, Stream::new(1)).unwrap();
    let steps = 600;
    for step in 0..steps {
        trainer.step(&tensor(&pairs(1000 + step, 128), DType::F32)).unwrap();
    }
    let flow = trainer.finish().unwrap();
    assert_eq!((flow.steps(), flow.dimension(), flow.options()), (steps as usize, 2, options));

    // Entropy in bits per dimension: log2(2 pi e)/2 + log2|Sigma|/4, with |Sigma| = 9 * 0.25 * (1 - 0.81). A
    // flow that only scales each coordinate stays log2(1/0.19)/4 = 0.60 bits above it.
    let two_pi_e = std::f64::consts::TAU * std::f64::consts::E;
    let entropy = two_pi_e.log2() / 2.0 + (9.0 * 0.25 * 0.19_f64).log2() / 4.0;
    let fresh = flow.bits_per_dimension(&pairs(7, 20_000)).unwrap();
    let bits = fresh.iter().map(|&b| f64::from(b)).sum::<f64>() / fresh.len() as f64;
    // The mean over 20,000 rows has a standard deviation of about 0.005.
    assert!((-0.02..0.03).contains(&(bits - entropy)), "{bits} bits per dimension, entropy {entropy}");
}

#[test]
fn the_loss_falls_on_correlated_rows() {
    let batches: Vec<_> =
        (0..300).map(|b| correlated_rows(3, 64 * (b % 8 + 1), 16)[64 * (b % 8)..].to_vec()).collect();
    let (_, losses) = fit(FlowOptions::default(), 2, &batches);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    assert!(mean(&losses[280..]) < mean(&losses[..20]) - 0.2, "{:?} to {:?}", losses[0], losses[299]);
}

#[test]
fn the_inverse_of_a_fitted_flow_gives_the_rows_back() {
    let as_f64 = |rows: &[Vec<f32>]| rows.concat().iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    for (dimension, steps) in [(16, 100), (768, 20)] {
        let batches: Vec<_> = (0..steps).map(|seed| correlated_rows(seed, 32, dimension)).collect();
        let (flow, _) = fit(FlowOptions::default(), 2, &batches);
        // More rows than fit into one pass through the network.
        let rows = correlated_rows(77, 1030, dimension);
        let latents = flow.transform(&rows).unwrap();
        assert_eq!((latents.len(), latents[0].len()), (1030, dimension));
        assert_ne!(latents[1029], rows[1029]);
        let error = relative_error(&as_f64(&flow.inverse(&latents).unwrap()), &as_f64(&rows));
        assert!(error < 1e-5, "dimension {dimension}: {error:e}");
    }
}

/// The bits of a fit with products large enough for candle to use several threads.
fn bits_of_a_fit() -> u64 {
    let batches: Vec<_> = (0..3).map(|b| normal_rows(b, 128, 768)).collect();
    let (flow, losses) = fit(FlowOptions::default(), 5, &batches);
    let values = flow.glow().parameters().into_iter().flat_map(|(_, value)| entries(&value));
    let latents = flow.transform(&batches[0]).unwrap().concat();
    let all = losses.into_iter().chain(values).chain(latents.into_iter().map(f64::from));
    // FNV-1a over the words.
    all.fold(0xCBF2_9CE4_8422_2325, |hash, v| (hash ^ v.to_bits()).wrapping_mul(0x0100_0000_01B3))
}

#[test]
fn same_seed_same_bits_at_any_number_of_threads() {
    const CHILD: &str = "MICSE_POST_PRINT_BITS";
    if std::env::var_os(CHILD).is_some() {
        println!("bits {:016x}", bits_of_a_fit());
        return;
    }
    // Candle reads the number of threads once per process.
    let bits = |threads: &str| {
        let this = std::env::current_exe().unwrap();
        let name = "flow_fit::same_seed_same_bits_at_any_number_of_threads";
        let ended = std::process::Command::new(this)
            .args([name, "--exact", "--nocapture"])
            .envs([(CHILD, "1"), ("RAYON_NUM_THREADS", threads)])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&ended.stdout).into_owned();
        let line = text.lines().find_map(|line| line.split_once("bits "));
        line.unwrap_or_else(|| panic!("no hash in {text}")).1.to_owned()
    };
    let one = bits("1");
    assert_eq!(one.len(), 16);
    assert_eq!(one, bits("1"));
    assert_eq!(one, bits("2"));
    assert_eq!(one, bits("5"));
}

#[test]
fn another_seed_gives_other_weights() {
    let batches = [correlated_rows(1, 32, 8)];
    let values = |seed| fit(FlowOptions::default(), seed, &batches).0.glow().parameters()[2].1.clone();
    assert_ne!(entries(&values(1)), entries(&values(2)));
}

#[test]
fn bad_options_and_batches_are_refused() {
    let options = FlowOptions::default();
    let new = |options, dimension| FlowTrainer::new(options, dimension, Stream::new(1));
    for dimension in [7, 12] {
        assert!(matches!(new(options, dimension), Err(Error::Indivisible { levels: 3, .. })));
    }
    for wrong in [0.0, -1.0, f64::NAN] {
        let rate = FlowOptions { learning_rate: wrong, ..options };
        assert!(matches!(new(rate, 8), Err(Error::Option { name: "learning_rate", .. })));
        let clip = FlowOptions { clip: wrong, ..options };
        assert!(matches!(new(clip, 8), Err(Error::Option { name: "clip", .. })));
    }
    let decay = FlowOptions { weight_decay: -0.1, ..options };
    assert!(matches!(new(decay, 8), Err(Error::Option { name: "weight_decay", .. })));
    assert!(matches!(new(options, 8).unwrap().finish(), Err(Error::NoStep)));

    let mut trainer = new(options, 8).unwrap();
    let rows = correlated_rows(1, 4, 8);
    let mut refused = |batch: &Tensor| trainer.step(batch).unwrap_err();
    assert!(matches!(
        refused(&tensor(&normal_rows(1, 4, 16), DType::F32)),
        Error::Batch { dimension: 8, .. }
    ));
    assert!(matches!(refused(&tensor(&rows, DType::F64)), Error::Batch { .. }));
    assert!(matches!(
        refused(&tensor(&rows[..1], DType::F32)),
        Error::TooFewRows { found: 1, needed: 2, .. }
    ));
    let equal = Tensor::ones((4, 8), DType::F32, &Device::Cpu).unwrap();
    assert!(matches!(refused(&equal), Error::ConstantCoordinate { coordinate: 0, rows: 4, .. }));
    let mut broken = rows.clone();
    broken[2][5] = f32::NAN;
    let error = refused(&tensor(&broken, DType::F32));
    assert!(matches!(error, Error::NotFinite { row: 2, coordinate: 5, .. }), "{error}");

    // After the first batch, a single row suffices, and none of the failures above counted as a step.
    trainer.step(&tensor(&rows, DType::F32)).unwrap();
    trainer.step(&tensor(&rows[..1], DType::F32)).unwrap();
    assert_eq!(trainer.steps(), 2);
    let error = trainer.step(&(tensor(&rows, DType::F32) * 1e30).unwrap()).unwrap_err();
    assert!(matches!(error, Error::Diverged { step: 3, what: "loss", .. }), "{error}");

    let flow = trainer.finish().unwrap();
    assert!(matches!(flow.transform(&broken), Err(Error::NotFinite { row: 2, .. })));
    assert!(matches!(flow.transform(&normal_rows(1, 2, 4)), Err(Error::Dimension { row: 0, .. })));
    assert!(flow.transform(&[]).unwrap().is_empty());
}
