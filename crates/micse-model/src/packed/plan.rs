//! The plan of a pass over a batch: the rows that each layer computes, the layout of attention, the dropped
//! activations, and the positions of the leaves in the pass's single output.

use std::ops::Range;
use std::sync::OnceLock;

use micse_kernels::attention::Layout;
use micse_kernels::dropout::RowDropout;
use micse_kernels::rotary::Rotation;
use micse_random::{Lane, Stream, dropout_threshold};
use rayon::prelude::*;

use crate::dropout::{Site, attention_stream, hidden_lane};
use crate::encoder::{AttentionPosition, AttentionStage, Mode, Pass};
use crate::{Batch, BertConfig, Dropout, Family, Pooling};

/// One requested attention value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tap {
    /// Its index in the layer's buffer of maps.
    pub(super) place: u32,
    /// Its index among the requested values.
    pub(super) slot: u32,
    pub(super) sentence: u32,
    pub(super) head: u32,
    pub(super) query: u32,
    pub(super) key: u32,
}

/// The requested attention values of a layer, grouped by map, in the order of the request.
#[derive(Clone, Debug, Default)]
pub(super) struct LayerTaps {
    pub(super) taps: Vec<Tap>,
    /// For each map the index of its first value, then the total number; empty without values.
    pub(super) maps: Vec<u32>,
}

/// The range of each kind of leaf in the flat output.
#[derive(Clone, Debug)]
pub(super) struct LeafRanges {
    pub(super) pooled: Range<usize>,
    pub(super) values: Range<usize>,
    pub(super) states: Vec<Range<usize>>,
    pub(super) tokens: Range<usize>,
}

pub(super) struct Plan {
    pub(super) rows: usize,
    pub(super) hidden: usize,
    pub(super) depth: usize,
    /// Rows of the longest sentence.
    pub(super) reach: usize,
    pub(super) ids: Vec<u32>,
    /// The row of the position table for every row; with rotary positions, the position of every row.
    pub(super) positions: Vec<u32>,
    /// (index of the sentence in the whole batch, position) of every row.
    places: Vec<(usize, usize)>,
    /// Indices of the sentences in the whole batch.
    sentences: Vec<usize>,
    /// For every sentence, its first row and the number of tokens that count in means.
    pub(super) spans: Vec<(usize, usize)>,
    dropout: Option<Dropout>,
    /// Which sites have dropout.
    family: Family,
    /// The attention layout of all layers that attend to all tokens, except possibly the last layer.
    pub(super) layout: Layout,
    /// The attention layout of layers that attend to near tokens only.
    local_layout: Option<Layout>,
    /// Whether each layer attends to near tokens only.
    local: Vec<bool>,
    /// The rotations of layers that attend to all tokens and of those that attend to near tokens, once a layer needs
    /// them.
    rotations: OnceLock<Vec<Rotation>>,
    /// The attention layout of the last layer if only some rows are queries.
    last_layout: Option<Layout>,
    /// The rows that the last layer computes after its attention, ascending; `None`: all.
    pub(super) selected: Option<Vec<u32>>,
    pub(super) pooling: Option<Pooling>,
    /// Layers whose states the pooling averages.
    pooled_layers: Vec<usize>,
    pub(super) states: Vec<usize>,
    pub(super) tokens: Vec<u32>,
    /// The attention values of each layer.
    pub(super) taps: Vec<LayerTaps>,
    pub(super) taps_after_dropout: bool,
    pub(super) leaves: LeafRanges,
    pub(super) output: usize,
}

