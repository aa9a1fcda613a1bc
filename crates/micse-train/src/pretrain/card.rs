//! The model card of a finished pre-training.

use std::fmt::Write as _;

use super::corpus::Source;
use super::manifest::Manifest;
use super::{Decay, MaskingKind, PretrainResult};
use crate::run::FrontMatter;
use crate::run::card::thousands;

/// The text of `README.md`.
pub(super) fn card(manifest: &Manifest, sources: &[Source], from: bool, outcome: &PretrainResult) -> String {
    let (m, e) = (manifest, &manifest.encoder);
    let mut card = FrontMatter { sentence_transformers: true, ..FrontMatter::default() }.to_string();
    let mut line = |text: String| {
        card.push_str(&text);
        card.push('\n');
    };
    line(format!(
        "# A small BERT\n\n{} layers, hidden size {}, {} heads, intermediate size {}, a WordPiece vocabulary of {}, \
         {} positions; {:.1} million parameters. Pre-trained by masked language modelling{}; weights in half \
         precision. `mlm_head.safetensors` is the prediction head, whose output matrix is the word table.\n",
        e.num_hidden_layers,
        e.hidden_size,
        e.num_attention_heads,
        e.intermediate_size,
        thousands(e.vocab_size),
        e.max_position_embeddings,
        outcome.parameters as f64 / 1e6,
        if from { " on from another model" } else { " from random weights" },
    ));
    line(format!(
        "- **Corpus**: {} sentences, {:.1} million tokens.",
        thousands(outcome.sentences),
        outcome.text_tokens as f64 / 1e6
    ));
    for source in sources {
        let licence = source.licence.as_deref().unwrap_or("licence not given");
        line(format!("  - `{}`: {licence}", source.name));
    }
    line(format!(
        "- **Training**: {} masking of {:.0} % (of these 80 % [MASK], 10 % random, 10 % kept), sentences truncated to \
         {} tokens, batches of {} tokens of similar length, {}, AdamW ({}, {}), learning rate {:e} with {} warm-up \
         steps and {} decay to zero, weight decay {}, clip {}, seed {}; {} steps, {:.1} million tokens ({:.1} \
         epochs), {} by `micse pretrain`.",
        match m.masking {
            MaskingKind::Plain => "plain",
            MaskingKind::WholeWord => "whole-word",
        },
        100.0 * m.mask_rate,
        m.max_length,
        thousands(m.batch_tokens),
        if m.dropout > 0.0 { format!("dropout {}", m.dropout) } else { "no dropout".into() },
        m.betas[0],
        m.betas[1],
        m.lr,
        thousands(m.warmup_steps),
        match m.decay {
            Decay::Linear => "linear",
            Decay::Cosine => "cosine",
        },
        m.weight_decay,
        m.clip,
        m.seed,
        thousands(m.steps),
        outcome.tokens as f64 / 1e6,
        outcome.tokens as f64 / outcome.text_tokens as f64,
        duration(outcome.seconds as u64),
    ));
    line(format!(
        "- **Held-out masked-LM loss**: {:.3} ({:.1} % of the masked tokens predicted correctly; {} sentences).",
        outcome.scores.held_out_loss,
        100.0 * outcome.scores.held_out_accuracy,
        thousands(outcome.held_out_sentences)
    ));
    if let Some(first) = outcome.scores.sts.first() {
        let names: Vec<&str> = first.tasks.iter().map(|(name, _)| name.as_str()).collect();
        line(format!(
            "\nSTS scores without any contrastive training (Spearman x 100 over all pairs of a task):\n\n\
             | pooling | {} | average | dev |\n|---|{}",
            names.join(" | "),
            "---:|".repeat(names.len() + 2)
        ));
        for scores in &outcome.scores.sts {
            let mut row = format!("| {} |", scores.pooling);
            for (_, score) in &scores.tasks {
                // Writing into a String cannot fail.
                let _ = write!(row, " {score:.2} |");
            }
            let dev = scores.dev.map_or(String::new(), |dev| format!("{dev:.2}"));
            line(format!("{row} {:.2} | {dev} |", scores.average));
        }
    }
    card
}

/// `1 h 02 min`, `3 min 20 s`, `12 s`.
fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}
