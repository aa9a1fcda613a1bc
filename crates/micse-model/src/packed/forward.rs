//! The forward pass: embeddings, layers, leaves.

use micse_kernels::View;
use micse_kernels::activation;
use micse_kernels::activation::{activate, activate_keeping};
use micse_kernels::attention::{AttentionDropout, DistanceBias, attention};
use micse_kernels::dropout::RowDropout;
use micse_kernels::gated::gate;
use micse_kernels::norm::{Keep, Norm, add_norm, norm_drop};
use micse_kernels::rotary::rotate;
use micse_kernels::rows::{add, gather_rows};
use micse_kernels::stream::stream_norm;

use super::buffers::{Buffer, EmbeddingBuffers, LayerBuffers, PassBuffers, Rows, Scratch};
use super::int8::Int8Weights;
use super::plan::{Plan, row_dropout};
use super::products::{self, Factor, Weight};
use super::slots::{LayerSlots, LinearSlot, NormSlot, WORDS};
use super::store::{Store, weight};
use crate::distance;
use crate::dropout::Site;
use crate::{Activation, BertConfig, Pooling};

impl Store {
    /// The weight of a linear layer, for a pass in evaluation mode or in training mode.
    pub(super) fn weight(&self, slot: &LinearSlot, evaluates: bool) -> Weight<'_> {
        let int8 = self.int8.as_ref().and_then(|int8| int8.linear(slot.number));
        let packed = evaluates.then(|| (&self.packed[slot.number], self.version));
        Weight { packed, int8, ..weight(&self.values, (&self.rounded, self.version), slot) }
    }

    /// The bias of a linear layer; zeros if the family has none.
    fn bias(&self, slot: &LinearSlot) -> &[f32] {
        if slot.bias.is_empty() { &self.zeros[..slot.outputs] } else { &self.values[slot.bias.clone()] }
    }

    fn norm(&self, slot: &NormSlot, config: &BertConfig) -> Norm<'_> {
        let gain = &self.values[slot.gain.clone()];
        let offset = &self.values[slot.offset.clone()];
        Norm {
            gain,
            offset: if offset.is_empty() { &self.zeros[..gain.len()] } else { offset },
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
        Activation::Silu => activation::Activation::Silu,
    }
}

/// The embeddings `[M, D]`. The values that the backward pass needs are written to `keep`, if given.
pub(super) fn embed(
    store: &Store,
    config: &BertConfig,
    plan: &Plan,
    mut keep: Option<&mut EmbeddingBuffers>,
) -> Vec<f32> {
    let width = config.embedding_size;
    let table = |number: usize| &store.values[store.slots.ranges[number].clone()];
    let kind = store.slots.types.map(|types| &table(types)[..width]);
    let mut y = vec![0.0; plan.rows * width];
    match store.int8.as_ref().and_then(Int8Weights::words) {
        Some(words) => words.gather(&mut y, &plan.ids),
        None => gather_rows(&mut y, table(WORDS), &plan.ids, width),
    }
    let positions = store.slots.positions.map(table);
    for (y, &position) in y.chunks_exact_mut(width).zip(&plan.positions) {
        let position = positions.map(|table| &table[position as usize * width..][..width]);
        match (position, kind) {
            (Some(position), Some(kind)) => {
                for ((y, &p), &k) in y.iter_mut().zip(position).zip(kind) {
                    *y += p + k;
                }
            }
            (Some(one), None) | (None, Some(one)) => add(y, one),
            (None, None) => {}
        }
    }
    let normed = keep
        .as_deref_mut()
        .map(|k| Keep { normed: k.normed.room(plan.rows * width), inverse: k.inverse.room(plan.rows) });
    let lanes = plan.hidden_lanes(0, Site::Embeddings);
    let norm = store.norm(&store.slots.embedding_norm, config);
    norm_drop(&mut y, normed, norm, row_dropout(lanes.as_ref()));
    let Some(slot) = &store.slots.projection else { return y };
    let mut projected = vec![0.0; plan.rows * plan.hidden];
    let bias = Some(store.bias(slot));
    let weight = store.weight(slot, plan.is_evaluation());
    products::forward(&mut projected, Factor::Exact(&y), weight, bias, &mut products::Operands::default());
    if let Some(keep) = keep {
        keep.projected.room(y.len()).copy_from_slice(&y);
    }
    projected
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
    buffers.states.resize_with(states.max(buffers.states.len()), Rows::default);
    buffers.layers.resize_with(layers.max(buffers.layers.len()), LayerBuffers::default);
    let distances = store.slots.distances.map(|number| {
        let table = &store.values[store.slots.ranges[number].clone()];
        distance::spread(table, config.num_attention_heads, plan.reach)
    });
    // Statistics of inputs are collected from the values in f32.
    let rounds = store.rounds() && scratch.operands.observed.is_none();
    // The backward pass then reads rounded rows only.
    let shares = rounds && keep;
    let state = &mut buffers.states[0];
    state.values.room(embeddings.len()).copy_from_slice(embeddings);
    if rounds {
        state.rounded.pack(View::new(embeddings, plan.rows, plan.hidden, plan.hidden));
    }
    let first = config.family.normalizes_first();
    let mut stream = std::mem::take(&mut scratch.stream);
    if first {
        stream.room(embeddings.len()).copy_from_slice(embeddings);
    }
    emit_state(plan, 0, embeddings, &mut leaves);
    for index in 0..plan.depth {
        let (from, to) = if keep { (index, index + 1) } else { (index % 2, (index + 1) % 2) };
        let mut x = std::mem::take(&mut buffers.states[from]);
        let kept = &mut buffers.layers[if keep { index } else { 0 }];
        let distances = distances.as_ref().map(|table| DistanceBias { table, reach: plan.reach });
        let work = LayerPass { store, config, plan, index, keep, rounds, distances };
        let own = if first { Some(&mut stream) } else { None };
        let y = &mut buffers.states[to];
        let mut shared = std::mem::take(&mut scratch.shared);
        if shares {
            shared.lend(y, kept);
        }
        work.run(&x, own, y, kept, scratch);
        if shares {
            shared.take_back(&mut x, kept);
        }
        scratch.shared = shared;
        emit_values(plan, index, &kept.maps, &mut leaves);
        buffers.states[from] = x;
        // Between layers, the state is the residual stream.
        let state = if first && index + 1 < plan.depth { &stream } else { &buffers.states[to].values };
        emit_state(plan, index + 1, state.get(), &mut leaves);
    }
    if shares {
        let (first, rest) = buffers.states.split_at_mut(1);
        std::mem::swap(&mut first[0].values, &mut rest[plan.depth - 1].values);
    }
    scratch.stream = stream;
    leaves
}

