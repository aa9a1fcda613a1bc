//! `optim/`: clipping, `AdamW`, the moving average, the schedule.
//!
//! Parameters after each step are compared directly, at 1e-6. The change from the start is compared on its own, at
//! 1e-5, only if it is large compared with the parameters' last bit (learning rate 0.01). At small learning rates,
//! start + change is compared instead.

use std::path::Path;

use anyhow::{Context, Result};
use candle_core::{DType, Tensor};
use micse_model::{AdamStep, Group, ParameterSet, Trainable, clip_factor};
use micse_train::learning_rate;
use micse_train::recipe::{Decays, Optimizer, OptimizerKind, Schedule};

use super::fixture::{Fixture, entries};
use super::{Report, VALUE};

const NAMES: [&str; 3] = ["w", "b", "ln"];
const PARAMETER: f64 = 1e-6;

pub(super) fn check(dir: &Path, report: &mut Report) -> Result<()> {
    let fixture = Fixture::open(&dir.join("optim/adamw.safetensors"))?;
    let runs: Vec<String> =
        fixture.names().filter_map(|n| n.strip_suffix(".after.w").map(str::to_owned)).collect();
    for run in runs.iter().filter(|run| run.starts_with("lr")) {
        adamw(&fixture, run, report)?;
    }
    average(&fixture, report)?;
    schedule(&Fixture::open(&dir.join("optim/schedule.safetensors"))?, report)
}

fn parameters(fixture: &Fixture, prefix: &str) -> Result<ParameterSet> {
    let mut set = ParameterSet::new();
    for name in NAMES {
        // All three are in the weight group, because the reference decays all of them.
        set.add(name, Group::Weight, &fixture.tensor(&format!("{prefix}.{name}"))?.to_dtype(DType::F32)?)?;
    }
    Ok(set)
}

/// Appends every parameter's entries to its list.
fn record(set: &ParameterSet, into: &mut [Vec<f64>; 3]) -> Result<()> {
    for (value, list) in set.values()?.iter().zip(into) {
        list.extend(entries(value)?);
    }
    Ok(())
}

fn adamw(fixture: &Fixture, run: &str, report: &mut Report) -> Result<()> {
    const FILE: &str = "optim/adamw";
    let (lr, wd) = run
        .trim_start_matches("lr")
        .split_once("_wd")
        .context("expected a run name of the form lrLR_wdWD")?;
    let (lr, wd): (f64, f64) = (lr.parse()?, wd.parse()?);
    let mut set = parameters(fixture, "start")?;
    let steps = fixture.tensor("grad.w")?.dim(0)?;
    let (mut norms, mut after) = (Vec::new(), [const { Vec::new() }; 3]);
    for step in 1..=steps {
        // The gradient of sum(p g) with respect to p is g, so the gradients pass through autograd as in training.
        let mut sum = Tensor::zeros((), DType::F32, &candle_core::Device::Cpu)?;
        for ((_, value), name) in set.iter().zip(NAMES) {
            let gradient = fixture.tensor(&format!("grad.{name}"))?.get(step - 1)?;
            sum = (sum + (value * gradient)?.sum_all()?)?;
        }
        set.collect_gradients(&sum.backward()?)?;
        let norm = set.gradient_square_norm()?.sqrt();
        norms.push(norm);
        set.step(&AdamStep {
            step,
            learning_rate: lr,
            betas: (0.9, 0.999),
            epsilon: 1e-8,
            weight_decay: wd,
            decay_all: false,
            gradient_scale: clip_factor(norm, 1.0),
            bias_correction: true,
        })?;
        record(&set, &mut after)?;
    }
    report.value(FILE, &format!("norm_before_clip ({run})"), &norms, &fixture.values("norm_before_clip")?);
    for (got, name) in after.iter().zip(NAMES) {
        let want = fixture.values(&format!("{run}.after.{name}"))?;
        report.compare(FILE, &format!("{run}.after.{name}"), got, &want, 0.0, PARAMETER);
        let start = fixture.values(&format!("start.{name}"))?;
        let change_name = format!("{run}.change.{name}");
        let change = fixture.values(&change_name)?;
        if lr >= 0.01 {
            let got: Vec<f64> = got.iter().enumerate().map(|(i, v)| v - start[i % start.len()]).collect();
            report.compare(FILE, &change_name, &got, &change, 0.0, VALUE);
        } else {
            let want: Vec<f64> = change.iter().enumerate().map(|(i, c)| start[i % start.len()] + c).collect();
            report.compare(FILE, &change_name, got, &want, 0.0, PARAMETER);
        }
    }
    Ok(())
}

fn average(fixture: &Fixture, report: &mut Report) -> Result<()> {
    const FILE: &str = "optim/ema";
    let mut slow = parameters(fixture, "ema.slow_start")?;
    let leader = parameters(fixture, "start")?;
    let mut after = [const { Vec::new() }; 3];
    for _ in 0..fixture.tensor("ema.slow_after.w")?.dim(0)? {
        slow.follow(&leader, 0.995)?;
        record(&slow, &mut after)?;
    }
    for (got, name) in after.iter().zip(NAMES) {
        let name = format!("ema.slow_after.{name}");
        report.compare(FILE, &name, got, &fixture.values(&name)?, 0.0, PARAMETER);
    }
    Ok(())
}

fn schedule(fixture: &Fixture, report: &mut Report) -> Result<()> {
    let want = fixture.values("lr")?;
    let optimizer = Optimizer {
        kind: OptimizerKind::Adamw,
        lr: 3e-5,
        batch_size: 50,
        schedule: Schedule::Linear,
        warmup_steps: 250,
        milestones: Vec::new(),
        clip: 1.0,
        weight_decay: 0.0,
        decays: Decays::Weights,
        betas: None,
        smoothing: None,
        eps: 1e-8,
        bias_correction: true,
        groups: Vec::new(),
    };
    let got: Vec<f64> = (0..want.len()).map(|k| learning_rate(&optimizer, k, want.len() - 1)).collect();
    report.value("optim/schedule", "lr", &got, &want);
    Ok(())
}
