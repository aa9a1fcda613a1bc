//! The backward pass: from the gradients of the leaves to those of the parameters and the embeddings.

use micse_kernels::Write;
use micse_kernels::activation::activation_backward;
use micse_kernels::attention::{AttentionDropout, DistanceBias, Taps, attention_backward};
use micse_kernels::dropout::RowDropout;
use micse_kernels::gated::gate_backward;
use micse_kernels::norm::{Kept, add_norm_backward, norm_drop_backward};
use micse_kernels::rotary::rotate_backward;
use micse_kernels::rows::{add, scatter_add_rows};
use micse_kernels::stream::stream_norm_backward;
use micse_kernels::sums::add_column_sums;

use super::buffers::{Buffer, EmbeddingBuffers, LayerBuffers, PassBuffers, Rows, Scratch};
use super::forward::kernel;
use super::plan::{Plan, row_dropout};
use super::products::{self, Factor, Operands, Weight};
use super::slots::{LayerSlots, LinearSlot, NormSlot, Slots, WORDS};
use super::store::{Gradients, Store, weight};
use crate::distance;
use crate::dropout::Site;
use crate::{BertConfig, Pooling};

/// Backward pass of [`super::forward::embed`]: `gradient` is the gradient of the embeddings `[M, D]`.
pub(super) fn embed(
    store: &mut Store,
    config: &BertConfig,
    plan: &Plan,
    kept: &EmbeddingBuffers,
    gradient: &mut [f32],
    scratch: &mut Scratch,
) {
    let width = config.embedding_size;
    let Store { slots, values, gradients, rounded, version, .. } = store;
    let Scratch { rows, parts, operands, .. } = scratch;
    let gradient = match &slots.projection {
        None => gradient,
        Some(slot) => {
            let projection = weight(values, (rounded, *version), slot);
            let below = rows.values.room(plan.rows * width);
            let (dy, x) = (Factor::Exact(gradient), Factor::Exact(kept.projected.get()));
            products::backward(below, dy, projection, Write::Replace, operands);
            weight_gradient(gradients, slots, slot, projection, dy, x, operands);
            add_column_sums(gradients.part(slots, slot.biases[0]), gradient, parts);
            below
        }
    };
    let mut sums = vec![0.0; 2 * width];
    let lanes = plan.hidden_lanes(0, Site::Embeddings);
    norm_drop_backward(
        gradient,
        &mut sums,
        Kept { normed: kept.normed.get(), inverse: kept.inverse.get() },
        &values[slots.embedding_norm.gain.clone()],
        row_dropout(lanes.as_ref()),
        parts,
    );
    add_sums(gradients, slots, &sums, &slots.embedding_norm, None);
    gradients.mark_words(plan.ids.iter().map(|&id| id as usize));
    scatter_add_rows(gradients.part(slots, WORDS), gradient, &plan.ids, width);
    if let Some(positions) = slots.positions {
        scatter_add_rows(gradients.part(slots, positions), gradient, &plan.positions, width);
    }
    if let Some(types) = slots.types {
        let kind = &mut gradients.part(slots, types)[..width];
        add_column_sums(kind, gradient, parts);
    }
}

/// Backward pass of [`super::forward::encode`]: adds the parameters' gradients and returns the gradient of
/// the embeddings.
pub(super) fn encode(
    store: &mut Store,
    config: &BertConfig,
    plan: &Plan,
    leaves: &[f32],
    buffers: &PassBuffers,
    scratch: &mut Scratch,
) -> Vec<f32> {
    let rows = plan.selected.as_ref().map_or(plan.rows, Vec::len);
    // The gradient of the state between two layers, from the last layer to the first; if LayerNorm is before a block,
    // that of the normed state, and beside it that of the residual stream.
    let first = config.family.normalizes_first();
    let mut upper = std::mem::take(&mut scratch.upper);
    upper.room(rows * plan.hidden).fill(0.0);
    add_leaves(plan, plan.depth, leaves, upper.get_mut());
    if first {
        scratch.stream.room(rows * plan.hidden).fill(0.0);
    }
    for index in (0..plan.depth).rev() {
        let kept = &buffers.layers[index];
        let work = LayerPass { config, plan, index, kept };
        work.feed_forward(store, upper.get_mut(), scratch);
        work.attention_output(store, upper.get_mut(), scratch);
        work.spread(&mut upper, scratch);
        work.attention(store, upper.get_mut(), &buffers.states[index], leaves, scratch);
        add_leaves(plan, index, leaves, if first { scratch.stream.get_mut() } else { upper.get_mut() });
    }
    let mut result = upper.get().to_vec();
    if first {
        // Without a LayerNorm before the first block, its input is the stream.
        add(&mut result, scratch.stream.get());
    }
    scratch.upper = upper;
    result
}

