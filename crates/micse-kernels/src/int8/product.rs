//! The product: tasks, tiles, and the choice of the kernel.

#[cfg(target_arch = "x86_64")]
use super::isa::Avx512Vnni;
use super::isa::Isa;
#[cfg(target_arch = "aarch64")]
use super::kernel_neon;
use super::kernel_portable;
#[cfg(target_arch = "x86_64")]
use super::rows::{Cut, Range};
use super::rows::{Rounded, Rows, Values};
use super::weights::{Channels, PANEL, Weights};
#[cfg(target_arch = "x86_64")]
use super::{kernel_avx2, kernel_vnni};
#[cfg(target_arch = "x86_64")]
use crate::amx::{Amx, Kind, Left, Right, STEP, Tiles, prefetch};
use crate::grid::{Block, Grid};
use crate::line::Line;
#[cfg(target_arch = "x86_64")]
use crate::line::WORDS;
use crate::simd::vectorised;

/// Panels that tiles multiply by some rows before the next rows: they stay in the second-level cache. With all rows first,
/// the outputs of a panel would be on as many memory pages as there are rows.
#[cfg(target_arch = "x86_64")]
pub(super) const TILE_PANELS: usize = 32;

/// The sums of a tile, for up to `ROWS` rows; each kernel has its own number.
pub(super) type Sums<const ROWS: usize> = [[i32; PANEL]; ROWS];

/// A few rows and one panel of the output.
pub(super) struct Tile<'a, L> {
    /// Activations: rows of [`Self::width`], from one to as many as the kernel computes at a time.
    pub(super) activations: &'a [L],
    /// Inputs, rounded up to whole words.
    pub(super) width: usize,
    /// One line per word of the weights.
    pub(super) panel: &'a [Line],
}

/// Rows per tile of the kernel on 512 bits.
#[cfg(target_arch = "x86_64")]
const WIDE_ROWS: usize = 12;

/// A panel of the weights with what belongs to its output channels.
#[cfg(target_arch = "x86_64")]
pub(super) struct Panel<'a> {
    /// One line per word of the weights.
    pub(super) lines: &'a [Line],
    pub(super) channels: &'a Channels,
    pub(super) bias: Option<[f32; PANEL]>,
}

/// Up to 12 rows, and one or two panels.
#[cfg(target_arch = "x86_64")]
pub(super) struct WideTile<'a> {
    /// Rows of as many words as the panels have.
    pub(super) activations: &'a [u8],
    pub(super) finish: Finish<'a>,
}

/// What makes outputs of the sums of rows and of one or two panels.
#[cfg(target_arch = "x86_64")]
pub(super) struct Finish<'a> {
    /// One range per row.
    pub(super) ranges: &'a [Range],
    /// What was cut off each row.
    pub(super) cuts: &'a [Vec<Cut>],
    pub(super) panels: [Option<&'a Panel<'a>>; 2],
    /// The first row of the output, and its columns.
    pub(super) first: usize,
    pub(super) columns: std::ops::Range<usize>,
}

impl<L> Tile<'_, L> {
    pub(super) fn rows(&self) -> usize {
        self.activations.len() / self.width
    }
}

/// `out = x W^T + bias`: `[rows, outputs]` from `[rows, inputs]`; no bias is added if it is `None`.
///
/// Runs on rayon's current pool.
///
/// # Panics
/// Rows and weights have different numbers of inputs, the bias does not have one value per output channel, or `out` is
/// not `[rows, outputs]`.
pub fn product(out: &mut [f32], rows: &Rows, weights: &Weights, bias: Option<&[f32]>) {
    let (inputs, outputs) = (weights.inputs(), weights.outputs());
    assert!(rows.rows() == 0 || rows.inputs == inputs, "rows of {} for {inputs} inputs", rows.inputs);
    assert_eq!(out.len(), rows.rows() * outputs, "{} rows of {outputs}", rows.rows());
    assert!(bias.is_none_or(|bias| bias.len() == outputs), "a bias needs one value per output channel");
    let (task, panels) = (weights.isa.task_rows(rows.rows()), weights.isa.task_panels(rows.rows()));
    Grid::new(out, rows.rows(), outputs).for_each((task, panels * PANEL), |block| {
        multiply(block, 0, rows, weights, bias);
    });
}

