//! The memory that cells need, and the budget that concurrent cells share.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use anyhow::Result;
use micse_model::{BertConfig, HeadLayer, ModelFolder};
use micse_train::recipe::Tower;
use micse_train::{Network, NetworkKind, Recipe, Role};

use crate::cell::{CellSpec, TextSpec, Work};

/// Memory of a process at startup, plus the sentences and embeddings of the evaluation.
const BASE: u64 = 220 << 20;
/// Sentences of SST2, the largest transfer task.
const TRANSFER_SENTENCES: u64 = 70_042;
/// Factor for memory that the allocator holds but does not use.
const SLACK: f64 = 1.2;
/// The share of free memory that cells may use.
const SHARE: f64 = 0.9;

/// Estimates the bytes that a cell needs: parameters and optimizer state, activations kept for the backward pass, and
/// the corpus.
pub(crate) fn estimate(cell: &CellSpec) -> Result<u64> {
    let config = ModelFolder::open(&cell.encoder)?.config()?;
    let bytes = match &cell.work {
        Work::Untrained { .. } => BASE + 4 * parameters(&config),
        Work::Vectors { file, .. } => BASE + 2 * size(file),
        Work::Train { recipe, text, .. } => {
            let text = match text {
                // The sentences of STS sets are some megabytes.
                TextSpec::Demo | TextSpec::Sts(..) => 0,
                TextSpec::Corpus(files) => files.iter().map(|file| text_of(file)).sum(),
                TextSpec::SplitFile(file) => text_of(file),
            };
            let chunk = cell.chunk.map(Into::into);
            // A checkpoint is collected before it is written.
            let checkpoint = checkpoint(recipe, &config);
            BASE + text + networks(recipe, &config) + activations(recipe, &config, chunk) + checkpoint
        }
    };
    // Embeddings, and the same numbers as features.
    let transfer = cell.transfer.as_ref().map_or(0, |_| TRANSFER_SENTENCES * config.hidden_size as u64 * 8);
    Ok(((bytes + transfer) as f64 * SLACK) as u64)
}

/// The size of a file, or of all files in a folder.
fn size(file: &std::path::Path) -> u64 {
    // What cannot be read is reported elsewhere.
    if !file.is_dir() {
        return file.metadata().map_or(0, |m| m.len());
    }
    std::fs::read_dir(file).map_or(0, |entries| entries.flatten().map(|entry| size(&entry.path())).sum())
}

/// A corpus in memory: all sentences in one buffer, plus an offset per sentence. Text compresses to about a third.
fn text_of(file: &std::path::Path) -> u64 {
    let packed = file.extension().is_some_and(|e| e == "zst");
    size(file) * if packed { 4 } else { 2 }
}

/// Parameters of an encoder.
pub(crate) fn parameters(config: &BertConfig) -> u64 {
    let (d, i) = (config.hidden_size as u64, config.intermediate_size as u64);
    let inner = config.inner_rows() as u64;
    let rows = (config.vocab_size + config.position_rows() + config.type_vocab_size) as u64;
    let layer = 4 * (d * d + d) + d * (inner + i) + inner + d + 4 * d;
    let projection = if config.projects_embeddings() { d * (config.embedding_size as u64 + 1) } else { 0 };
    rows * config.embedding_size as u64 + 2 * d + projection + config.own_layers() as u64 * layer + d * d + d
}

/// Bytes of a run's checkpoint: values and two moments of each network that learns, copies, and the best values so far.
pub(crate) fn checkpoint(recipe: &Recipe, config: &BertConfig) -> u64 {
    let own = 4 * parameters(config);
    let encoders = recipe.networks().into_iter().filter(|network| network.kind.is_encoder());
    let tensors = encoders.map(|network| match network.role {
        Role::Trained => 3,
        Role::Follows => 1,
        _ => 0,
    });
    own * (1 + tensors.sum::<u64>()) + 12 * head(&recipe.head.layers(), config)
}

fn networks(recipe: &Recipe, config: &BertConfig) -> u64 {
    // Value, gradient and two moments, plus the values rounded to bfloat16.
    const TRAINED: u64 = 4 * 4 + 4;
    let own = parameters(config);
    let open = recipe.momentum.is_some_and(|momentum| !momentum.stop_gradient);
    let networks = recipe.networks();
    let encoder = |network: &Network| match network.role {
        Role::Trained => TRAINED,
        // A momentum encoder that the gradient passes through collects its own gradient.
        Role::Follows if open => 10,
        _ => 6,
    };
    let mut bytes: u64 = networks.iter().filter(|n| n.kind.is_encoder()).map(|n| own * encoder(n)).sum();
    if networks.iter().any(|n| matches!(n.kind, NetworkKind::MaskedLmHead | NetworkKind::GeneratorHead)) {
        bytes += (config.vocab_size * config.embedding_size) as u64 * 8;
    }
    // While the gradients of a head's views are summed, two copies are in memory.
    bytes + head(&recipe.head.layers(), config) * (TRAINED + 8)
}

