//! Recomputes the reference values of `losses/*.safetensors`, for reference sets of any size.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use micse_losses::{
    AmiSampler, InfoNce, InfoNceForm, MiForm, Pool, Scaling, Selection, Slice, Slicing, ami_loss,
    mutual_information,
};

/// Tensors by name.
pub(crate) type Tensors = BTreeMap<String, Tensor>;

/// One file of reference values: its inputs and results.
pub(crate) struct Reference {
    tensors: HashMap<String, Tensor>,
}

impl Reference {
    /// Reads `losses/NAME.safetensors` of the fixtures.
    pub(crate) fn open(name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/golden/losses");
        let path = root.join(format!("{name}.safetensors"));
        Self { tensors: candle_core::safetensors::load(path, &Device::Cpu).unwrap() }
    }

    /// Compares every tensor of the file that is not an input; `computed` must contain them all.
    pub(crate) fn compare(&self, computed: &Tensors, inputs: &[&str]) {
        let largest = |x: &Tensor| super::values(x).iter().fold(0_f64, |max, v| max.max(v.abs()));
        let is_gradient = |name: &str| name.contains("grad_");
        let gradients = self.tensors.iter().filter(|(name, _)| is_gradient(name));
        let floor = 1e-3 * gradients.map(|(_, x)| largest(x)).fold(0.0, f64::max);
        let (mut names, mut failures): (Vec<_>, Vec<_>) = (self.tensors.keys().collect(), vec![]);
        names.sort();
        for name in names.into_iter().filter(|name| !inputs.contains(&name.as_str())) {
            let (expected, found) = (&self.tensors[name], &computed[name]);
            assert_eq!(expected.dims(), found.dims(), "{name}");
            let (expected, found) = (super::values(expected), super::values(found));
            let scale = expected.iter().fold(0_f64, |max, v| max.max(v.abs()));
            let scale = match is_gradient(name) {
                true => scale.max(floor),
                false if scale == 0.0 => 1.0,
                false => scale,
            };
            let apart = expected.iter().zip(&found).map(|(a, b)| (a - b).abs());
            let error = apart.fold(0.0, f64::max) / scale;
            println!("{name:32} {error:.1e}");
            let tolerance = if is_gradient(name) { 1e-4 } else { 1e-5 };
            if error.is_nan() || error > tolerance {
                failures.push(format!("{name}: {error:.1e} above {tolerance:.0e}"));
            }
        }
        assert!(failures.is_empty(), "{failures:#?}");
    }

    fn variable(&self, name: &str) -> Var {
        Var::from_tensor(&self.tensors[name]).unwrap()
    }

    fn indices(&self, name: &str) -> (Vec<u32>, usize) {
        let indices = self.integers(name).iter().map(|&i| i as u32).collect();
        (indices, *self.tensors[name].dims().last().unwrap())
    }

    fn integers(&self, name: &str) -> Vec<i64> {
        self.tensors[name].flatten_all().unwrap().to_vec1().unwrap()
    }

    /// The sentences' lengths: sums of the attention mask.
    fn lengths(&self) -> Vec<usize> {
        let mask: Vec<Vec<i64>> = self.tensors["attention_mask"].to_vec2().unwrap();
        mask.iter().map(|row| row.iter().sum::<i64>() as usize).collect()
    }

    /// The results of `infonce.safetensors`.
    pub(crate) fn infonce(&self) -> Tensors {
        let queue = &self.tensors["queue"];
        let mut results = Tensors::new();
        for (name, form, queue) in [
            ("infonce", InfoNceForm::Standard, None),
            ("queue_standard", InfoNceForm::Standard, Some(queue)),
            ("queue_literal_sum", InfoNceForm::AsPrinted, Some(queue)),
        ] {
            let (z1, z2) = (self.variable("z1"), self.variable("z2"));
            let loss = InfoNce { temperature: 0.05, form }.loss(&z1, &z2, queue).unwrap();
            let mut gradients = loss.backward().unwrap();
            results.insert(name.into(), loss.reshape(1).unwrap());
            results.insert(format!("{name}_grad_z1"), gradients.remove(&z1).unwrap());
            results.insert(format!("{name}_grad_z2"), gradients.remove(&z2).unwrap());
        }
        results
    }

