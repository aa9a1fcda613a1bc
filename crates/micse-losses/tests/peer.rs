//! PCL's terms: against PyTorch, finite differences, and properties of all views.

mod common;
#[path = "common/fixture.rs"]
mod fixture;

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};
use common::{gradient_error, normal, values};
use fixture::{Rows, cases, compare, variable};
use micse_losses::{Error, InfoNce, InfoNceForm, PeerForm, check_finite, peer_positives, peer_terms};
use proptest::prelude::*;
use serde::Deserialize;

const FORMS: [PeerForm; 2] = [PeerForm::Paper, PeerForm::ReleasedCode];

#[derive(Deserialize)]
struct Case {
    temperature: f64,
    online: Vec<Rows>,
    peer: Vec<Rows>,
    forms: HashMap<String, Expected>,
}

impl Case {
    fn form(&self, form: PeerForm) -> &Expected {
        match form {
            PeerForm::Paper => &self.forms["paper"],
            PeerForm::ReleasedCode => &self.forms["released-code"],
        }
    }
}

#[derive(Deserialize)]
struct Expected {
    terms: HashMap<String, f64>,
    online: Vec<Rows>,
    peer: Vec<Rows>,
}

fn tensors(views: &[Var]) -> Vec<Tensor> {
    views.iter().map(|view| view.as_tensor().clone()).collect()
}

fn scalar(x: &Tensor) -> f64 {
    values(x)[0]
}

/// `count` random views of one network.
fn views(seed: u64, count: u64, shape: &[usize]) -> Vec<Var> {
    (0..count).map(|view| normal(seed ^ (view << 40), shape)).collect()
}

