//! The forward pass: embeddings, layers, leaves.

use micse_kernels::activation;
use micse_kernels::activation::{activate, activate_keeping};
use micse_kernels::attention::{AttentionDropout, DistanceBias, attention};
use micse_kernels::norm::{Keep, Norm, add_norm, norm_drop};
use micse_kernels::rows::{add, gather_rows};

use super::buffers::{Buffer, EmbeddingBuffers, LayerBuffers, PassBuffers, Scratch};
use super::plan::{Plan, row_dropout};
use super::products::{self, Weight};
use super::slots::{LinearSlot, NormSlot, POSITIONS, WORDS};
use super::store::{Store, weight};
use crate::distance;
use crate::dropout::Site;
use crate::{Activation, BertConfig, Pooling};

impl Store {
    /// The weight of a linear layer, for a pass in evaluation mode or in training mode.
    pub(super) fn weight(&self, slot: &LinearSlot, evaluates: bool) -> Weight<'_> {
        let int8 = self.int8.as_ref().and_then(|all| all[slot.number].as_ref());
        let packed = evaluates.then(|| (&self.packed[slot.number], self.version));
        Weight { packed, int8, ..weight(&self.values, (&self.rounded, self.version), slot) }
    }

    fn bias(&self, slot: &LinearSlot) -> &[f32] {
        &self.values[slot.bias.clone()]
    }

    fn norm(&self, slot: &NormSlot, config: &BertConfig) -> Norm<'_> {
        Norm {
            gain: &self.values[slot.gain.clone()],
            offset: &self.values[slot.offset.clone()],
            epsilon: config.layer_norm_eps as f32,
        }
    }
}

/// The kernels' name of an activation.
pub(super) fn kernel(activation: Activation) -> activation::Activation {
    match activation {
        Activation::Gelu => activation::Activation::Gelu,
        Activation::GeluNew => activation::Activation::GeluTanh,
        Activation::Relu => activation::Activation::Relu,
    }
}

/// The embeddings `[M, D]`. The values that the backward pass needs are written to `keep`, if given.
pub(super) fn embed(
    store: &Store,
    config: &BertConfig,
    plan: &Plan,
    keep: Option<&mut EmbeddingBuffers>,
) -> Vec<f32> {
    let width = plan.hidden;
    let table = |number: usize| &store.values[store.slots.ranges[number].clone()];
    let (words, positions) = (table(WORDS), table(POSITIONS));
    let kind = store.slots.types.map(|types| &table(types)[..width]);
    let mut y = vec![0.0; plan.rows * width];
    gather_rows(&mut y, words, &plan.ids, width);
    for (y, &position) in y.chunks_exact_mut(width).zip(&plan.positions) {
        let position = &positions[position as usize * width..][..width];
        match kind {
            Some(kind) => {
                for ((y, &p), &k) in y.iter_mut().zip(position).zip(kind) {
                    *y += p + k;
                }
            }
            None => add(y, position),
        }
    }
    let keep =
        keep.map(|k| Keep { normed: k.normed.room(plan.rows * width), inverse: k.inverse.room(plan.rows) });
    let lanes = plan.hidden_lanes(0, Site::Embeddings);
    let norm = store.norm(&store.slots.embedding_norm, config);
    norm_drop(&mut y, keep, norm, row_dropout(lanes.as_ref()));
    y
}

/// All layers: from the embeddings to the leaves, in one flat vector (see [`super::plan::LeafRanges`]). With
/// `keep`, `buffers` afterwards contains everything that the backward pass needs.
pub(super) fn encode(
    store: &Store,
    config: &BertConfig,
    plan: &Plan,
    embeddings: &[f32],
    keep: bool,
    buffers: &mut PassBuffers,
    scratch: &mut Scratch,
) -> Vec<f32> {
    let mut leaves = vec![0.0; plan.output];
    // Without a backward pass, two states alternate, and all layers share their buffers.
    let (states, layers) = if keep { (plan.depth + 1, plan.depth) } else { (2, 1) };
    buffers.states.resize_with(states.max(buffers.states.len()), Buffer::default);
    buffers.layers.resize_with(layers.max(buffers.layers.len()), LayerBuffers::default);
    let distances = store.slots.distances.map(|number| {
        let table = &store.values[store.slots.ranges[number].clone()];
        distance::spread(table, config.num_attention_heads, plan.reach)
    });
    buffers.states[0].room(embeddings.len()).copy_from_slice(embeddings);
    emit_state(plan, 0, buffers.states[0].get(), &mut leaves);
    for index in 0..plan.depth {
        let (from, to) = if keep { (index, index + 1) } else { (index % 2, (index + 1) % 2) };
        let x = std::mem::take(&mut buffers.states[from]);
        let kept = &mut buffers.layers[if keep { index } else { 0 }];
        let distances = distances.as_ref().map(|table| DistanceBias { table, reach: plan.reach });
        let work = LayerPass { store, config, plan, index, keep, distances };
        work.run(x.get(), &mut buffers.states[to], kept, scratch);
        emit_values(plan, index, kept.maps.get(), &mut leaves);
        buffers.states[from] = x;
        emit_state(plan, index + 1, buffers.states[to].get(), &mut leaves);
    }
    leaves
}

