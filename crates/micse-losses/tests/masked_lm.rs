//! The masked-LM loss against its plain form, finite differences and hand-computed values.

mod common;

use candle_core::{D, DType, Device, Tensor, Var};
use common::{gradient_error, normal, values};
use micse_losses::{Error, MaskedLm, Products};

/// The textbook form: mean over positions of minus the log-softmax at the true ID.
fn plain(states: &Tensor, table: &Tensor, bias: &Tensor, targets: &[u32]) -> Tensor {
    let scores = states.matmul(&table.t().unwrap()).unwrap().broadcast_add(bias).unwrap();
    let shifted = scores.broadcast_sub(&scores.detach().max_keepdim(D::Minus1).unwrap()).unwrap();
    let sums = shifted.exp().unwrap().sum_keepdim(D::Minus1).unwrap().log().unwrap();
    let ids = Tensor::new(targets, &Device::Cpu).unwrap().unsqueeze(1).unwrap();
    let own = shifted.broadcast_sub(&sums).unwrap().gather(&ids, 1).unwrap();
    own.mean_all().unwrap().neg().unwrap()
}

fn masked_lm_loss(
    states: &Tensor,
    table: &Tensor,
    bias: &Tensor,
    targets: &[u32],
) -> Result<MaskedLm, Error> {
    micse_losses::masked_lm_loss(states, table, bias, targets, Products::Full)
}

/// The largest difference of two tensors, relative to the largest entry of the second.
fn error(got: &Tensor, want: &Tensor) -> f64 {
    let (got, want) = (values(got), values(want));
    let largest = want.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    got.iter().zip(&want).fold(0.0_f64, |m, (a, b)| m.max((a - b).abs())) / largest
}

fn to(x: &Var, dtype: DType) -> Var {
    Var::from_tensor(&x.to_dtype(dtype).unwrap()).unwrap()
}

