//! The objectives of published methods: properties for all inputs, degenerate inputs, invalid arguments.

mod common;

use candle_core::{DType, Device, Tensor, Var};
use common::{normal, values};
use micse_losses::{
    AlignmentForm, Error, InfoNce, InfoNceForm, Result, alignment, batch_norm, check_finite,
    contrastive_tension, cosine_matrix, decorrelation, guide_contrast, information_minimising,
    jensen_shannon, nt_xent, replaced_tokens, self_contrast,
};
use proptest::prelude::*;

const FLAGS: [bool; 5] = [true, false, false, true, false];
const OWN: [u32; 5] = [4, 0, 1, 0, 2];

fn scalar(x: Result<Tensor>) -> f64 {
    values(&x.unwrap())[0]
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-10 * a.abs().max(b.abs()).max(1.0)
}

fn rows(x: &Tensor, order: &[u32]) -> Tensor {
    x.index_select(&Tensor::new(order, x.device()).unwrap(), 0).unwrap()
}

/// A function of two matrices.
type OfTwo = fn(&Tensor, &Tensor) -> Result<Tensor>;

/// The objectives of two matrices `[5, D]`.
const OF_TWO: [(&str, OfTwo); 9] = [
    ("NT-Xent", |a, b| nt_xent(a, b, 0.05)),
    ("guide", |a, b| guide_contrast(a, &[b.clone(), a.clone()], 0.05)),
    ("self-contrast", |a, b| self_contrast(a, b, 0.05)),
    ("alignment", |a, b| alignment(a, b, 0.05, AlignmentForm::Cosine)),
    ("alignment cross-entropy", |a, b| alignment(a, b, 0.05, AlignmentForm::CrossEntropy)),
    ("information-minimising", information_minimising),
    ("contrastive tension", |a, b| contrastive_tension(a, b, &FLAGS)),
    ("Jensen-Shannon", |a, b| jensen_shannon(a, b, &OWN)),
    ("decorrelation", |a, b| decorrelation(a, b, 0.3)),
];

/// How many of them depend only on cosines.
const COSINES: usize = 6;