/// One layer of a pass.
struct LayerPass<'a> {
    store: &'a Store,
    config: &'a BertConfig,
    plan: &'a Plan,
    index: usize,
    keep: bool,
    distances: Option<DistanceBias<'a>>,
}

impl LayerPass<'_> {
    fn run(&self, x: &[f32], y: &mut Buffer, kept: &mut LayerBuffers, scratch: &mut Scratch) {
        let Self { store, config, plan, index, keep, distances } = *self;
        let evaluates = plan.is_evaluation();
        let (slots, width, inner_width) = (&store.slots.layers[index], plan.hidden, config.intermediate_size);

        let qkv = kept.qkv.room(plan.rows * 3 * width);
        let (weight, bias) = (store.weight(&slots.qkv, evaluates), store.bias(&slots.qkv));
        products::forward(qkv, x, weight, Some(bias), &mut scratch.operands);
        let layout = plan.layout_of(index);
        let maps = kept.maps.room(layout.map_elements());
        let streams = plan.attention_streams(index);
        let dropout = streams.as_ref().map(|(streams, threshold, scale)| AttentionDropout {
            streams,
            threshold: *threshold,
            scale: *scale,
        });
        let selected = plan.selected_of(index);
        let rows = selected.map_or(plan.rows, <[u32]>::len);
        if plan.thins_context(index) {
            let all = scratch.context.room(layout.queries() * width);
            attention(all, maps, qkv, layout, dropout, distances);
            gather_rows(kept.context.room(rows * width), all, selected.unwrap_or_default(), width);
        } else {
            attention(kept.context.room(rows * width), maps, qkv, layout, dropout, distances);
        }
        let residual = match selected {
            None => x,
            Some(selected) => {
                let residual = scratch.residual.room(rows * width);
                gather_rows(residual, x, selected, width);
                &*residual
            }
        };

        let wide = scratch.wide.room(rows * width);
        products::forward(
            wide,
            kept.context.get(),
            store.weight(&slots.attention_output, evaluates),
            None,
            &mut scratch.operands,
        );
        let lanes = plan.hidden_lanes(index, Site::AttentionOutput);
        let attended = kept.attended.room(rows * width);
        let keeping = keep.then(|| Keep {
            normed: kept.attention_normed.room(rows * width),
            inverse: kept.attention_inverse.room(rows),
        });
        add_norm(
            attended,
            keeping,
            wide,
            store.bias(&slots.attention_output),
            residual,
            store.norm(&slots.attention_norm, config),
            row_dropout(lanes.as_ref()),
        );

        let inner = kept.inner.room(rows * inner_width);
        products::forward(
            inner,
            attended,
            store.weight(&slots.intermediate, evaluates),
            None,
            &mut scratch.operands,
        );
        let bias = store.bias(&slots.intermediate);
        let activated = if keep {
            let activated = scratch.inner.room(rows * inner_width);
            activate_keeping(kernel(config.hidden_act), activated, inner, bias);
            &*activated
        } else {
            activate(kernel(config.hidden_act), inner, bias);
            &*inner
        };
        products::forward(
            wide,
            activated,
            store.weight(&slots.output, evaluates),
            None,
            &mut scratch.operands,
        );
        let lanes = plan.hidden_lanes(index, Site::Output);
        let keeping = keep.then(|| Keep {
            normed: kept.output_normed.room(rows * width),
            inverse: kept.output_inverse.room(rows),
        });
        add_norm(
            y.room(rows * width),
            keeping,
            wide,
            store.bias(&slots.output),
            attended,
            store.norm(&slots.output_norm, config),
            row_dropout(lanes.as_ref()),
        );
    }
}

/// Writes the leaves that depend on the states of a layer.
fn emit_state(plan: &Plan, layer: usize, state: &[f32], leaves: &mut [f32]) {
    let width = plan.hidden;
    let pooled = &mut leaves[plan.leaves.pooled.clone()];
    if let Some(share) = plan.pooled_share(layer) {
        for (row, &(first, length)) in pooled.chunks_exact_mut(width).zip(&plan.spans) {
            if plan.pooling == Some(Pooling::Cls) {
                row.copy_from_slice(&state[plan.last_row(first as u32) * width..][..width]);
                continue;
            }
            let mut sum = vec![0.0; width];
            for token in state[first * width..(first + length) * width].chunks_exact(width) {
                add(&mut sum, token);
            }
            for (row, &sum) in row.iter_mut().zip(&sum) {
                *row += sum / length as f32 * share;
            }
        }
    }
    for (range, _) in plan.leaves.states.iter().zip(&plan.states).filter(|(_, l)| **l == layer) {
        leaves[range.clone()].copy_from_slice(state);
    }
    if layer == plan.depth {
        let tokens = leaves[plan.leaves.tokens.clone()].chunks_exact_mut(width);
        for (out, &row) in tokens.zip(&plan.tokens) {
            out.copy_from_slice(&state[plan.last_row(row) * width..][..width]);
        }
    }
}

/// Writes the requested attention values of a layer.
fn emit_values(plan: &Plan, layer: usize, maps: &[f32], leaves: &mut [f32]) {
    let values = &mut leaves[plan.leaves.values.clone()];
    for tap in &plan.taps[layer].taps {
        let factor = if plan.taps_after_dropout { plan.attention_factor(layer, tap) } else { 1.0 };
        values[tap.slot as usize] = maps[tap.place as usize] * factor;
    }
}