/// One layer of the backward pass.
struct LayerPass<'a> {
    config: &'a BertConfig,
    plan: &'a Plan,
    index: usize,
    kept: &'a LayerBuffers,
}

impl LayerPass<'_> {
    /// Turns `upper` `[S, D]` from the gradient of the layer's output into that of the attention block's
    /// output.
    fn feed_forward(&self, store: &mut Store, upper: &mut [f32], scratch: &mut Scratch) {
        let (config, gated, rounds) = (self.config, self.config.family.is_gated(), store.rounds());
        let kept = Kept { normed: self.kept.output_normed.get(), inverse: self.kept.output_inverse.get() };
        let lanes = self.plan.hidden_lanes(self.index, Site::Output);
        let dropout = row_dropout(lanes.as_ref());
        self.sum(store, upper, scratch, kept, dropout, |layer| (&layer.output_norm, &layer.output));

        let Store { slots, values, gradients, rounded, version, .. } = store;
        let weight_of = |slot: &LinearSlot| weight(values, (rounded, *version), slot);
        let layer = &slots.layers[self.config.own_layer(self.index)];
        let rows = upper.len() / self.plan.hidden;
        let Scratch { rows: masked, inner, inner_gradient, parts, operands, .. } = scratch;
        let (masked, inner_width) = (masked.factor(rounds), config.intermediate_size);
        let (activation, before) = (kernel(config.hidden_act), self.kept.inner.get());
        let output = weight_of(&layer.output);
        let (activated, inner_gradient) = if rounds && !gated {
            let bias_gradient = gradients.part(slots, layer.intermediate.biases[0]);
            let (dx, slopes) = (&mut inner_gradient.rounded, &self.kept.slopes);
            products::backward_activated(dx, bias_gradient, slopes, masked, output, parts, operands);
            (Factor::Rounded(&self.kept.activated), Factor::Rounded(dx))
        } else {
            let activated = inner.room(rows * inner_width);
            let inner_gradient = inner_gradient.values.room(rows * config.inner_rows());
            if gated {
                products::backward(activated, masked, output, Write::Replace, operands);
                let lanes = self.plan.hidden_lanes(self.index, Site::Gate);
                let dropout = row_dropout(lanes.as_ref());
                gate_backward(activation, activated, inner_gradient, before, inner_width, dropout);
            } else {
                products::backward(inner_gradient, masked, output, Write::Replace, operands);
                let bias_gradient = gradients.part(slots, layer.intermediate.biases[0]);
                activation_backward(activation, activated, inner_gradient, before, bias_gradient, parts);
            }
            (Factor::Exact(activated), Factor::Exact(inner_gradient))
        };
        weight_gradient(gradients, slots, &layer.output, output, masked, activated, operands);
        weight_gradient(
            gradients,
            slots,
            &layer.intermediate,
            weight_of(&layer.intermediate),
            inner_gradient,
            self.kept.attended.factor(rounds),
            operands,
        );
        products::backward(
            upper,
            inner_gradient,
            weight_of(&layer.intermediate),
            self.onto_residual(),
            operands,
        );
    }

    /// Turns `upper` `[S, D]` into the gradient of the residual, if it is not in the stream; the gradient of the context
    /// goes to `scratch.context` `[S, D]`.
    fn attention_output(&self, store: &mut Store, upper: &mut [f32], scratch: &mut Scratch) {
        let kept =
            Kept { normed: self.kept.attention_normed.get(), inverse: self.kept.attention_inverse.get() };
        let lanes = self.plan.hidden_lanes(self.index, Site::AttentionOutput);
        let (dropout, rounds) = (row_dropout(lanes.as_ref()), store.rounds());
        self.sum(store, upper, scratch, kept, dropout, |layer| {
            (&layer.attention_norm, &layer.attention_output)
        });
        let Store { slots, values, gradients, rounded, version, .. } = store;
        let weight_of = |slot: &LinearSlot| weight(values, (rounded, *version), slot);
        let layer = &slots.layers[self.config.own_layer(self.index)];
        let Scratch { rows: masked, context, operands, .. } = scratch;
        let masked = masked.factor(rounds);
        weight_gradient(
            gradients,
            slots,
            &layer.attention_output,
            weight_of(&layer.attention_output),
            masked,
            self.kept.context.factor(rounds),
            operands,
        );
        let context = context.room(upper.len());
        products::backward(context, masked, weight_of(&layer.attention_output), Write::Replace, operands);
    }

    /// Backward pass of a block's sum and its LayerNorm: from the gradient `upper` of the normed sum to that of the
    /// block's output, in `scratch.rows`, and that of the residual, in `upper` or in the stream.
    fn sum(
        &self,
        store: &mut Store,
        upper: &mut [f32],
        scratch: &mut Scratch,
        kept: Kept<'_>,
        dropout: Option<RowDropout<'_>>,
        of: impl Fn(&LayerSlots) -> (&NormSlot, &LinearSlot),
    ) {
        let rounds = store.rounds();
        let Store { slots, values, gradients, .. } = store;
        let (norm, last) = of(&slots.layers[self.config.own_layer(self.index)]);
        let Scratch { rows: masked, stream, parts, .. } = scratch;
        let width = self.plan.hidden;
        let (masked, rounded) = masked.room(upper.len() / width, width, rounds);
        let gain = &values[norm.gain.clone()];
        if self.config.family.normalizes_first() {
            let mut sums = vec![0.0; 2 * width];
            masked.copy_from_slice(upper);
            stream_norm_backward(stream.get_mut(), masked, rounded, &mut sums, kept, gain, dropout, parts);
            add_sums(gradients, slots, &sums, norm, None);
        } else {
            let mut sums = vec![0.0; 3 * width];
            add_norm_backward(upper, masked, rounded, &mut sums, kept, gain, dropout, parts);
            add_sums(gradients, slots, &sums, norm, last.biases.first().copied());
        }
    }

    /// How the gradient of a block's input is written to `upper`: added to that of the residual, unless this is in the
    /// stream.
    fn onto_residual(&self) -> Write {
        if self.config.family.normalizes_first() { Write::Replace } else { Write::Add }
    }

    /// If only some rows were computed after the attention: expands these rows `[S, D]` to all rows `[M, D]`.
    fn spread(&self, upper: &mut Buffer, scratch: &mut Scratch) {
        let Some(selected) = self.plan.selected_of(self.index) else { return };
        let (width, all) = (self.plan.hidden, self.plan.rows * self.plan.hidden);
        let spread = |from: &Buffer, to: &mut Buffer| {
            let to = to.room(all);
            to.fill(0.0);
            scatter_add_rows(to, from.get(), selected, width);
        };
        if self.config.family.normalizes_first() {
            spread(&scratch.stream, &mut scratch.residual);
            std::mem::swap(&mut scratch.stream, &mut scratch.residual);
            // It receives the gradient of the layer's input.
            upper.room(all);
        } else {
            spread(upper, &mut scratch.residual);
            std::mem::swap(upper, &mut scratch.residual);
        }
        if self.plan.thins_context(self.index) {
            spread(&scratch.context, &mut scratch.wide);
            std::mem::swap(&mut scratch.context, &mut scratch.wide);
        }
    }

    /// Turns `upper` `[M, D]` from the gradient of the residual into that of the layer's input `x`.
    fn attention(
        &self,
        store: &mut Store,
        upper: &mut [f32],
        x: &Rows,
        leaves: &[f32],
        scratch: &mut Scratch,
    ) {
        let rounds = store.rounds();
        let Store { slots, values: parameters, gradients, rounded, version, .. } = store;
        let weight_of = |slot: &LinearSlot| weight(parameters, (rounded, *version), slot);
        let (plan, layer, width) =
            (self.plan, &slots.layers[self.config.own_layer(self.index)], self.plan.hidden);
        let Scratch { qkv: gradient, context, parts, operands, distances, .. } = scratch;
        let rotation = plan.rotation_of(self.index, self.config);
        // Rotated gradients are turned back first.
        let rounds_gradient = rounds && rotation.is_none();
        let (qkv, rounded) = gradient.room(plan.rows, 3 * width, rounds_gradient);
        let streams = plan.attention_streams(self.index);
        let dropout = streams.as_ref().map(|(streams, threshold, scale)| AttentionDropout {
            streams,
            threshold: *threshold,
            scale: *scale,
        });
        let tapped = &plan.taps[self.index];
        let values = &leaves[plan.leaves.values.clone()];
        let entries: Vec<(u32, f32)> =
            tapped.taps.iter().map(|t| (t.place, values[t.slot as usize])).collect();
        let taps = Taps { after_dropout: plan.taps_after_dropout, entries: &entries, maps: &tapped.maps };
        let layout = plan.layout_of(self.index);
        let heads = self.config.num_attention_heads;
        let entries =
            slots.distances.map_or(0, |_| plan.spans.len() * heads * DistanceBias::width(plan.reach));
        let distances = distances.room(entries);
        attention_backward(
            qkv,
            rounded,
            distances,
            context.get(),
            self.kept.maps.get(),
            self.kept.qkv.get(),
            layout,
            dropout,
            taps,
        );
        if let Some(number) = slots.distances {
            distance::gather(gradients.part(slots, number), distances, heads, plan.reach);
        }
        if let Some(rotation) = rotation {
            rotate_backward(qkv, width, &plan.positions, rotation);
        }
        // The key bias gets no gradient: it adds the same value to all scores of a query, and the softmax
        // cancels it. Its gradient is exactly zero; computed, it would be rounding noise, which Adam scales up
        // to full steps.
        if let [query, _, value] = layer.qkv.biases[..] {
            let mut sums = vec![0.0; 3 * width];
            add_column_sums(&mut sums, qkv, parts);
            add(gradients.part(slots, query), &sums[..width]);
            add(gradients.part(slots, value), &sums[2 * width..]);
        }
        let (qkv, x) = (gradient.factor(rounds_gradient), x.factor(rounds));
        weight_gradient(gradients, slots, &layer.qkv, weight_of(&layer.qkv), qkv, x, operands);
        products::backward(upper, qkv, weight_of(&layer.qkv), self.onto_residual(), operands);
    }
}