proptest! {
    #[test]
    fn the_length_of_a_row_does_not_count(seed: u64, scales in prop::collection::vec(0.01_f64..100.0, 5)) {
        let (a, b) = (normal(seed, &[5, 6]), normal(seed ^ 1, &[5, 6]));
        let longer = a.broadcast_mul(&Tensor::from_vec(scales, (5, 1), &Device::Cpu).unwrap()).unwrap();
        for (name, loss) in &OF_TWO[..COSINES] {
            prop_assert!(close(scalar(loss(&a, &b)), scalar(loss(&longer, &b))), "{name}");
            prop_assert!(close(scalar(loss(&b, &a)), scalar(loss(&b, &longer))), "{name}");
        }
    }

    #[test]
    fn the_order_of_sentences_does_not_count(seed: u64) {
        let (a, b) = (normal(seed, &[5, 6]), normal(seed ^ 1, &[5, 6]));
        let order = [3, 0, 4, 1, 2];
        let (c, d) = (rows(&a, &order), rows(&b, &order));
        for (name, loss) in OF_TWO {
            // The two objectives with grouping arguments have their own test.
            if !["contrastive tension", "Jensen-Shannon"].contains(&name) {
                prop_assert!(close(scalar(loss(&a, &b)), scalar(loss(&c, &d))), "{name}");
            }
        }
        let flags = order.map(|i| FLAGS[i as usize]);
        prop_assert!(close(scalar(contrastive_tension(&a, &b, &FLAGS)), scalar(contrastive_tension(&c, &d, &flags))));
        // Tokens in another order; then the sentences, which get new indices.
        let own = order.map(|i| OWN[i as usize]);
        let before = scalar(jensen_shannon(&a, &b, &OWN));
        prop_assert!(close(before, scalar(jensen_shannon(&c, &b, &own))));
        let numbers = OWN.map(|i| order.iter().position(|&o| o == i).unwrap() as u32);
        prop_assert!(close(before, scalar(jensen_shannon(&a, &d, &numbers))));
    }

    #[test]
    fn the_order_of_views_does_not_count(seed: u64) {
        let (a, b, c) = (normal(seed, &[5, 6]), normal(seed ^ 1, &[5, 6]), normal(seed ^ 2, &[5, 6]));
        for (name, loss) in OF_TWO {
            if !["guide", "Jensen-Shannon"].contains(&name) {
                prop_assert!(close(scalar(loss(&a, &b)), scalar(loss(&b, &a))), "{name}");
            }
        }
        let guide = |b: &Var, c: &Var| scalar(guide_contrast(&a, &[b.as_tensor().clone(), c.as_tensor().clone()], 0.1));
        prop_assert!(close(guide(&b, &c), guide(&c, &b)));
    }

    #[test]
    fn nt_xent_is_two_contrastive_losses_with_a_queue(seed: u64, batch in 2_usize..7) {
        let (a, b) = (normal(seed, &[batch, 6]), normal(seed ^ 1, &[batch, 6]));
        let infonce = InfoNce { temperature: 0.2, form: InfoNceForm::Standard };
        // The view's own other rows, as a queue without the row itself.
        let own = Tensor::eye(batch, DType::U8, &Device::Cpu).unwrap();
        let one = |a: &Tensor, b: &Tensor| scalar(infonce.loss_masked(a, b, a, &own));
        let found = scalar(nt_xent(&a, &b, 0.2));
        prop_assert!(close(2.0 * found, one(&a, &b) + one(&b, &a)));
        prop_assert!(0.0 <= found && found <= 10.0 + (2.0 * batch as f64).ln());
    }

    #[test]
    fn a_guide_of_one_view_is_infonce(seed: u64, batch in 1_usize..7) {
        let (a, b) = (normal(seed, &[batch, 6]), normal(seed ^ 1, &[batch, 6]));
        let infonce = InfoNce { temperature: 0.05, form: InfoNceForm::Standard };
        let found = scalar(guide_contrast(&a, &[b.as_tensor().clone()], 0.05));
        prop_assert!(close(found, scalar(infonce.loss(&a, &b, None))));
    }

    #[test]
    fn jensen_shannon_lies_above_its_bound(seed: u64, scale in 0.01_f64..10.0) {
        let (a, b) = (normal(seed, &[5, 6]), normal(seed ^ 1, &[5, 6]));
        let found = scalar(jensen_shannon(&(a.as_tensor() * scale).unwrap(), &b, &OWN));
        prop_assert!(found > -2.0 * 2_f64.ln());
    }

    #[test]
    fn information_minimising_and_self_contrast_are_one_cosine(seed: u64) {
        let (a, b) = (normal(seed, &[5, 6]), normal(seed ^ 1, &[5, 6]));
        let cosine = (0..5).map(|i| values(&cosine_matrix(&a, &b).unwrap())[6 * i]).sum::<f64>() / 5.0;
        prop_assert!(close(scalar(self_contrast(&a, &b, 0.05)), cosine / 0.05));
        prop_assert!(close(scalar(alignment(&a, &b, 0.05, AlignmentForm::Cosine)), -cosine / 0.05));
        prop_assert!(close(scalar(information_minimising(&a, &b)), 4.0 / 6.0 * (1.0 - cosine)));
    }

    #[test]
    fn decorrelation_does_not_see_shift_and_scale(seed: u64, shift in -5.0_f64..5.0, scale in 1.0_f64..100.0) {
        let (a, b) = (normal(seed, &[8, 4]), normal(seed ^ 1, &[8, 4]));
        let moved = a.affine(scale, shift).unwrap();
        let (before, after) = (scalar(decorrelation(&a, &b, 0.3)), scalar(decorrelation(&moved, &b, 0.3)));
        // Up to epsilon's share of the variance.
        prop_assert!((before - after).abs() < 1e-3 * before, "{before} {after}");
    }

    #[test]
    fn decorrelation_is_that_of_the_whole_matrix(seed: u64, batch in 2_usize..9, dim in 1_usize..9) {
        let (a, b) = (normal(seed, &[batch, dim]), normal(seed ^ 1, &[batch, dim]));
        let (n1, n2) = (batch_norm(&a, 1e-5).unwrap(), batch_norm(&b, 1e-5).unwrap());
        let c = (n1.t().unwrap().matmul(&n2).unwrap() / batch as f64).unwrap().to_vec2::<f64>().unwrap();
        let mut expected = 0.0;
        for (d, row) in c.iter().enumerate() {
            for (e, c) in row.iter().enumerate() {
                expected += if d == e { (c - 1.0).powi(2) } else { 0.3 * c * c };
            }
        }
        prop_assert!(close(scalar(decorrelation(&a, &b, 0.3)), expected));
    }

    #[test]
    fn a_shift_of_both_logits_changes_nothing(seed: u64, shift in -50.0_f64..50.0) {
        let logits = normal(seed, &[5, 2]);
        let before = scalar(replaced_tokens(&logits, &FLAGS));
        prop_assert!(close(before, scalar(replaced_tokens(&(logits.as_tensor() + shift).unwrap(), &FLAGS))));
        // The classes swap names.
        let columns = Tensor::new(&[1_u32, 0], &Device::Cpu).unwrap();
        let turned = logits.index_select(&columns, 1).unwrap();
        prop_assert!(close(before, scalar(replaced_tokens(&turned, &FLAGS.map(|flag| !flag)))));
    }

    #[test]
    fn columns_have_mean_0_and_the_variance_that_epsilon_leaves(seed: u64, batch in 2_usize..9) {
        let (x, epsilon) = (normal(seed, &[batch, 3]), 1e-5);
        let y = batch_norm(&x, epsilon).unwrap();
        for mean in values(&y.mean(0).unwrap()) {
            prop_assert!(mean.abs() < 1e-10);
        }
        // v / (v + epsilon): 1 except for columns that hardly vary.
        let centred = x.broadcast_sub(&x.mean_keepdim(0).unwrap()).unwrap();
        let before = values(&centred.sqr().unwrap().mean(0).unwrap());
        for (v, after) in before.into_iter().zip(values(&y.sqr().unwrap().mean(0).unwrap())) {
            prop_assert!((after - v / (v + epsilon)).abs() < 1e-9);
        }
    }
}

