//! A recipe's parts in words.

use micse_data::augment::Form;
use micse_losses::{AlignmentForm, PeerForm, VirtualForm};
use micse_train::Recipe;
use micse_train::recipe::{
    CutOff, Decays, Objective, OptimizerKind, PerturbationBy, Positions, Post, Schedule, SecondKind, Select,
    Tower, View,
};

/// The views; copies of the same kind are listed once.
pub(super) fn views(r: &Recipe) -> String {
    if r.views.is_empty() {
        return "none".into();
    }
    let all: Vec<String> = r.views.iter().map(view).collect();
    all.join("; ")
}

fn view(v: &View) -> String {
    let mut parts = Vec::new();
    if let Some(pairs) = v.pairs {
        parts.push(format!("the same sentence for 1 in {}, otherwise a different one", pairs.negatives + 1));
    }
    if let Some(op) = &v.text {
        parts.push(op.name().to_owned());
    }
    if let Some(op) = &v.tokens {
        parts.push(op.name().to_owned());
    }
    if v.drawn_once {
        parts.push("drawn once".into());
    }
    match v.cut_off {
        Some(CutOff::Features(rate)) => parts.push(format!("feature cut-off {rate}")),
        Some(CutOff::Tokens(rate)) => parts.push(format!("token cut-off {rate}")),
        None => {}
    }
    if v.positions == Positions::Shuffled {
        parts.push("positions shuffled".into());
    }
    if let Some(epsilon) = v.perturbation {
        let of = match v.perturbation_by {
            PerturbationBy::ThisBatch => "",
            PerturbationBy::BatchBefore => " from the previous batch",
        };
        parts.push(format!("FGSM {epsilon:e}{of}"));
    }
    parts.push(if v.dropout == 0.0 { "no dropout".into() } else { format!("dropout {}", v.dropout) });
    match v.tower {
        Tower::Online => {}
        Tower::Second => parts.push("second encoder".into()),
        Tower::Both => parts.push("both encoders".into()),
        Tower::Momentum => parts.push("momentum encoder".into()),
    }
    let text = parts.join(", ");
    if v.copies > 1 { format!("{} x ({text})", v.copies) } else { text }
}

/// The networks besides the encoder.
pub(super) fn networks(r: &Recipe) -> String {
    let mut parts = Vec::new();
    let list = |layers: Vec<micse_model::HeadLayer>| {
        layers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let head = r.head.layers();
    if !head.is_empty() {
        parts.push(format!("head ({})", list(head)));
    }
    if !r.predictor.is_empty() {
        parts.push(format!("predictor ({})", list(r.predictor.clone())));
    }
    if let Some(shape) = &r.convolution {
        let widths: Vec<String> = shape.widths.iter().map(ToString::to_string).collect();
        let relu = if shape.relu { ", relu" } else { "" };
        parts.push(format!(
            "convolutions of widths {} x {}{relu}, kept at test",
            widths.join(", "),
            shape.channels
        ));
    }
    match r.second.map(|s| s.kind) {
        Some(SecondKind::Trained) => parts.push("second encoder, trained".into()),
        Some(SecondKind::Frozen) => parts.push("frozen copy".into()),
        None => {}
    }
    if let Some(m) = r.momentum {
        let ramp = if m.ramp_steps > 0 { format!(" to 1 in {} steps", m.ramp_steps) } else { String::new() };
        let open = if m.stop_gradient { "" } else { ", with gradient" };
        parts.push(format!("momentum copy (decay {}{ramp}){open}, queue of {}", m.decay, m.queue));
    }
    if r.replaced_tokens().is_some() {
        parts.push("frozen generator, discriminator".into());
    }
    match &r.post {
        Some(Post::Whitening { components }) => {
            parts.push(
                components.map_or_else(|| "whitening".into(), |k| format!("whitening to {k} dimensions")),
            );
        }
        Some(Post::Flow { steps, .. }) => parts.push(format!("flow, fitted in {steps} steps")),
        None => {}
    }
    if parts.is_empty() { "none".into() } else { parts.join("; ") }
}

/// The terms with weights and temperatures.
pub(super) fn terms(r: &Recipe) -> String {
    let term = |o: &Objective| {
        let weight = if o.weight() == 1.0 { String::new() } else { format!("{} x ", o.weight()) };
        let temperature = o.temperature().map_or_else(String::new, |t| format!(" ({t})"));
        let released = match o {
            Objective::Virtual(v) if v.form == VirtualForm::ReleasedCode => " as released",
            Objective::Peer(p) if p.form == PeerForm::ReleasedCode => " as released",
            Objective::ReplacedTokens(r) if r.form == Form::ReleasedCode => " as released",
            Objective::Alignment(a) if a.form == AlignmentForm::Cosine => " by cosine",
            _ => "",
        };
        format!("{weight}{}{temperature}{released}", o.name())
    };
    if r.objectives.is_empty() {
        return "none".into();
    }
    r.objectives.iter().map(term).collect::<Vec<_>>().join(" + ")
}

/// Pooling in training and at test; only one if they are the same.
pub(super) fn pooling(r: &Recipe) -> String {
    let (train, test) = (r.train_pooling(), r.test_pooling());
    if train == test { test.to_string() } else { format!("{train}, {test}") }
}

/// Optimizer, learning rate, batch, steps, length, selection.
pub(super) fn training(r: &Recipe) -> Vec<String> {
    let none = || "-".to_owned();
    let length = r.max_length.map_or_else(none, |length| length.to_string());
    let Some(o) = &r.optimizer else {
        return vec!["none".into(), none(), none(), none(), length, "none".into()];
    };
    let kind = match o.kind {
        OptimizerKind::Adamw => "AdamW",
        OptimizerKind::Rmsprop => "RMSprop",
    };
    let mut rule = vec![kind.to_owned()];
    if o.weight_decay > 0.0 {
        let all = if o.decays == Decays::All { " of all parameters" } else { "" };
        rule.push(format!("weight decay {}{all}", o.weight_decay));
    }
    if o.kind == OptimizerKind::Adamw && !o.bias_correction {
        rule.push("no bias correction".into());
    }
    rule.extend(o.groups.iter().map(|group| {
        if group.frozen {
            format!("{} frozen", group.matches)
        } else {
            format!("{} learning rate x {}", group.matches, group.lr_factor)
        }
    }));
    let schedule = match o.schedule {
        Schedule::Linear => "linear to 0",
        Schedule::Constant => "constant",
        Schedule::Milestones => "stepwise",
    };
    let warmup =
        if o.warmup_steps > 0 { format!(", {} warm-up steps", o.warmup_steps) } else { String::new() };
    let interval = r.development_interval().unwrap_or_default();
    let selected = match r.select {
        Select::Last => "last step".to_owned(),
        Select::StsbDev => format!("STS-B dev every {interval} steps"),
        Select::SickrDev => format!("SICK-R dev every {interval} steps"),
    };
    vec![
        rule.join(", "),
        format!("{:e}, {schedule}{warmup}", o.lr),
        o.batch_size.to_string(),
        r.steps.to_string(),
        length,
        selected,
    ]
}
