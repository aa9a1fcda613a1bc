//! VaSCL's virtual contrast: against PyTorch, finite differences, and properties of all rows.

mod common;
#[path = "common/fixture.rs"]
mod fixture;

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};
use common::{gradient_error, normal, values};
use fixture::{Rows, cases, compare, variable};
use micse_losses::{
    Error, InfoNce, InfoNceForm, VirtualForm, VirtualOptions, adversarial_directions, check_finite,
    nearest_neighbours, neighbourhood_contrast, nt_xent, virtual_contrast, virtual_contrast_from,
};
use micse_random::Stream;
use proptest::prelude::*;
use serde::Deserialize;

const FORMS: [VirtualForm; 2] = [VirtualForm::Paper, VirtualForm::ReleasedCode];
const OPTIONS: VirtualOptions =
    VirtualOptions { temperature: 0.2, step: 1.5, radius: 2.0, neighbours: 2, form: VirtualForm::Paper };

#[derive(Deserialize)]
struct Case {
    neighbours: usize,
    temperature: f64,
    step: f64,
    radius: f64,
    rows: Rows,
    starts: Rows,
    first: Rows,
    second: Rows,
    chosen: Vec<Vec<usize>>,
    forms: HashMap<String, Expected>,
}

impl Case {
    fn form(&self, form: VirtualForm) -> &Expected {
        match form {
            VirtualForm::Paper => &self.forms["paper"],
            VirtualForm::ReleasedCode => &self.forms["released-code"],
        }
    }
}

#[derive(Deserialize)]
struct Expected {
    loss: f64,
    directions: Rows,
    rows: Option<Rows>,
    first: Rows,
    second: Rows,
}

/// Two linear layers without biases, with a ReLU between them.
fn mlp(rows: &Tensor, first: &Tensor, second: &Tensor) -> candle_core::Result<Tensor> {
    rows.matmul(&first.t()?)?.relu()?.matmul(&second.t()?)
}

fn scalar(x: &Tensor) -> f64 {
    values(x)[0]
}

/// The indices of each row's neighbours.
fn chosen(mask: &Tensor) -> Vec<Vec<usize>> {
    let mask = mask.to_vec2::<u8>().unwrap();
    mask.iter().map(|row| (0..row.len()).filter(|&j| row[j] == 1).collect()).collect()
}

// g = lambda x: F.normalize(F.relu(x @ weights[0].T) @ weights[1].T)
// moved = g(h.detach() + step * unit(starts))
// inner = one_direction(g(h).detach(), moved, neighbours, temperature)
// direction = unit(torch.autograd.grad(inner.sum() if form == "paper" else inner.mean(), d)[0])
// clean, rows = (g(h), h) if form == "paper" else (g(h).detach(), h.detach())
// loss = two_directions(clean, g(rows + radius * direction), neighbours, temperature)
#[test]
fn agrees_with_pytorch() {
    for (number, case) in cases::<Case>("neighbourhood").iter().enumerate() {
        for (dtype, tolerance) in [(DType::F64, 1e-11), (DType::F32, 2e-4)] {
            let [rows, starts, first, second] =
                [&case.rows, &case.starts, &case.first, &case.second].map(|x| variable(x, dtype));
            let head = |rows: &Tensor| mlp(rows, &first, &second);
            let mask = nearest_neighbours(&rows, case.neighbours).unwrap();
            let mut expected = case.chosen.clone();
            for row in &mut expected {
                row.sort_unstable();
            }
            assert_eq!(chosen(&mask), expected);
            for form in FORMS {
                let Case { neighbours, temperature, step, radius, .. } = *case;
                let options = VirtualOptions { temperature, step, radius, neighbours, form };
                let what = |of: &str| format!("case {number}, {dtype:?}, {form:?}, {of}");
                let directions = adversarial_directions(&rows, &head, &mask, &options, &starts).unwrap();
                let expected = case.form(form);
                compare(&what("directions"), &directions, &expected.directions, tolerance);
                let loss = virtual_contrast_from(&rows, &head, &options, &starts).unwrap();
                compare(&what("loss"), &loss, &[vec![expected.loss]], tolerance);
                let gradients = loss.backward().unwrap();
                assert!(gradients.get(&starts).is_none());
                match &expected.rows {
                    Some(expected) => {
                        compare(&what("rows"), gradients.get(&rows).unwrap(), expected, tolerance);
                    }
                    None => assert!(gradients.get(&rows).is_none(), "{form:?}"),
                }
                compare(&what("first"), gradients.get(&first).unwrap(), &expected.first, tolerance);
                compare(&what("second"), gradients.get(&second).unwrap(), &expected.second, tolerance);
            }
        }
    }
}