#[test]
fn best_and_worst_cases() {
    let z = normal(1, &[5, 6]);
    let opposite = z.neg().unwrap();
    assert!(close(scalar(self_contrast(&z, &z, 0.05)), 20.0));
    assert!(close(scalar(self_contrast(&z, &opposite, 0.05)), -20.0));
    assert_eq!(scalar(information_minimising(&z, &z)), 0.0);
    assert!(close(scalar(information_minimising(&z, &opposite)), 8.0 / 6.0));

    // Products of 400 or -400, first all correct, then all wrong.
    let large = (Tensor::eye(4, DType::F64, &Device::Cpu).unwrap() * 20.0).unwrap();
    let signs = Tensor::full(-40.0, (4, 4), &Device::Cpu).unwrap().add(&(&large * 4.0).unwrap()).unwrap();
    let least = scalar(jensen_shannon(&large, &signs, &[0, 1, 2, 3]));
    assert!(least + 2.0 * 2_f64.ln() < 1e-12, "{least}");
    assert!(scalar(jensen_shannon(&large, &signs.neg().unwrap(), &[0, 1, 2, 3])) > 800.0);

    // Uncorrelated columns, and the same in both views.
    let walsh = [[1_f64, 1.0, 1.0], [-1.0, 1.0, -1.0], [1.0, -1.0, -1.0], [-1.0, -1.0, 1.0]];
    let walsh = Tensor::new(&walsh, &Device::Cpu).unwrap();
    assert!(scalar(decorrelation(&walsh, &walsh, 1.0)) < 1e-9);
    // Each diagonal entry is -1 instead of 1.
    assert!((scalar(decorrelation(&walsh, &walsh.neg().unwrap(), 1.0)) - 12.0).abs() < 1e-3);
}