/// Adds the gradients of a LayerNorm's gain and offset and of the bias before it, one after the other in `sums`, to
/// those of the parameters that exist.
fn add_sums(gradients: &mut Gradients, slots: &Slots, sums: &[f32], norm: &NormSlot, bias: Option<usize>) {
    let numbers = [Some(norm.gain_number), norm.offset_number, bias];
    for (number, sum) in numbers.into_iter().zip(sums.chunks_exact(norm.gain.len())) {
        if let Some(number) = number {
            add(gradients.part(slots, number), sum);
        }
    }
}

fn weight_gradient(
    gradients: &mut Gradients,
    slots: &Slots,
    slot: &LinearSlot,
    weight: Weight<'_>,
    dy: Factor<'_>,
    x: Factor<'_>,
    operands: &mut Operands,
) {
    let write = if gradients.begin(slots, &slot.weights) { Write::Add } else { Write::Replace };
    products::weight_gradient(&mut gradients.values[slot.weight.clone()], dy, x, weight, write, operands);
}

/// Adds the gradients of the leaves to the gradient of a layer's state.
fn add_leaves(plan: &Plan, layer: usize, leaves: &[f32], state: &mut [f32]) {
    let width = plan.hidden;
    if let Some(share) = plan.pooled_share(layer) {
        let pooled = &leaves[plan.leaves.pooled.clone()];
        for (gradient, &(first, length)) in pooled.chunks_exact(width).zip(&plan.spans) {
            if plan.pooling == Some(Pooling::Cls) {
                add(&mut state[plan.last_row(first as u32) * width..][..width], gradient);
                continue;
            }
            let factor = share / length as f32;
            for row in state[first * width..(first + length) * width].chunks_exact_mut(width) {
                for (row, &gradient) in row.iter_mut().zip(gradient) {
                    *row += gradient * factor;
                }
            }
        }
    }
    for (range, _) in plan.leaves.states.iter().zip(&plan.states).filter(|(_, l)| **l == layer) {
        add(state, &leaves[range.clone()]);
    }
    if layer == plan.depth {
        let tokens = leaves[plan.leaves.tokens.clone()].chunks_exact(width);
        for (gradient, &row) in tokens.zip(&plan.tokens) {
            add(&mut state[plan.last_row(row) * width..][..width], gradient);
        }
    }
}