/// With fixed neighbours and directions, as in the loss.
#[test]
fn gradients_are_those_of_finite_differences() {
    let (rows, starts) = (normal(1, &[5, 4]), normal(2, &[5, 4]));
    let (first, second) = (normal(3, &[6, 4]), normal(4, &[3, 6]));
    let head = |rows: &Tensor| mlp(rows, &first, &second);
    let mask = nearest_neighbours(&rows, 2).unwrap();
    let shift = adversarial_directions(&rows, &head, &mask, &OPTIONS, &starts).unwrap();
    let shift = (shift * OPTIONS.radius).unwrap();
    let loss = || {
        let moved = head(&(rows.as_tensor() + &shift).unwrap()).unwrap();
        neighbourhood_contrast(&head(&rows).unwrap(), &moved, &mask, OPTIONS.temperature).unwrap()
    };
    let whole = virtual_contrast_from(&rows, &head, &OPTIONS, &starts).unwrap();
    assert_eq!(scalar(&loss()), scalar(&whole));
    let error = gradient_error(&[&rows, &first, &second], &loss);
    assert!(error < 1e-6, "{error:e}");
}

/// With all rows as neighbours, the inner loss is InfoNCE from the moved rows to the clean ones. Its slope along
/// the direction is the norm of its gradient, the largest possible slope.
#[test]
fn directions_are_the_steepest_ascent() {
    let (rows, starts) = (normal(1, &[4, 3]), normal(2, &[4, 3]));
    let (first, second) = (normal(3, &[6, 3]), normal(4, &[3, 6]));
    let head = |rows: &Tensor| mlp(rows, &first, &second);
    let options = VirtualOptions { neighbours: 3, ..OPTIONS };
    let mask = nearest_neighbours(&rows, 3).unwrap();
    let directions = adversarial_directions(&rows, &head, &mask, &options, &starts).unwrap();

    let unit = micse_losses::normalize_rows(&starts).unwrap();
    let infonce = InfoNce { temperature: options.temperature, form: InfoNceForm::Standard };
    let clean = head(&rows).unwrap();
    let inner = |shift: &Tensor| {
        let start = ((&unit + shift).unwrap() * options.step).unwrap();
        scalar(&infonce.loss(&head(&(rows.as_tensor() + start).unwrap()).unwrap(), &clean, None).unwrap())
    };
    // The numeric gradient of each row, normalised.
    let mut numeric = Vec::new();
    for entry in 0..12 {
        let at = |delta: f64| {
            let mut shift = vec![0.0; 12];
            shift[entry] = delta;
            inner(&Tensor::from_vec(shift, (4, 3), &Device::Cpu).unwrap())
        };
        numeric.push((at(1e-6) - at(-1e-6)) / 2e-6);
    }
    let numeric = Tensor::from_vec(numeric, (4, 3), &Device::Cpu).unwrap();
    let numeric = micse_losses::normalize_rows(&numeric).unwrap().to_vec2::<f64>().unwrap();
    compare("directions", &directions, &numeric, 1e-6);
}