#[test]
fn nearly_equal_views_keep_their_digits() {
    let z = Tensor::new(&[[1_f32, 0.0]], &Device::Cpu).unwrap();
    let turned = Tensor::new(&[[1_f32, 1e-5]], &Device::Cpu).unwrap();
    // 1 - cos is 5e-11, far below f32's step at 1.
    let found = scalar(information_minimising(&z, &turned));
    assert!((found / 1e-10 - 1.0).abs() < 1e-5, "{found:e}");
}

#[test]
fn one_sentence_alone() {
    let z = normal(1, &[1, 4]);
    let other = normal(2, &[1, 4]);
    for loss in [nt_xent(&z, &other, 0.05), guide_contrast(&z, &[other.as_tensor().clone()], 0.05)] {
        let loss = loss.unwrap();
        assert_eq!(values(&loss), [0.0]);
        assert_eq!(values(loss.backward().unwrap().get(&z).unwrap()), [0.0; 4]);
    }
    let message = jensen_shannon(&z, &other, &[0]).unwrap_err().to_string();
    assert!(message.starts_with("the Jensen-Shannon objective needs a batch of at least 2"), "{message}");
    let message = decorrelation(&z, &other, 0.1).unwrap_err().to_string();
    assert!(message.starts_with("batch normalisation needs a batch of at least 2, found 1"), "{message}");
}

#[test]
fn zero_rows_and_constant_columns_are_finite() {
    for dtype in [DType::F32, DType::F64] {
        let mut values_a = values(&normal(1, &[5, 6]));
        // Row 1 is 0, and column 0 is 3 elsewhere; then everything is 0.
        values_a.chunks_mut(6).for_each(|row| row[0] = 3.0);
        values_a[6..12].fill(0.0);
        for values_a in [values_a, vec![0.0; 30]] {
            let to = |x: Tensor| Var::from_tensor(&x.to_dtype(dtype).unwrap()).unwrap();
            let a = to(Tensor::from_vec(values_a, (5, 6), &Device::Cpu).unwrap());
            let b = to(normal(2, &[5, 6]).as_tensor().clone());
            for (i, (name, loss)) in OF_TWO.iter().enumerate() {
                let loss = loss(&a, &b).unwrap();
                check_finite(&loss, name).unwrap();
                let gradients = loss.backward().unwrap();
                let gradient = values(gradients.get(&a).unwrap());
                assert!(gradient.iter().all(|g| g.is_finite()), "{name}");
                assert!(values(gradients.get(&b).unwrap()).iter().all(|g| g.is_finite()), "{name}");
                if i < COSINES {
                    assert_eq!(gradient[6..12], [0.0; 6], "{name}: a zero row has no direction");
                }
            }
        }
    }
}

#[test]
fn large_values_stay_finite() {
    for scale in [1e3, 1e15] {
        let to = |x: Var| {
            Var::from_tensor(&(x.as_tensor() * scale).unwrap().to_dtype(DType::F32).unwrap()).unwrap()
        };
        let (a, b) = (to(normal(1, &[5, 6])), to(normal(2, &[5, 6])));
        for (name, loss) in OF_TWO {
            let loss = loss(&a, &b).unwrap();
            check_finite(&loss, name).unwrap();
            let gradients = loss.backward().unwrap();
            for x in [&a, &b] {
                assert!(values(gradients.get(x).unwrap()).iter().all(|g| g.is_finite()), "{name}");
            }
        }
    }
    let (a, b) = (normal(1, &[5, 6]), normal(2, &[5, 6]));
    let (a, b) = (a.to_dtype(DType::F32).unwrap(), b.to_dtype(DType::F32).unwrap());
    check_finite(&nt_xent(&a, &b, 1e-4).unwrap(), "NT-Xent").unwrap();
    check_finite(&guide_contrast(&a, &[b], 1e-4).unwrap(), "guide").unwrap();
}