/// Computes one block, whose output begins with row `first` of the product.
pub(super) fn multiply(block: Block<'_>, first: usize, rows: &Rows, weights: &Weights, bias: Option<&[f32]>) {
    let work = Work { first, rows, weights, bias };
    match (weights.isa, &rows.values) {
        #[cfg(target_arch = "x86_64")]
        (Isa::Amx(amx, vnni), Values::Bytes(values)) => {
            work.run_tiles((amx, vnni), block, values);
        }
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512Vnni(token), Values::Bytes(values)) => {
            work.run_wide(token, block, values);
        }
        #[cfg(target_arch = "x86_64")]
        (Isa::AvxVnni(token), Values::Bytes(values)) => {
            work.run(block, values, |tile, _| kernel_vnni::sums(token, tile));
        }
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx2(token), Values::Halves(values)) => {
            work.run(block, values, |tile, _| kernel_avx2::sums(token, tile));
        }
        #[cfg(target_arch = "aarch64")]
        (Isa::Dot(token), Values::Bytes(values)) => {
            work.run(block, values, |tile, totals| kernel_neon::sums(token, tile, totals));
        }
        (Isa::Portable, Values::Bytes(values)) => {
            work.run(block, values, |tile, _| kernel_portable::sums(tile));
        }
        (Isa::Portable, Values::Halves(values)) => {
            work.run(block, values, |tile, _| kernel_portable::sums(tile));
        }
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        _ => unreachable!("activations have the form that this CPU's product reads"),
    }
}

/// The factors of a product.
struct Work<'a> {
    /// The row of the product that is the output's first.
    first: usize,
    rows: &'a Rows,
    weights: &'a Weights,
    bias: Option<&'a [f32]>,
}

impl Work<'_> {
    /// Computes a block, in tiles of up to `ROWS` rows; `sums` gets a tile and the sums of its channels' weights.
    fn run<L: Rounded, const ROWS: usize>(
        &self,
        mut block: Block<'_>,
        values: &[L],
        sums: impl Fn(&Tile<'_, L>, &[i32]) -> Sums<ROWS>,
    ) {
        let Self { first: offset, rows, weights, bias } = *self;
        let width = rows.inputs.next_multiple_of(L::DEPTH);
        let values = &values[(offset + block.rows.start) * width..(offset + block.rows.end) * width];
        for start in block.columns.clone().step_by(PANEL) {
            let columns = start..block.columns.end.min(start + PANEL);
            let panel = weights.panel(start / PANEL);
            let (channels, bias) = (weights.channels(start / PANEL), padded(bias, columns.clone()));
            let tiles = values.chunks(ROWS * width).zip(block.rows.clone().step_by(ROWS));
            for (activations, first) in tiles {
                let tile = Tile { activations, width, panel };
                let sums = sums(&tile, &weights.totals[columns.clone()]);
                let finished =
                    Finished { sums: &sums[..tile.rows()], first, offset, panel, columns: columns.clone() };
                write(&mut block, finished, rows, (channels, bias.as_ref()), weights.isa);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl<'a> Work<'a> {
    /// Computes a block with the kernel on 512 bits.
    fn run_wide(&self, token: Avx512Vnni, mut block: Block<'_>, values: &[u8]) {
        let width = self.rows.inputs.next_multiple_of(u8::DEPTH);
        for columns in parts(block.columns.clone(), 2 * PANEL) {
            let panels = self.panels(columns.clone());
            for rows in parts(block.rows.clone(), WIDE_ROWS) {
                let own = self.first + rows.start..self.first + rows.end;
                let activations = &values[own.start * width..own.end * width];
                let finish = self.finish(&panels, rows, columns.clone());
                kernel_vnni::wide_outputs(token, &WideTile { activations, finish }, &mut block);
            }
        }
    }

    /// Computes a block with tiles, and what their steps leave of the depth with vectors of 512 bits.
    fn run_tiles(&self, (amx, vnni): (Amx, Avx512Vnni), mut block: Block<'_>, values: &[u8]) {
        let width = self.rows.inputs.next_multiple_of(u8::DEPTH);
        let top = block.rows.start;
        let values = &values[(self.first + top) * width..(self.first + block.rows.end) * width];
        let left = Left { bytes: values, stride: width };
        let mut tiles = Tiles::new(amx, block.rows.len());
        for columns in parts(block.columns.clone(), TILE_PANELS * PANEL) {
            let pairs = parts(columns, 2 * PANEL).map(|columns| (self.panels(columns.clone()), columns));
            let pairs: Vec<_> = pairs.collect();
            for span in tiles.spans() {
                let rows = top + span.first..top + span.end;
                let activations = &values[span.first * width..span.end * width];
                for (panels, columns) in &pairs {
                    for row in rows.clone() {
                        prefetch(block.row(row, columns.clone()));
                    }
                    let [one, two] = panels.each_ref().map(Option::as_ref);
                    let Some(one) = one else { unreachable!("columns are not empty") };
                    let right = Right { lines: [one.lines, two.unwrap_or(one).lines], stride: 1 };
                    let sums = tiles.multiply(Kind::Bytes, span, left, right, width / STEP);
                    let finish = self.finish(panels, rows.clone(), columns.clone());
                    let done = width / STEP * WORDS;
                    kernel_vnni::finish_tiles(vnni, &finish, activations, done, sums, &mut block);
                }
            }
        }
    }

    /// The one or two panels of some columns.
    fn panels(&self, columns: std::ops::Range<usize>) -> [Option<Panel<'a>>; 2] {
        [columns.start, columns.start + PANEL].map(|first| {
            (first < columns.end).then(|| Panel {
                lines: self.weights.panel(first / PANEL),
                channels: self.weights.channels(first / PANEL),
                bias: padded(self.bias, first..columns.end.min(first + PANEL)),
            })
        })
    }

    fn finish<'p>(
        &self,
        panels: &'p [Option<Panel<'a>>; 2],
        rows: std::ops::Range<usize>,
        columns: std::ops::Range<usize>,
    ) -> Finish<'p>
    where
        'a: 'p,
    {
        let own = self.first + rows.start..self.first + rows.end;
        Finish {
            ranges: &self.rows.ranges[own.clone()],
            cuts: &self.rows.cuts[own],
            panels: panels.each_ref().map(Option::as_ref),
            first: rows.start,
            columns,
        }
    }
}

/// Divides a range into parts of up to `length`.
#[cfg(target_arch = "x86_64")]
fn parts(range: std::ops::Range<usize>, length: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let end = range.end;
    range.step_by(length).map(move |start| start..end.min(start + length))
}

/// The biases of a panel; zero for missing channels.
fn padded(bias: Option<&[f32]>, columns: std::ops::Range<usize>) -> Option<[f32; PANEL]> {
    bias.map(|bias| {
        let mut padded = [0.0; PANEL];
        let own = &bias[columns];
        match own.as_array() {
            Some(own) => padded = *own,
            None => padded[..own.len()].copy_from_slice(own),
        }
        padded
    })
}

/// Copies the outputs of channels that exist; one of full length needs no call.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn copy(to: &mut [f32], out: &[f32; PANEL]) {
    match to.as_mut_array() {
        Some(to) => *to = *out,
        None => to.copy_from_slice(&out[..to.len()]),
    }
}

/// The sums of a tile.
struct Finished<'a> {
    sums: &'a [[i32; PANEL]],
    /// Its first row of the output.
    first: usize,
    /// The row of the product that is the output's first.
    offset: usize,
    panel: &'a [Line],
    columns: std::ops::Range<usize>,
}

