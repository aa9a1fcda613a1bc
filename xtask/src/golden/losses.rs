//! `losses/`: `InfoNCE` in three forms, AMI as in the paper and as in the released code.

use std::path::Path;

use anyhow::Result;
use candle_core::{Tensor, Var};
use micse_losses::{InfoNce, InfoNceForm, MiForm, Scaling, Selection, Slicing, ami_loss, mutual_information};

use super::fixture::{Fixture, entries};
use super::{GRADIENT, Report};

pub(super) fn check(dir: &Path, report: &mut Report) -> Result<()> {
    infonce(&Fixture::open(&dir.join("losses/infonce.safetensors"))?, report)?;
    ami(&Fixture::open(&dir.join("losses/ami.safetensors"))?, report)?;
    published(&Fixture::open(&dir.join("losses/ami_published.safetensors"))?, report)
}

/// Compares the gradients of `loss` with respect to `inputs` with the reference tensors named next to them.
fn gradients(
    file: &'static str,
    fixture: &Fixture,
    loss: &Tensor,
    inputs: [(&Var, &str); 2],
    report: &mut Report,
) -> Result<()> {
    let store = loss.backward()?;
    let floor = 1e-3 * fixture.largest(|name| name.contains("grad"))?;
    for (input, name) in inputs {
        let gradient = match store.get(input) {
            Some(gradient) => gradient.clone(),
            None => input.zeros_like()?,
        };
        report.compare(file, name, &entries(&gradient)?, &fixture.values(name)?, floor, GRADIENT);
    }
    Ok(())
}

fn infonce(fixture: &Fixture, report: &mut Report) -> Result<()> {
    const FILE: &str = "losses/infonce";
    let queue = fixture.tensor("queue")?;
    for (name, form, queue) in [
        ("infonce", InfoNceForm::Standard, None),
        ("queue_standard", InfoNceForm::Standard, Some(queue)),
        ("queue_literal_sum", InfoNceForm::AsPrinted, Some(queue)),
    ] {
        let (z1, z2) = (Var::from_tensor(fixture.tensor("z1")?)?, Var::from_tensor(fixture.tensor("z2")?)?);
        let loss = InfoNce { temperature: 0.05, form }.loss(&z1, &z2, queue)?;
        report.value(FILE, name, &entries(&loss)?, &fixture.values(name)?);
        let names = [format!("{name}_grad_z1"), format!("{name}_grad_z2")];
        gradients(FILE, fixture, &loss, [(&z1, &names[0]), (&z2, &names[1])], report)?;
    }
    Ok(())
}

/// The given indices `[B, R, S]` as a selection of adjacent head pairs.
pub(super) fn selection(indices: &Tensor, layers: usize, heads: usize, width: usize) -> Result<Selection> {
    let all: Vec<usize> = (0..layers).collect();
    let slices = Slicing::Adjacent { heads: 2, layers: 1 }.slices(&all, heads)?;
    let samples = indices.dim(2)?;
    let indices: Vec<u32> = indices.flatten_all()?.to_vec1::<i64>()?.into_iter().map(|k| k as u32).collect();
    Ok(Selection::from_indices(&slices, &indices, samples, width)?)
}

fn ami(fixture: &Fixture, report: &mut Report) -> Result<()> {
    const FILE: &str = "losses/ami";
    let (_, layers, heads, n, _) = fixture.tensor("w1")?.dims5()?;
    for kind in ["distinct", "repeated"] {
        let selection = selection(fixture.tensor(&format!("idx_{kind}"))?, layers, heads, n)?;
        for (form, key) in [(MiForm::Eq4, "eq4"), (MiForm::Algorithm1, "alg1")] {
            let (w1, w2) =
                (Var::from_tensor(fixture.tensor("w1")?)?, Var::from_tensor(fixture.tensor("w2")?)?);
            let (x, y) = (selection.gather(&w1)?, selection.gather(&w2)?);
            let rows = mutual_information(&x, &y, &selection.counts, form)?;
            let name = format!("{kind}_mi_{key}");
            report.value(FILE, &name, &entries(&rows.mi)?, &fixture.values(&name)?);
            if form == MiForm::Eq4 {
                let name = format!("{kind}_rho");
                report.value(FILE, &name, &entries(&rows.rho)?, &fixture.values(&name)?);
            }
            // The reference contains the mean; the loss is its negative.
            let mean = ami_loss(&x, &y, &selection, form)?.neg()?;
            let name = format!("{kind}_mean_{key}");
            report.value(FILE, &name, &entries(&mean)?, &fixture.values(&name)?);
            let names = [format!("{kind}_grad_{key}_w1"), format!("{kind}_grad_{key}_w2")];
            gradients(FILE, fixture, &mean, [(&w1, &names[0]), (&w2, &names[1])], report)?;
        }
    }
    Ok(())
}