#[test]
fn nan_is_not_hidden() {
    let mut entries = values(&normal(1, &[5, 6]));
    entries[8] = f64::NAN;
    let (a, b) = (Tensor::from_vec(entries, (5, 6), &Device::Cpu).unwrap(), normal(2, &[5, 6]));
    for (name, loss) in OF_TWO {
        assert!(scalar(loss(&a, &b)).is_nan() && scalar(loss(&b, &a)).is_nan(), "{name}");
    }
    assert!(scalar(replaced_tokens(&a.narrow(1, 2, 2).unwrap(), &FLAGS)).is_nan());
}

/// A wide projection in f32 against f64: the off-diagonal sum as a difference keeps enough precision.
#[test]
fn decorrelation_of_a_wide_projection() {
    let (a, b) = (normal(1, &[50, 1024]), normal(2, &[50, 1024]));
    let single = |x: &Var| Var::from_tensor(&x.to_dtype(DType::F32).unwrap()).unwrap();
    let (c, d) = (single(&a), single(&b));
    let exact = decorrelation(&a, &b, 0.012).unwrap();
    let found = decorrelation(&c, &d, 0.012).unwrap();
    assert!((values(&found)[0] / values(&exact)[0] - 1.0).abs() < 1e-6);
    let exact = values(exact.backward().unwrap().get(&a).unwrap());
    let found = values(found.backward().unwrap().get(&c).unwrap());
    let largest = exact.iter().fold(0_f64, |m, x| m.max(x.abs()));
    assert!(exact.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-5 * largest));
}

#[test]
fn wrong_arguments_are_named() {
    let (z, wide) = (normal(1, &[3, 4]), normal(2, &[3, 5]));
    let single = z.to_dtype(DType::F32).unwrap();
    let message = |result: Result<Tensor>| result.unwrap_err().to_string();
    assert_eq!(message(nt_xent(&z, &wide, 0.05)), "z2: expected shape [3, 4], found [3, 5]");
    let mixed = "z2: expected F64 like the other tensor, found F32; convert one of them";
    assert_eq!(message(information_minimising(&z, &single)), mixed);
    assert_eq!(
        message(guide_contrast(&z, &[wide.as_tensor().clone()], 1.0)),
        "guide: expected shape [3, 4], found [3, 5]"
    );
    assert!(matches!(guide_contrast(&z, &[], 1.0), Err(Error::NoGuide)));
    for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(nt_xent(&z, &z, temperature), Err(Error::Temperature(_))));
        assert!(matches!(self_contrast(&z, &z, temperature), Err(Error::Temperature(_))));
        assert!(matches!(
            guide_contrast(&z, std::slice::from_ref(&single), temperature),
            Err(Error::Temperature(_))
        ));
    }
    assert_eq!(message(contrastive_tension(&z, &z, &[true])), "x: expected shape [1, 4], found [3, 4]");
    assert_eq!(message(jensen_shannon(&z, &wide, &[0, 1, 2])), "tokens: expected shape [3, 5], found [3, 4]");
    assert_eq!(message(jensen_shannon(&z, &z, &[0, 1])), "tokens: expected shape [2, 4], found [3, 4]");
    let outside = "token 1 is assigned to sentence 3, outside the batch of 3";
    assert_eq!(message(jensen_shannon(&z, &z, &[0, 3, 1])), outside);
    assert_eq!(message(replaced_tokens(&z, &[true; 3])), "logits: expected shape [3, 2], found [3, 4]");
    assert_eq!(
        message(decorrelation(&z, &z, -0.5)),
        "off_diagonal must be a number of at least 0, found -0.5"
    );
    assert_eq!(message(batch_norm(&z, 0.0)), "epsilon must be a positive number, found 0");
    let integers = Tensor::ones((3, 2), DType::U32, &Device::Cpu).unwrap();
    assert!(matches!(replaced_tokens(&integers, &[true; 3]), Err(Error::DType { name: "logits", .. })));
}