vectorised! {
    /// Writes the outputs of a tile, by the formula of this module's parent.
    fn write(
        block: &mut Block<'_>,
        tile: Finished<'_>,
        rows: &Rows,
        channels: (&Channels, Option<&[f32; PANEL]>),
        isa: Isa,
    ) {
        let (Channels { scales, totals }, bias) = channels;
        for (row, sums) in (tile.first..).zip(tile.sums) {
            let range = rows.ranges[tile.offset + row];
            let mut out = [0.0_f32; PANEL];
            for (((out, &sum), scale), total) in out.iter_mut().zip(sums).zip(scales).zip(totals) {
                *out = range.step * scale * sum as f32 + range.lowest * total;
            }
            if let Some(bias) = bias {
                for (out, bias) in out.iter_mut().zip(bias) {
                    *out += bias;
                }
            }
            // What was cut off the activations.
            for cut in &rows.cuts[tile.offset + row] {
                let (word, place) = (cut.input as usize / isa.depth(), cut.input as usize % isa.depth());
                for ((out, &word), scale) in out.iter_mut().zip(&tile.panel[word].0).zip(scales) {
                    *out += cut.value * (scale * f32::from(isa.weight(word, place)));
                }
            }
            copy(block.row(row, tile.columns.clone()), &out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use micse_random::Stream;

    /// All kernels that this CPU can run on the rows' form, for numbers of rows and inputs around the sizes of tiles.
    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let mut draws = Stream::new(41).draws();
        let shapes = [1, 15, 16, 17, 31, 33, 48, 70, 97, 200].into_iter().flat_map(|rows| {
            [(rows, 3, 1), (rows, 63, 17), (rows, 64, 33), (rows, 130, 70), (rows, 384, 48)]
        });
        for (count, inputs, outputs) in shapes {
            let mut x: Vec<f32> = (0..count * inputs).map(|_| draws.normal() as f32).collect();
            // Some of the rows have a value to be cut off.
            x.iter_mut().step_by(3 * inputs + 1).for_each(|x| *x *= 100.0);
            let weights: Vec<i8> =
                (0..outputs * inputs).map(|_| (40.0 * draws.normal()).clamp(-127.0, 127.0) as i8).collect();
            let scales: Vec<f32> = (0..outputs).map(|i| 0.01 * (i + 1) as f32).collect();
            let mut rows = Rows::default();
            rows.round(&x, inputs, None);
            let run = |isa: Isa| {
                let weights = Weights::packed(&weights, inputs, &scales, isa);
                let mut out = vec![f32::NAN; count * outputs];
                product(&mut out, &rows, &weights, Some(&scales));
                out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            let want = run(Isa::Portable);
            for isa in Isa::usable().filter(|isa| isa.depth() == Isa::best().depth()) {
                assert!(
                    run(isa) == want,
                    "{count} x {inputs} x {outputs}: {isa:?} differs from portable code"
                );
            }
        }
    }
}