impl Plan {
    /// The pass must have been checked before.
    pub(super) fn new(batch: &Batch, pass: &Pass, config: &BertConfig) -> Self {
        let (depth, hidden) = (config.num_hidden_layers, config.hidden_size);
        let taps = &pass.taps;
        let layout_with = |window: Option<usize>| {
            let sentences = (0..batch.sentences()).map(|b| (batch.rows_of(b), batch.keys_of(b)));
            Layout::new(config.num_attention_heads, config.head_size(), window, sentences)
        };
        let layout = layout_with(None);
        let rotary = config.rotary.as_ref();
        let local_layout = rotary.and_then(|r| r.local.as_ref()).map(|local| layout_with(Some(local.window)));
        let local: Vec<bool> =
            (0..depth).map(|layer| rotary.is_some_and(|r| r.local_at(layer).is_some())).collect();
        let layouts = |layer: usize| local_layout.as_ref().filter(|_| local[layer]).unwrap_or(&layout);
        let all_of_last = taps.states.contains(&depth)
            || taps.pooled.is_some_and(|p| p != Pooling::Cls && p.layers(depth).contains(&depth));
        let selected = (!all_of_last).then(|| {
            let mut rows = taps.tokens.clone();
            if taps.pooled == Some(Pooling::Cls) {
                rows.extend(batch.first_rows().iter().map(|&r| r as u32));
            }
            rows.sort_unstable();
            rows.dedup();
            rows
        });
        let layer_taps = attention_taps(pass, &layouts, config);
        let last_layout = match &selected {
            Some(rows) if layer_taps[depth - 1].taps.is_empty() => Some(layouts(depth - 1).asking(rows)),
            _ => None,
        };
        let (leaves, output) = leaf_ranges(batch, pass, hidden);
        let sentences: Vec<usize> = (0..batch.sentences()).map(|b| batch.sentence_number(b)).collect();
        Self {
            rows: batch.rows(),
            hidden,
            depth,
            reach: batch.width(),
            ids: batch.ids().to_vec(),
            positions: batch.position_rows(config),
            places: (0..batch.sentences())
                .flat_map(|b| (0..batch.rows_of(b)).map(move |t| (b, t)))
                .map(|(b, t)| (sentences[b], t))
                .collect(),
            sentences,
            spans: (0..batch.sentences())
                .map(|b| {
                    (batch.first_rows()[b], batch.averaged_rows(b, taps.pooled.unwrap_or(Pooling::Mean)))
                })
                .collect(),
            dropout: match pass.mode {
                Mode::Training(dropout) => Some(dropout),
                Mode::Evaluation => None,
            },
            family: config.family,
            layout,
            local_layout,
            local,
            rotations: OnceLock::new(),
            last_layout,
            selected,
            pooling: taps.pooled,
            pooled_layers: taps.pooled.map(|p| p.layers(depth)).unwrap_or_default(),
            states: taps.states.clone(),
            tokens: taps.tokens.clone(),
            taps: layer_taps,
            taps_after_dropout: taps
                .attention_values
                .as_ref()
                .is_some_and(|v| v.stage == AttentionStage::AfterDropout),
            leaves,
            output,
        }
    }

    /// Whether the pass is in evaluation mode.
    pub(super) fn is_evaluation(&self) -> bool {
        self.dropout.is_none()
    }

    /// The attention layout of a layer.
    pub(super) fn layout_of(&self, layer: usize) -> &Layout {
        match &self.last_layout {
            Some(last) if layer + 1 == self.depth => last,
            _ => self.local_layout.as_ref().filter(|_| self.local[layer]).unwrap_or(&self.layout),
        }
    }

    /// The rotation of a layer's queries and keys; `None` if the family has a table of positions.
    pub(super) fn rotation_of(&self, layer: usize, config: &BertConfig) -> Option<&Rotation> {
        let rotary = config.rotary.as_ref()?;
        let count = self.positions.iter().max().map_or(0, |&last| last as usize + 1);
        let rotations = self.rotations.get_or_init(|| {
            let of_local = rotary.local.as_ref().map(|local| (local.theta, 1.0));
            let all = [Some((rotary.theta, rotary.factor)), of_local].into_iter().flatten();
            all.map(|(theta, factor)| Rotation::new(theta, factor, config.head_size(), count)).collect()
        });
        rotations.get(usize::from(self.local[layer]))
    }

    /// The largest number of elements of the maps of a layer from which values were requested.
    pub(super) fn map_elements(&self) -> usize {
        let layers = (0..self.depth).filter(|&layer| self.reads_maps(layer));
        layers.map(|layer| self.layout_of(layer).map_elements()).max().unwrap_or(0)
    }

    /// Whether values of a layer's attention were requested.
    pub(super) fn reads_maps(&self, layer: usize) -> bool {
        !self.taps[layer].taps.is_empty()
    }

    /// The rows that a layer computes after its attention; `None`: all.
    pub(super) fn selected_of(&self, layer: usize) -> Option<&[u32]> {
        self.selected.as_deref().filter(|_| layer + 1 == self.depth)
    }

    /// Whether the attention's context has all rows, of which only the selected ones are used.
    pub(super) fn thins_context(&self, layer: usize) -> bool {
        self.selected_of(layer).is_some() && self.last_layout.is_none()
    }

    /// The weight of a layer's states in the pooled rows (in a one-layer network, the first layer is also the
    /// last).
    pub(super) fn pooled_share(&self, layer: usize) -> Option<f32> {
        let count = self.pooled_layers.iter().filter(|l| **l == layer).count();
        (count > 0).then(|| count as f32 / self.pooled_layers.len() as f32)
    }

    /// The index of a row in the last layer's output.
    pub(super) fn last_row(&self, row: u32) -> usize {
        match &self.selected {
            None => row as usize,
            Some(rows) => rows.binary_search(&row).expect("a row that was selected"),
        }
    }