#[test]
fn agrees_with_the_plain_form() {
    // 70 positions, so that threads have several rows each; 53 and 1000 IDs, so that rows are not a multiple of
    // 16.
    for (vocabulary, spread) in [(53, 1.0), (1000, 4.0)] {
        let (states, table, bias) =
            (normal(1, &[70, 24]), normal(2, &[vocabulary, 24]), normal(3, &[vocabulary]));
        let states = Var::from_tensor(&(states.as_tensor() * spread).unwrap()).unwrap();
        let targets: Vec<u32> = (0..70).map(|m| (m * 37 + 11) % vocabulary as u32).collect();
        let want = plain(&states, &table, &bias, &targets);
        let want_gradients = want.backward().unwrap();
        for (dtype, products, tolerance, of_gradients) in [
            (DType::F64, Products::Full, 1e-13, 4e-13),
            (DType::F32, Products::Full, 2e-6, 8e-6),
            // bfloat16 has 8 bits, and with scores of 20 the softmax magnifies its rounding errors.
            (DType::F32, Products::Bf16, 4e-3, 4e-2),
        ] {
            let inputs = [to(&states, dtype), to(&table, dtype), to(&bias, dtype)];
            let got =
                micse_losses::masked_lm_loss(&inputs[0], &inputs[1], &inputs[2], &targets, products).unwrap();
            let off = error(&got.loss, &want);
            assert!(off < tolerance, "{dtype:?} {products:?}: the loss is off by {off:e}");
            let gradients = got.loss.backward().unwrap();
            let found = [
                gradients.get(&inputs[0]).unwrap().clone(),
                got.table_gradient(&gradients).unwrap(),
                gradients.get(&inputs[2]).unwrap().clone(),
            ];
            for (found, original) in found.iter().zip([&states, &table, &bias]) {
                let off = error(found, want_gradients.get(original).unwrap());
                assert!(off < of_gradients, "{dtype:?} {products:?} {:?}: {off:e}", found.dims());
            }
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let (states, table, bias) = (normal(4, &[3, 5]), normal(5, &[19, 5]), normal(6, &[19]));
    // A weight on the loss, so that the upstream gradient is not 1.
    let masked = || masked_lm_loss(&states, &table, &bias, &[0, 18, 7]).unwrap();
    let loss = || (masked().loss * 0.1).unwrap();
    let off = gradient_error(&[&states, &bias], &loss);
    assert!(off < 1e-6, "{off:e}");
    // The table's gradient comes from outside the graph.
    let once = masked();
    let gradients = (&once.loss * 0.1).unwrap().backward().unwrap();
    let got = values(&once.table_gradient(&gradients).unwrap());
    let start = values(&table);
    for (i, &got) in got.iter().enumerate() {
        let at = |delta: f64| {
            let mut moved = start.clone();
            moved[i] += delta;
            table.set(&Tensor::from_vec(moved, table.shape(), &Device::Cpu).unwrap()).unwrap();
            loss().to_scalar::<f64>().unwrap()
        };
        let numeric = (at(1e-6) - at(-1e-6)) / 2e-6;
        table.set(&Tensor::from_vec(start.clone(), table.shape(), &Device::Cpu).unwrap()).unwrap();
        assert!((got - numeric).abs() < 1e-8, "entry {i}: {got}, finite difference {numeric}");
    }
}

#[test]
fn without_a_graph_there_are_no_gradients() {
    let (states, table, bias) = (normal(4, &[3, 5]), normal(5, &[19, 5]), normal(6, &[19]));
    let tracked = masked_lm_loss(&states, &table, &bias.detach(), &[0, 18, 7]).unwrap();
    let gradients = tracked.loss.backward().unwrap();
    assert!(gradients.get(&states).is_some() && gradients.get(&table).is_none());
    let constant = masked_lm_loss(&states.detach(), &table, &bias.detach(), &[0, 18, 7]).unwrap();
    assert!(!constant.loss.track_op());
    assert!(constant.table_gradient(&gradients).is_none());
    assert_eq!(values(&constant.loss), values(&tracked.loss), "the value must not depend on tracking");
}

#[test]
fn hits_are_counted() {
    // Identity states and table: position m scores 1 for ID m and 0 for all other IDs.
    let eye = Tensor::eye(4, DType::F32, &Device::Cpu).unwrap();
    let bias = Tensor::new(&[0_f32, 0.0, 0.0, 2.0], &Device::Cpu).unwrap();
    // The bias wins for position 0; a tie with the largest score counts as a hit.
    let got = masked_lm_loss(&eye, &eye, &bias, &[0, 3, 3, 3]).unwrap();
    assert_eq!(got.correct, 3);
    let none = (bias * 0.0).unwrap();
    assert_eq!(masked_lm_loss(&eye, &eye, &none, &[0, 1, 2, 0]).unwrap().correct, 3);
}

#[test]
fn extreme_scores_are_finite_and_nan_is_not_hidden() {
    let states = Var::from_tensor(&Tensor::new(&[[1e4_f32], [-1e4]], &Device::Cpu).unwrap()).unwrap();
    let table = Tensor::new(&[[1_f32], [-1.0], [0.0]], &Device::Cpu).unwrap();
    let bias = Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap();
    let loss = masked_lm_loss(&states, &table, &bias, &[0, 0]).unwrap().loss;
    // The first position is certain and right; the second is certain and wrong by 2e4.
    assert_eq!(loss.to_scalar::<f32>().unwrap(), 1e4);
    assert!(values(loss.backward().unwrap().get(&states).unwrap()).iter().all(|g| g.is_finite()));

    let table = Tensor::new(&[[1_f32], [f32::NAN], [0.0]], &Device::Cpu).unwrap();
    assert!(
        masked_lm_loss(&states, &table, &bias, &[0, 0]).unwrap().loss.to_scalar::<f32>().unwrap().is_nan()
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let (states, table, bias) = (normal(1, &[2, 4]), normal(2, &[9, 4]), normal(3, &[9]));
    let refused = |states: &Tensor, table: &Tensor, bias: &Tensor, targets: &[u32]| {
        masked_lm_loss(states, table, bias, targets).unwrap_err()
    };
    assert!(matches!(refused(&states, &table, &bias, &[0, 9]), Error::Target { id: 9, vocabulary: 9 }));
    assert!(matches!(refused(&states, &table, &bias, &[0]), Error::Shape { name: "states", .. }));
    assert!(matches!(
        refused(&states, &normal(2, &[9, 5]), &bias, &[0, 1]),
        Error::Shape { name: "word table", .. }
    ));
    assert!(matches!(refused(&states, &table, &normal(3, &[8]), &[0, 1]), Error::Shape { name: "bias", .. }));
    assert!(matches!(
        refused(&states, &table, &to(&bias, DType::F32), &[0, 1]),
        Error::MixedTypes { name: "bias", .. }
    ));
    let bf16 = micse_losses::masked_lm_loss(&states, &table, &bias, &[0, 1], Products::Bf16);
    assert!(matches!(bf16.unwrap_err(), Error::DType { found: DType::F64, .. }));
}