/// Rows at right angles, moved slightly: the shares of the negatives are near 1e-6, and 1 minus the share of the
/// positive has 4 bits in f32. Directions keep their precision.
#[test]
fn directions_of_rows_far_from_their_neighbours_keep_their_digits() {
    let starts = normal(2, &[4, 4]);
    let directions = |dtype: DType, form: VirtualForm| {
        let rows = Tensor::eye(4, dtype, &Device::Cpu).unwrap();
        let options = VirtualOptions { temperature: 0.07, step: 0.05, form, ..OPTIONS };
        let mask = nearest_neighbours(&rows, 2).unwrap();
        let identity = |rows: &Tensor| Ok(rows.clone());
        let starts = starts.to_dtype(dtype).unwrap();
        adversarial_directions(&rows, &identity, &mask, &options, &starts).unwrap()
    };
    for form in FORMS {
        let expected = directions(DType::F64, form).to_vec2::<f64>().unwrap();
        for row in &expected {
            assert!(row.iter().map(|x| x * x).sum::<f64>().sqrt() > 0.9, "{row:?}");
        }
        compare(&format!("{form:?}"), &directions(DType::F32, form), &expected, 1e-5);
    }
}

#[test]
fn the_inner_pass_leaves_no_gradient_behind() {
    let rows = normal(1, &[5, 4]);
    let (first, second) = (normal(3, &[6, 4]), normal(4, &[3, 6]));
    let head = |rows: &Tensor| mlp(rows, &first, &second);
    let options = VirtualOptions { form: VirtualForm::ReleasedCode, ..OPTIONS };
    let starts = normal(2, &[5, 4]);
    let loss = virtual_contrast_from(&rows, &head, &options, &starts).unwrap();
    // The same loss with the directions as constants, without an inner pass.
    let mask = nearest_neighbours(&rows, 2).unwrap();
    let shift = adversarial_directions(&rows, &head, &mask, &options, &starts).unwrap();
    let numbers = Tensor::new(shift.to_vec2::<f64>().unwrap(), &Device::Cpu).unwrap();
    let moved = (rows.as_tensor().detach() + (numbers * options.radius).unwrap()).unwrap();
    let clean = head(&rows).unwrap().detach();
    let plain = neighbourhood_contrast(&clean, &head(&moved).unwrap(), &mask, options.temperature).unwrap();
    let (found, expected) = (loss.backward().unwrap(), plain.backward().unwrap());
    for parameter in [&first, &second] {
        assert_eq!(values(found.get(parameter).unwrap()), values(expected.get(parameter).unwrap()));
    }
    assert!(found.get(&rows).is_none());
}

proptest! {
    #[test]
    fn neighbours_are_the_nearest_others(seed: u64, rows in 2_usize..12, count in 1_usize..14) {
        let h = normal(seed, &[rows, 3]);
        let products = h.matmul(&h.t().unwrap()).unwrap().to_vec2::<f64>().unwrap();
        for (i, chosen) in chosen(&nearest_neighbours(&h, count).unwrap()).into_iter().enumerate() {
            prop_assert_eq!(chosen.len(), count.min(rows - 1));
            prop_assert!(!chosen.contains(&i));
            let worst = chosen.iter().map(|&j| products[i][j]).fold(f64::INFINITY, f64::min);
            for j in (0..rows).filter(|j| *j != i && !chosen.contains(j)) {
                prop_assert!(products[i][j] <= worst);
            }
        }
    }

    #[test]
    fn with_all_rows_as_neighbours_it_is_nt_xent(seed: u64, rows in 2_usize..7) {
        let (a, b) = (normal(seed, &[rows, 4]), normal(!seed, &[rows, 4]));
        let found = neighbourhood_contrast(&a, &b, &nearest_neighbours(&a, 99).unwrap(), 0.1).unwrap();
        let expected = scalar(&nt_xent(&a, &b, 0.1).unwrap());
        prop_assert!((scalar(&found) - expected).abs() < 1e-12 * expected.max(1.0));
    }

    #[test]
    fn one_stream_is_one_loss(seed: u64) {
        let (rows, weight) = (normal(seed, &[4, 6]), normal(!seed, &[6, 3]));
        let head = |rows: &Tensor| rows.matmul(&weight);
        let loss = |seed| scalar(&virtual_contrast(&rows, &head, &OPTIONS, Stream::new(seed)).unwrap());
        prop_assert_eq!(loss(seed).to_bits(), loss(seed).to_bits());
        prop_assert_ne!(loss(seed), loss(seed.wrapping_add(1)));
    }
}