    /// The lanes of hidden dropout at a site, for the rows that are computed there.
    pub(super) fn hidden_lanes(&self, layer: usize, site: Site) -> Option<(Vec<Lane>, u32, f32)> {
        let dropout = self.dropout.filter(|d| self.family.drops(site) && d.hidden > 0.0)?;
        let lane = |&(sentence, position): &(usize, usize)| {
            hidden_lane(dropout.stream, layer, site, sentence, position)
        };
        let lanes = match self.selected_of(layer).filter(|_| site != Site::Embeddings) {
            None => self.places.iter().map(lane).collect(),
            Some(rows) => rows.iter().map(|&r| lane(&self.places[r as usize])).collect(),
        };
        Some((lanes, dropout_threshold(dropout.hidden), (1.0 / (1.0 - dropout.hidden)) as f32))
    }

    /// The streams of attention dropout, one per sentence.
    pub(super) fn attention_streams(&self, layer: usize) -> Option<(Vec<Stream>, u32, f32)> {
        let dropout = self.dropout.filter(|d| d.attention > 0.0)?;
        let streams = self
            .sentences
            .iter()
            .map(|&sentence| attention_stream(dropout.stream, layer, sentence))
            .collect();
        Some((streams, dropout_threshold(dropout.attention), (1.0 / (1.0 - dropout.attention)) as f32))
    }

    /// The dropout factor of an attention value: 0 or 1 / (1 - rate).
    pub(super) fn attention_factor(&self, layer: usize, tap: &Tap) -> f32 {
        let Some(dropout) = self.dropout.filter(|d| d.attention > 0.0) else { return 1.0 };
        let kept = crate::dropout::attention_kept(
            dropout.stream,
            dropout.attention,
            layer,
            self.sentences[tap.sentence as usize],
            tap.head as usize,
            tap.query as usize,
            tap.key as usize,
        );
        if kept { (1.0 / (1.0 - dropout.attention)) as f32 } else { 0.0 }
    }
}

/// [`RowDropout`] on the lanes of [`Plan::hidden_lanes`].
pub(super) fn row_dropout(lanes: Option<&(Vec<Lane>, u32, f32)>) -> Option<RowDropout<'_>> {
    lanes.map(|(lanes, threshold, scale)| RowDropout { lanes, threshold: *threshold, scale: *scale })
}

/// The requested values by layer and map: a counting sort that keeps the order of the request, so that sums
/// of gradients are bit-for-bit reproducible. Values outside a local layer's window are left out: they are 0, whatever
/// the parameters.
fn attention_taps<'a>(
    pass: &Pass,
    layouts: &(dyn Fn(usize) -> &'a Layout + Sync),
    config: &BertConfig,
) -> Vec<LayerTaps> {
    let (depth, heads, maps) = (config.num_hidden_layers, config.num_attention_heads, layouts(0).maps());
    let mut layers = vec![LayerTaps::default(); depth];
    let Some(values) = pass.taps.attention_values.as_ref().filter(|v| !v.at.is_empty()) else {
        return layers;
    };
    let map = |p: &AttentionPosition| p.sentence as usize * heads + p.head as usize;
    let mut starts = vec![vec![0_u32; maps + 1]; depth];
    let place = |p: &AttentionPosition| {
        let layout = layouts(p.layer as usize);
        layout.place(p.sentence as usize, p.head as usize, p.query as usize, p.key as usize)
    };
    let places: Vec<Option<u32>> = values.at.par_iter().map(|p| place(p).map(|place| place as u32)).collect();
    for (p, _) in values.at.iter().zip(&places).filter(|(_, place)| place.is_some()) {
        starts[p.layer as usize][map(p) + 1] += 1;
    }
    for (layer, starts) in layers.iter_mut().zip(&mut starts) {
        for i in 0..maps {
            starts[i + 1] += starts[i];
        }
        if starts[maps] > 0 {
            layer.maps.clone_from(starts);
            layer.taps = vec![Tap::default(); starts[maps] as usize];
        }
    }
    for (slot, (p, place)) in values.at.iter().zip(places).enumerate() {
        let Some(place) = place else { continue };
        let AttentionPosition { sentence, head, query, key, .. } = *p;
        // The start of a map advances as its values are placed.
        let next = &mut starts[p.layer as usize][map(p)];
        layers[p.layer as usize].taps[*next as usize] =
            Tap { place, slot: slot as u32, sentence, head, query, key };
        *next += 1;
    }
    layers
}

fn leaf_ranges(batch: &Batch, pass: &Pass, hidden: usize) -> (LeafRanges, usize) {
    let mut end = 0;
    let mut next = |count: usize| {
        let range = end..end + count;
        end = range.end;
        range
    };
    let taps = &pass.taps;
    let leaves = LeafRanges {
        pooled: next(if taps.pooled.is_some() { batch.sentences() * hidden } else { 0 }),
        values: next(taps.attention_values.as_ref().map_or(0, |v| v.at.len())),
        states: taps.states.iter().map(|_| next(batch.rows() * hidden)).collect(),
        tokens: next(taps.tokens.len() * hidden),
    };
    (leaves, end)
}