// shares = group(z[0], z[1:], z[0], temperature).softmax(1)
// positives: F.binary_cross_entropy(shares, labels)              # paper
//            F.binary_cross_entropy_with_logits(shares, labels)  # released code
// own: F.kl_div(group(z[0], z[1:], z[0]).log_softmax(1), group(y[0], y[1:], y[0]).log_softmax(1),
//               log_target=True, reduction="none"), .sum(1).mean() or .mean()
// crossed: the same of group(z[0], y[1:], y[0]) and group(y[0], z[1:], z[0])
#[test]
fn agrees_with_pytorch() {
    for (number, case) in cases::<Case>("peer").iter().enumerate() {
        for (dtype, tolerance) in [(DType::F64, 1e-11), (DType::F32, 2e-4)] {
            let read = |views: &[Rows]| -> Vec<Var> { views.iter().map(|v| variable(v, dtype)).collect() };
            let (online, peer) = (read(&case.online), read(&case.peer));
            for form in FORMS {
                let expected = case.form(form);
                let terms = peer_terms(&tensors(&online), &tensors(&peer), case.temperature, form).unwrap();
                let mut weighted = Vec::new();
                for (k, (name, term)) in terms.named().into_iter().enumerate() {
                    let what = format!("case {number}, {dtype:?}, {form:?}, {name}");
                    compare(&what, term, &[vec![expected.terms[name]]], tolerance);
                    weighted.push((term * (k + 1) as f64).unwrap());
                }
                let gradients = Tensor::stack(&weighted, 0).unwrap().sum_all().unwrap().backward().unwrap();
                for (network, views, expected) in
                    [("online", &online, &expected.online), ("peer", &peer, &expected.peer)]
                {
                    let gradients: Vec<&Tensor> = views.iter().map(|v| gradients.get(v).unwrap()).collect();
                    let what = format!("case {number}, {dtype:?}, {form:?}, gradients of {network}");
                    // All views at once, because the gradient of one view can be small relative to the other
                    // views.
                    compare(&what, &Tensor::cat(&gradients, 0).unwrap(), &expected.concat(), tolerance);
                }
            }
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let (online, peer) = (views(1, 4, &[3, 5]), views(2, 4, &[3, 5]));
    let variables: Vec<&Var> = online.iter().chain(&peer).collect();
    for form in FORMS {
        for term in 0..6 {
            // A contrast depends on two views only, and a network's positives on its own views.
            let reached: Vec<&Var> = match term {
                0 => online[..2].iter().collect(),
                1 => online.iter().collect(),
                2 => peer[..2].iter().collect(),
                3 => peer.iter().collect(),
                _ => variables.clone(),
            };
            let loss = || {
                let terms = peer_terms(&tensors(&online), &tensors(&peer), 0.4, form).unwrap();
                terms.named()[term].1.clone()
            };
            let error = gradient_error(&reached, &loss);
            assert!(error < 1e-6, "{form:?}, term {term}: {error:e}");
        }
    }
}

proptest! {
    #[test]
    fn divergences_are_distances(seed: u64, count in 2_u64..6, rows in 2_usize..6) {
        let (online, peer) = (views(seed, count, &[rows, 6]), views(!seed, count, &[rows, 6]));
        let (online, peer) = (tensors(&online), tensors(&peer));
        let terms = peer_terms(&online, &peer, 0.1, PeerForm::Paper).unwrap();
        let code = peer_terms(&online, &peer, 0.1, PeerForm::ReleasedCode).unwrap();
        let size = (count as usize - 1 + rows - 1) as f64;
        for (paper, code) in
            [(&terms.own_divergence, &code.own_divergence), (&terms.crossed_divergence, &code.crossed_divergence)]
        {
            let (paper, code) = (scalar(paper), scalar(code));
            prop_assert!(paper > 0.0);
            prop_assert!((paper - code * size).abs() < 1e-12 * paper.max(1.0), "{paper} {code}");
        }
        let same = peer_terms(&online, &online, 0.1, PeerForm::Paper).unwrap();
        prop_assert!(scalar(&same.own_divergence).abs() < 1e-13);
        prop_assert!(scalar(&same.crossed_divergence).abs() < 1e-13);
    }

    #[test]
    fn order_of_sentences_and_of_views_and_scale_change_nothing(seed: u64, scale in 0.01_f64..100.0) {
        let (online, peer) = (tensors(&views(seed, 4, &[4, 6])), tensors(&views(!seed, 4, &[4, 6])));
        let order = Tensor::new(&[2_u32, 0, 3, 1], &Device::Cpu).unwrap();
        let moved = |views: &[Tensor]| -> Vec<Tensor> {
            // The first two views have fixed roles; the rest are a set.
            [0, 1, 3, 2].map(|v| (views[v].index_select(&order, 0).unwrap() * scale).unwrap()).to_vec()
        };
        for form in FORMS {
            let before = peer_terms(&online, &peer, 0.1, form).unwrap();
            let after = peer_terms(&moved(&online), &moved(&peer), 0.1, form).unwrap();
            for ((name, a), (_, b)) in before.named().into_iter().zip(after.named()) {
                prop_assert!((scalar(a) - scalar(b)).abs() < 1e-11 * scalar(a).abs().max(1.0), "{name}");
            }
        }
    }

    #[test]
    fn released_cross_entropy_stays_in_its_narrow_band(seed: u64, temperature in 0.01_f64..1.0) {
        let found = peer_positives(&tensors(&views(seed, 4, &[5, 6])), temperature, PeerForm::ReleasedCode).unwrap();
        let (low, high) = ((-1_f64).exp().ln_1p(), 1_f64.exp().ln_1p());
        prop_assert!((low..=high).contains(&scalar(&found)), "{found}");
    }
}

#[test]
fn terms_are_what_their_names_say() {
    let (online, peer) = (tensors(&views(3, 3, &[4, 5])), tensors(&views(4, 3, &[4, 5])));
    for form in FORMS {
        let terms = peer_terms(&online, &peer, 0.05, form).unwrap();
        let sum: f64 = terms.named().iter().map(|(_, term)| scalar(term)).sum();
        assert!((scalar(&terms.sum().unwrap()) - sum).abs() < 1e-12 * sum);
        let infonce = InfoNce { temperature: 0.05, form: InfoNceForm::Standard };
        assert_eq!(scalar(&terms.contrast), scalar(&infonce.loss(&online[0], &online[1], None).unwrap()));
        assert_eq!(scalar(&terms.peer_positives), scalar(&peer_positives(&peer, 0.05, form).unwrap()));
    }
}

/// Two sentences with one anchor, and second views opposite to it: the share of the negative is `1 / (1 + e^-40)`,
/// which is 1 in f32. By hand: of each row's two entries, the positive costs `ln(1 + e^40)`, and the negative
/// `-ln(1 - 1 / (1 + e^-40)) = ln(1 + e^40)`.
#[test]
fn a_share_of_one_keeps_value_and_gradient() {
    let rows = |sign: f64| vec![vec![0.6 * sign, 0.8 * sign]; 2];
    for dtype in [DType::F32, DType::F64] {
        let (anchor, second) = (variable(&rows(1.0), dtype), variable(&rows(-1.0), dtype));
        let loss =
            peer_positives(&tensors(&[anchor.clone(), second.clone()]), 0.05, PeerForm::Paper).unwrap();
        let expected = 40_f64.exp().ln_1p();
        assert!((scalar(&loss) - expected).abs() < 1e-5, "{dtype:?}: {loss}");
        let gradients = loss.backward().unwrap();
        for view in [&anchor, &second] {
            assert!(values(gradients.get(view).unwrap()).iter().all(|g| g.is_finite()), "{dtype:?}");
        }
    }
}

#[test]
fn zero_rows_are_finite_and_get_no_gradient() {
    let zero_first = |seed: u64| {
        let rest = normal(seed, &[2, 4]).to_dtype(DType::F32).unwrap();
        let zero = Tensor::zeros((1, 4), DType::F32, &Device::Cpu).unwrap();
        Var::from_tensor(&Tensor::cat(&[&zero, &rest], 0).unwrap()).unwrap()
    };
    let (online, peer) = ([1, 2, 3].map(zero_first), [4, 5, 6].map(zero_first));
    for form in FORMS {
        let sum = peer_terms(&tensors(&online), &tensors(&peer), 0.05, form).unwrap().sum().unwrap();
        check_finite(&sum, "peer").unwrap();
        let gradients = sum.backward().unwrap();
        for view in online.iter().chain(&peer) {
            let gradient = values(gradients.get(view).unwrap());
            assert_eq!(gradient[..4], [0.0; 4]);
            assert!(gradient.iter().all(|g| g.is_finite()));
        }
    }
}

#[test]
fn nan_is_let_through() {
    let mut online = tensors(&views(1, 3, &[3, 4]));
    let peer = tensors(&views(2, 3, &[3, 4]));
    online[2] = Tensor::full(f64::NAN, (3, 4), &Device::Cpu).unwrap();
    for form in FORMS {
        let terms = peer_terms(&online, &peer, 0.05, form).unwrap();
        for term in [&terms.positives, &terms.crossed_divergence, &terms.own_divergence] {
            assert!(scalar(term).is_nan(), "{form:?}");
        }
    }
}

#[test]
fn wrong_arguments_are_named() {
    let online = tensors(&views(1, 3, &[3, 4]));
    let terms = |online: &[Tensor], peer: &[Tensor]| {
        peer_terms(online, peer, 0.05, PeerForm::Paper).map(|_| ()).unwrap_err()
    };
    assert_eq!(
        terms(&online, &online[..2]).to_string(),
        "PCL needs the same number of views of both networks, found 2 (peer) and 3 (online)"
    );
    assert!(matches!(terms(&online[..1], &online[..1]), Error::Number { found: 1.0, .. }));
    assert!(matches!(peer_positives(&[], 0.05, PeerForm::Paper), Err(Error::Number { found: 0.0, .. })));
    let wide = tensors(&views(1, 3, &[3, 5]));
    assert!(matches!(terms(&online, &wide), Error::Shape { name: "peer views", .. }));
    let mixed = [online[0].clone(), wide[1].clone()];
    assert!(matches!(terms(&mixed, &online[..2]), Error::Shape { name: "views", .. }));
    let one = tensors(&views(1, 2, &[1, 4]));
    assert!(matches!(terms(&one, &one), Error::OneSentence { .. }));
    let error = peer_terms(&online, &online, 0.0, PeerForm::Paper).unwrap_err();
    assert!(matches!(error, Error::Temperature(0.0)));
}

#[test]
fn forms_are_written_in_kebab_case() {
    assert_eq!(serde_json::to_string(&FORMS).unwrap(), r#"["paper","released-code"]"#);
}