/// The released code's variant: rows `(b H + h) 2 + m`, columns `(j n + t) n + z` of the layers m, m+2, ...
fn published(fixture: &Fixture, report: &mut Report) -> Result<()> {
    const FILE: &str = "losses/ami_published";
    let (w1, w2) = (Var::from_tensor(fixture.tensor("w1")?)?, Var::from_tensor(fixture.tensor("w2")?)?);
    let (sentences, layers, heads, n, _) = w1.dims5()?;
    let all: Vec<usize> = (0..layers).collect();
    let slices = Slicing::HeadLayerParity.slices(&all, heads)?;
    let valid = valid_entries(&w1, &w2)?;
    let place = |b: usize, layer: usize, head: usize, rest: usize| {
        (((b * layers) + layer) * heads + head) * n * n + rest
    };

    let rows = sentences * slices.len();
    let count = |row: usize| {
        let (b, slice) = (row / slices.len(), &slices[row % slices.len()]);
        let maps = slice.iter().flat_map(|&(layer, head)| (0..n * n).map(move |rest| (layer, head, rest)));
        maps.filter(|&(layer, head, rest)| valid[place(b, layer, head, rest)]).count()
    };
    let counts: Vec<f64> = (0..rows).map(|row| count(row) as f64).collect();
    report.value(FILE, "counts", &counts, &to_f64(&fixture.integers("counts")?));

    let (kept, samples) = fixture.tensor("idx")?.dims2()?;
    let kept_rows: Vec<f64> =
        (0..rows).filter(|&row| counts[row] >= samples as f64).map(|row| row as f64).collect();
    report.value(FILE, "kept_rows", &kept_rows, &to_f64(&fixture.integers("kept_rows")?));

    let columns = slices[0].len() * n * n;
    let share = kept_rows.iter().map(|&row| counts[row as usize] / columns as f64).sum::<f64>() / kept as f64;
    report.value(FILE, "valid_share", &[share], &fixture.values("valid_share")?);

    let indices: Vec<u32> = fixture.integers("idx")?.into_iter().map(|k| k as u32).collect();
    let places: Vec<(usize, usize)> =
        kept_rows.iter().map(|&row| (row as usize / slices.len(), row as usize % slices.len())).collect();
    let weight = Scaling::ValidShareSquared.weight(share);
    let selection = Selection::from_rows(&slices, &places, &indices, samples, n, weight)?;
    let (x, y) = (selection.gather(&w1)?, selection.gather(&w2)?);
    let mi = mutual_information(&x, &y, &selection.counts, MiForm::Eq4)?;
    report.value(FILE, "rho", &entries(&mi.rho)?, &fixture.values("rho")?);
    let loss = ami_loss(&x, &y, &selection, MiForm::Eq4)?;
    report.value(FILE, "loss", &entries(&loss)?, &fixture.values("loss")?);
    gradients(FILE, fixture, &loss, [(&w1, "grad_w1"), (&w2, "grad_w2")], report)
}

/// Whether an attention value is above 0 in both views, for every entry of `[B, L, H, n, n]`.
fn valid_entries(w1: &Tensor, w2: &Tensor) -> Result<Vec<bool>> {
    let (x, y) = (entries(w1)?, entries(w2)?);
    Ok(x.into_iter().zip(y).map(|(x, y)| x > 0.0 && y > 0.0).collect())
}

fn to_f64(values: &[i64]) -> Vec<f64> {
    values.iter().map(|&v| v as f64).collect()
}