    /// The results of `ami.safetensors`.
    pub(crate) fn ami(&self) -> Tensors {
        let &[sentences, layers, heads, width, _] = self.tensors["w1"].dims() else { panic!("w1's shape") };
        let all: Vec<usize> = (0..layers).collect();
        let slices = Slicing::Adjacent { heads: 2, layers: 1 }.slices(&all, heads).unwrap();
        let mut results = Tensors::new();
        for kind in ["distinct", "repeated"] {
            let (indices, samples) = self.indices(&format!("idx_{kind}"));
            let selection = Selection::from_indices(&slices, &indices, samples, width).unwrap();
            for (form, tag) in [(MiForm::Eq4, "eq4"), (MiForm::Algorithm1, "alg1")] {
                let (w1, w2) = (self.variable("w1"), self.variable("w2"));
                let (x, y) = (selection.gather(&w1).unwrap(), selection.gather(&w2).unwrap());
                let rows = mutual_information(&x, &y, &selection.counts, form).unwrap();
                let mean = ami_loss(&x, &y, &selection, form).unwrap().neg().unwrap();
                let mut gradients = mean.backward().unwrap();
                let by_sentence = (sentences, slices.len());
                results.insert(format!("{kind}_rho"), rows.rho.reshape(by_sentence).unwrap());
                results.insert(format!("{kind}_mi_{tag}"), rows.mi.reshape(by_sentence).unwrap());
                results.insert(format!("{kind}_mean_{tag}"), mean.reshape(1).unwrap());
                results.insert(format!("{kind}_grad_{tag}_w1"), gradients.remove(&w1).unwrap());
                results.insert(format!("{kind}_grad_{tag}_w2"), gradients.remove(&w2).unwrap());
            }
        }
        results
    }

    /// The results of `ami_published.safetensors`.
    pub(crate) fn ami_published(&self) -> Tensors {
        let &[_, layers, heads, width, _] = self.tensors["w1"].dims() else { panic!("w1's shape") };
        let all: Vec<usize> = (0..layers).collect();
        let slices = Slicing::HeadLayerParity.slices(&all, heads).unwrap();
        let (w1, w2) = (self.variable("w1"), self.variable("w2"));
        let (first, second) = (super::values(&w1), super::values(&w2));
        let kept = |p: &micse_losses::Position| {
            let at = [p.layer, p.head, p.query, p.key].map(|i| i as usize);
            let sizes = [layers, heads, width, width];
            let flat = at.iter().zip(sizes).fold(p.sentence as usize, |i, (&x, size)| i * size + x);
            first[flat] > 0.0 && second[flat] > 0.0
        };
        let (lengths, (indices, samples)) = (self.lengths(), self.indices("idx"));
        let counts = AmiSampler::valid_counts(&slices, &lengths, Some(width), &kept).unwrap();

        // The sampler determines rows and weight; the positions are the given ones.
        let sampler =
            AmiSampler { samples, replacement: false, pool: Pool::Kept, scaling: Scaling::ValidShareSquared };
        let drawn =
            sampler.draw(&slices, &lengths, Some(width), &kept, micse_random::Stream::new(1)).unwrap();
        let rows: Vec<(usize, usize)> =
            drawn.positions.chunks(samples).map(|row| origin(row, &slices)).collect();
        let selection = Selection::from_rows(&slices, &rows, &indices, samples, width, drawn.weight).unwrap();
        let kept_rows: Vec<i64> = rows.iter().map(|&(b, r)| (b * slices.len() + r) as i64).collect();

        let (x, y) = (selection.gather(&w1).unwrap(), selection.gather(&w2).unwrap());
        let rho = mutual_information(&x, &y, &selection.counts, MiForm::Eq4).unwrap().rho;
        let loss = ami_loss(&x, &y, &selection, MiForm::Eq4).unwrap();
        let mut gradients = loss.backward().unwrap();
        let counts: Vec<i64> = counts.iter().map(|&count| i64::from(count)).collect();
        Tensors::from([
            ("counts".into(), Tensor::new(counts, &Device::Cpu).unwrap()),
            ("kept_rows".into(), Tensor::new(kept_rows, &Device::Cpu).unwrap()),
            ("rho".into(), rho),
            ("valid_share".into(), Tensor::new(&[(drawn.weight - 1e-6).sqrt()], &Device::Cpu).unwrap()),
            ("loss".into(), loss.reshape(1).unwrap().to_dtype(DType::F64).unwrap()),
            ("grad_w1".into(), gradients.remove(&w1).unwrap()),
            ("grad_w2".into(), gradients.remove(&w2).unwrap()),
        ])
    }
}

/// The (sentence, slice) of a row of positions.
fn origin(row: &[micse_losses::Position], slices: &[Slice]) -> (usize, usize) {
    let map = (row[0].layer as usize, row[0].head as usize);
    (row[0].sentence as usize, slices.iter().position(|slice| slice.contains(&map)).unwrap())
}