#[test]
fn equal_products_take_the_lower_number() {
    let rows = Tensor::ones((4, 2), DType::F32, &Device::Cpu).unwrap();
    assert_eq!(chosen(&nearest_neighbours(&rows, 2).unwrap()), [[1, 2], [0, 2], [0, 1], [0, 1]]);
}

#[test]
fn zero_rows_are_finite() {
    let rows = Var::new(&[[0_f32, 0.0], [3.0, 4.0], [1.0, -2.0]], &Device::Cpu).unwrap();
    let weight = Var::new(&[[1_f32, 0.5], [-0.25, 1.0]], &Device::Cpu).unwrap();
    let head = |rows: &Tensor| rows.matmul(&weight);
    for form in FORMS {
        let options = VirtualOptions { form, ..OPTIONS };
        let loss = virtual_contrast(&rows, &head, &options, Stream::new(7)).unwrap();
        check_finite(&loss, "virtual").unwrap();
        let gradients = loss.backward().unwrap();
        assert!(values(gradients.get(&weight).unwrap()).iter().all(|g| g.is_finite()));
    }
}

/// A head that is flat at the start (entirely below the ReLU) has no direction: the virtual view is the row.
#[test]
fn a_flat_head_moves_nothing() {
    let rows = normal(1, &[3, 2]);
    let head = |rows: &Tensor| (rows - 1e6)?.relu();
    let mask = nearest_neighbours(&rows, 2).unwrap();
    let directions = adversarial_directions(&rows, &head, &mask, &OPTIONS, &normal(2, &[3, 2])).unwrap();
    assert_eq!(values(&directions), [0.0; 6]);
}

#[test]
fn wrong_arguments_are_named() {
    let (rows, starts) = (normal(1, &[3, 4]), normal(2, &[3, 4]));
    let identity = |rows: &Tensor| Ok(rows.clone());
    let fails =
        |options: VirtualOptions| virtual_contrast_from(&rows, &identity, &options, &starts).unwrap_err();
    for (name, options) in [
        ("step", VirtualOptions { step: 0.0, ..OPTIONS }),
        ("radius", VirtualOptions { radius: f64::NAN, ..OPTIONS }),
        ("neighbours", VirtualOptions { neighbours: 0, ..OPTIONS }),
    ] {
        let error = fails(options).to_string();
        assert!(error.starts_with(name), "{error}");
    }
    assert!(matches!(fails(VirtualOptions { temperature: -1.0, ..OPTIONS }), Error::Temperature(-1.0)));

    let one = normal(1, &[1, 4]);
    let error = virtual_contrast(&one, &identity, &OPTIONS, Stream::new(1)).unwrap_err();
    assert!(matches!(error, Error::OneSentence { .. }));
    let error = virtual_contrast_from(&rows, &identity, &OPTIONS, &one).unwrap_err();
    assert!(matches!(error, Error::Shape { name: "starts", .. }));
    let cut = |rows: &Tensor| Ok(rows.detach());
    let error = virtual_contrast(&rows, &cut, &OPTIONS, Stream::new(1)).unwrap_err();
    assert!(matches!(error, Error::HeadWithoutGradient));
    let short = |rows: &Tensor| rows.narrow(0, 0, 2);
    let error = virtual_contrast(&rows, &short, &OPTIONS, Stream::new(1)).unwrap_err();
    assert!(matches!(error, Error::Shape { name: "head outputs", .. }));
}

#[test]
fn forms_are_written_in_kebab_case() {
    assert_eq!(serde_json::to_string(&FORMS).unwrap(), r#"["paper","released-code"]"#);
}