/// One layer of a pass.
struct LayerPass<'a> {
    store: &'a Store,
    config: &'a BertConfig,
    plan: &'a Plan,
    index: usize,
    keep: bool,
    /// Whether rows are rounded to bfloat16 when they are computed.
    rounds: bool,
    distances: Option<DistanceBias<'a>>,
}

impl<'a> LayerPass<'a> {
    /// The weight of a linear layer.
    fn weight(&self, slot: &LinearSlot) -> Weight<'a> {
        self.store.weight(slot, self.plan.is_evaluation())
    }

    fn slots(&self) -> &'a LayerSlots {
        &self.store.slots.layers[self.config.own_layer(self.index)]
    }

    /// From the layer's input x to its output y. `stream` is the residual stream, if LayerNorm is before a block;
    /// otherwise it is x.
    fn run(
        &self,
        x: &Rows,
        mut stream: Option<&mut Buffer>,
        y: &mut Rows,
        kept: &mut LayerBuffers,
        scratch: &mut Scratch,
    ) {
        let Self { store, plan, index, rounds, .. } = *self;
        let (slots, width) = (self.slots(), plan.hidden);
        self.attention(x.factor(rounds), kept, scratch);
        let x = x.values.get();
        let selected = plan.selected_of(index);
        let rows = selected.map_or(plan.rows, <[u32]>::len);
        if let Some(selected) = selected {
            let residual = scratch.residual.room(rows * width);
            gather_rows(residual, stream.as_deref().map_or(x, Buffer::get), selected, width);
            if let Some(stream) = stream.as_deref_mut() {
                std::mem::swap(stream, &mut scratch.residual);
            }
        }
        let residual = if selected.is_some() { scratch.residual.get() } else { x };

        let wide = scratch.wide.room(rows * width);
        let operands = &mut scratch.operands;
        products::forward(
            wide,
            kept.context.factor(rounds),
            self.weight(&slots.attention_output),
            None,
            operands,
        );
        let lanes = plan.hidden_lanes(index, Site::AttentionOutput);
        let into = match stream.as_deref_mut() {
            Some(stream) => Sum::Stream(stream.get_mut()),
            None => Sum::Residual(residual, store.bias(&slots.attention_output)),
        };
        let keep = (&mut kept.attention_normed, &mut kept.attention_inverse);
        let dropout = row_dropout(lanes.as_ref());
        self.sum(into, wide, &slots.attention_norm, &mut kept.attended, keep, dropout);

        self.feed_forward(rows, kept, scratch);
        let lanes = plan.hidden_lanes(index, Site::Output);
        let dropout = row_dropout(lanes.as_ref());
        let into = match stream {
            Some(stream) => Sum::Stream(stream.get_mut()),
            None => Sum::Residual(kept.attended.values.get(), store.bias(&slots.output)),
        };
        let keep = (&mut kept.output_normed, &mut kept.output_inverse);
        self.sum(into, scratch.wide.get_mut(), &slots.output_norm, y, keep, dropout);
    }

    /// Attention of all heads, from x `[M, D]` to `kept.context` `[S, D]`.
    fn attention(&self, x: Factor<'_>, kept: &mut LayerBuffers, scratch: &mut Scratch) {
        let Self { store, config, plan, index, rounds, distances, .. } = *self;
        let (slots, width) = (self.slots(), plan.hidden);
        let qkv = kept.qkv.room(plan.rows * 3 * width);
        let bias = Some(store.bias(&slots.qkv)).filter(|_| !slots.qkv.bias.is_empty());
        products::forward(qkv, x, self.weight(&slots.qkv), bias, &mut scratch.operands);
        if let Some(rotation) = plan.rotation_of(index, config) {
            rotate(qkv, width, &plan.positions, rotation);
        }
        let layout = plan.layout_of(index);
        let maps = (self.keep || plan.reads_maps(index)).then(|| kept.maps.room(layout.map_elements()));
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
            attention(all, None, maps, qkv, layout, dropout, distances);
            let context = kept.context.values.room(rows * width);
            gather_rows(context, all, selected.unwrap_or_default(), width);
            if rounds {
                kept.context.rounded.pack(View::new(context, rows, width, width));
            }
        } else {
            let (context, rounded) = kept.context.room(rows, width, rounds);
            attention(context, rounded, maps, qkv, layout, dropout, distances);
        }
    }

    /// The feed-forward block, from `kept.attended` `[S, D]` to `scratch.wide` `[S, D]`, without its last bias.
    fn feed_forward(&self, rows: usize, kept: &mut LayerBuffers, scratch: &mut Scratch) {
        let Self { store, config, plan, index, keep, rounds, .. } = *self;
        let (slots, inner_width) = (self.slots(), config.intermediate_size);
        let bias = store.bias(&slots.intermediate);
        let attended = kept.attended.factor(rounds);
        if rounds && !config.family.is_gated() {
            let (activation, weight) = (kernel(config.hidden_act), self.weight(&slots.intermediate));
            let (activated, slopes) = (&mut kept.activated, keep.then_some(&mut kept.slopes));
            let operands = &mut scratch.operands;
            products::forward_activated(activation, activated, slopes, attended, weight, bias, operands);
            let (wide, weight) = (scratch.wide.room(rows * plan.hidden), self.weight(&slots.output));
            return products::forward(wide, Factor::Rounded(activated), weight, None, operands);
        }
        let (first, last) = (self.weight(&slots.intermediate), self.weight(&slots.output));
        if let (Some(first), Some(last), false) = (first.int8, last.int8, config.family.is_gated()) {
            let (wide, operands) = (scratch.wide.room(rows * plan.hidden), &mut scratch.operands);
            let buffers = (&mut operands.rows, &mut operands.inner);
            let attended = kept.attended.values.get();
            return first.feed_forward(wide, attended, (kernel(config.hidden_act), bias), last, buffers);
        }
        let inner = kept.inner.room(rows * config.inner_rows());
        products::forward(inner, attended, self.weight(&slots.intermediate), None, &mut scratch.operands);
        let activated = if config.family.is_gated() {
            let activated = scratch.inner.room(rows * inner_width);
            let lanes = plan.hidden_lanes(index, Site::Gate);
            gate(kernel(config.hidden_act), activated, inner, inner_width, row_dropout(lanes.as_ref()));
            &*activated
        } else if keep {
            let activated = scratch.inner.room(rows * inner_width);
            activate_keeping(kernel(config.hidden_act), activated, inner, bias);
            &*activated
        } else {
            activate(kernel(config.hidden_act), inner, bias);
            &*inner
        };
        let wide = scratch.wide.room(rows * plan.hidden);
        let (activated, weight) = (Factor::Exact(activated), self.weight(&slots.output));
        products::forward(wide, activated, weight, None, &mut scratch.operands);
    }

    /// Adds the output x of a block to the sum, and normalizes it into y. The backward pass needs the normed rows and
    /// their inverse deviations.
    fn sum(
        &self,
        into: Sum<'_>,
        x: &[f32],
        norm: &NormSlot,
        y: &mut Rows,
        (normed, inverse): (&mut Buffer, &mut Buffer),
        dropout: Option<RowDropout<'_>>,
    ) {
        let width = self.plan.hidden;
        let (y, rounded) = y.room(x.len() / width, width, self.rounds);
        let keep =
            self.keep.then(|| Keep { normed: normed.room(x.len()), inverse: inverse.room(x.len() / width) });
        let norm = self.store.norm(norm, self.config);
        match into {
            Sum::Residual(residual, bias) => add_norm(y, rounded, keep, x, bias, residual, norm, dropout),
            Sum::Stream(stream) => stream_norm(stream, y, rounded, keep, x, norm, dropout),
        }
    }
}

/// What the output of a block is added to.
enum Sum<'a> {
    /// The residual, and the bias of the block's last product.
    Residual(&'a [f32], &'a [f32]),
    /// The residual stream, in place; its blocks have no biases.
    Stream(&'a mut [f32]),
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
fn emit_values(plan: &Plan, layer: usize, maps: &Buffer, leaves: &mut [f32]) {
    if !plan.reads_maps(layer) {
        return;
    }
    let maps = maps.get();
    let values = &mut leaves[plan.leaves.values.clone()];
    for tap in &plan.taps[layer].taps {
        let factor = if plan.taps_after_dropout { plan.attention_factor(layer, tap) } else { 1.0 };
        values[tap.slot as usize] = maps[tap.place as usize] * factor;
    }
}