fn head(layers: &[HeadLayer], config: &BertConfig) -> u64 {
    let mut columns = config.hidden_size;
    let mut count = 0;
    for layer in layers {
        if let HeadLayer::Linear { outputs, .. } = layer {
            let outputs = outputs.columns(config.hidden_size);
            count += (outputs * columns) as u64;
            columns = outputs;
        }
    }
    count
}

/// Bytes that the passes of a step keep for the backward pass, for sentences of maximum length.
fn activations(recipe: &Recipe, config: &BertConfig, chunk: Option<usize>) -> u64 {
    let (d, i, heads) = (config.hidden_size, config.intermediate_size, config.num_attention_heads);
    let Some(optimizer) = &recipe.optimizer else { return 0 };
    let length = recipe.token_limit().min(config.max_position_embeddings);
    let sentences = chunk.unwrap_or(optimizer.batch_size).min(optimizer.batch_size);
    // In local layers, maps are narrower.
    let layer = 4 * (8 * d + config.inner_rows() + i + heads * length * 3 / 2);
    let kept = recipe
        .views
        .iter()
        .map(|view| view.copies * if view.tower == Tower::Both { 2 } else { 1 })
        .sum::<usize>()
        .max(1);
    // The discriminator adds a pass for both views, masked language modelling one for the batch.
    let kept = kept
        + if recipe.replaced_tokens().is_some() { 2 } else { 0 }
        + usize::from(recipe.masked_lm().is_some());
    // With chunks, only one view at a time keeps its activations.
    let passes = if chunk.is_some() { 1 } else { kept };
    (passes * sentences * length * config.num_hidden_layers * layer) as u64
}

/// Memory shared by the running cells.
pub(crate) struct Budget {
    free: Mutex<i128>,
    changed: Condvar,
    all: i128,
}

/// A cell's part of the budget, returned on drop.
pub(crate) struct Part<'a> {
    budget: &'a Budget,
    bytes: i128,
}

impl Budget {
    /// The free memory of this machine, or of this process's control group if that is less.
    pub(crate) fn of_machine() -> Self {
        let mut system = sysinfo::System::new();
        system.refresh_memory();
        let own = sysinfo::Pid::from_u32(std::process::id());
        system.refresh_processes(sysinfo::ProcessesToUpdate::Some(&[own]), false);
        // The control group of a scheduler or service can have less memory than the machine.
        let groups = [system.cgroup_limits(), system.process(own).and_then(sysinfo::Process::cgroup_limits)];
        let group = groups.into_iter().flatten().map(|limits| limits.free_memory).min().unwrap_or(u64::MAX);
        Self::new((system.available_memory().min(group) as f64 * SHARE) as u64)
    }

    pub(crate) fn new(bytes: u64) -> Self {
        Self { free: Mutex::new(bytes.into()), changed: Condvar::new(), all: bytes.into() }
    }

    /// Total bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.all as u64
    }

    /// Waits until a cell fits. A cell larger than the whole budget waits until no other cell runs. `None` once the
    /// sweep is asked to stop.
    pub(crate) fn take(&self, cell: &CellSpec, stop: &micse_train::Stop) -> Option<Part<'_>> {
        // The cell itself reports a problem with the encoder's folder.
        let bytes = i128::from(estimate(cell).unwrap_or(0));
        self.take_bytes(bytes, || stop.requested())
    }

    fn take_bytes(&self, bytes: i128, stopped: impl Fn() -> bool) -> Option<Part<'_>> {
        let mut free = self.free.lock().ok()?;
        while *free < bytes && *free < self.all {
            if stopped() {
                return None;
            }
            free = self.changed.wait_timeout(free, Duration::from_millis(200)).ok()?.0;
        }
        *free -= bytes;
        Some(Part { budget: self, bytes })
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if let Ok(mut free) = self.budget.free.lock() {
            *free += self.bytes;
        }
        self.budget.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_wait_for_each_other_and_a_large_one_runs_alone() {
        let budget = Budget::new(100);
        let first = budget.take_bytes(60, || false).unwrap();
        assert!(budget.take_bytes(60, || true).is_none(), "60 + 60 must not fit into 100");
        let second = budget.take_bytes(40, || false).unwrap();
        drop((first, second));
        let large = budget.take_bytes(500, || false).expect("memory, since nothing else runs");
        assert!(budget.take_bytes(1, || true).is_none());
        drop(large);
        let waiting = budget.take_bytes(100, || false).unwrap();
        std::thread::scope(|scope| {
            let next = scope.spawn(|| budget.take_bytes(100, || false).is_some());
            std::thread::sleep(Duration::from_millis(20));
            drop(waiting);
            assert!(next.join().unwrap());
        });
    }

    /// BERT-base has 109,482,240 parameters, including the pooler.
    #[test]
    fn parameters_of_bert_base() {
        let mut config = BertConfig::with_sizes(30_522, 12, 768, 12, 512);
        config.intermediate_size = 3072;
        config.type_vocab_size = 2;
        assert_eq!(parameters(&config), 109_482_240);
    }
}
