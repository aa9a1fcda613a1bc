//! A fitted flow, applied to embeddings.

use candle_core::{Device, Tensor};

use super::{FlowOptions, Glow};
use crate::post::{Result, rows};

/// Number of rows per pass through the network.
const BLOCK: usize = 1024;

/// A flow fitted by a [`FlowTrainer`](super::FlowTrainer).
#[derive(Clone, Debug)]
pub struct Flow {
    glow: Glow,
    options: FlowOptions,
    steps: usize,
}

impl Flow {
    /// A flow from an f32 network on the CPU.
    pub(crate) fn new(glow: Glow, options: FlowOptions, steps: usize) -> Self {
        Self { glow, options, steps }
    }

    /// The latents of the rows, n of dimension D: the levels are concatenated, starting with the first.
    ///
    /// # Errors
    /// Fails if a row has a different dimension, an entry is NaN or infinite, or a row is so far from those
    /// of the fit that its latents overflow f32.
    pub fn transform(&self, rows: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        self.by_blocks(rows, |x| Ok(self.glow.forward(x)?.z))
    }

    /// The rows with these latents: the inverse of [`transform`](Self::transform), up to rounding.
    ///
    /// # Errors
    /// Those of [`transform`](Self::transform).
    pub fn inverse(&self, latents: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        self.by_blocks(latents, |z| self.glow.inverse(z))
    }

    /// The negative log-likelihood of each row, in bits per dimension.
    ///
    /// # Errors
    /// Those of [`transform`](Self::transform).
    pub fn bits_per_dimension(&self, rows: &[Vec<f32>]) -> Result<Vec<f32>> {
        let bits = self.by_blocks(rows, |x| Ok(self.glow.bits_per_dimension(x)?.unsqueeze(1)?))?;
        Ok(bits.into_iter().flatten().collect())
    }

    /// Dimension D of the rows and of the latents.
    pub fn dimension(&self) -> usize {
        self.glow.shape().dimension
    }

    /// The options of the fit.
    pub fn options(&self) -> FlowOptions {
        self.options
    }

    /// Number of steps of the fit.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The network.
    pub fn glow(&self) -> &Glow {
        &self.glow
    }

    fn by_blocks(
        &self,
        rows: &[Vec<f32>],
        apply: impl Fn(&Tensor) -> Result<Tensor>,
    ) -> Result<Vec<Vec<f32>>> {
        rows::check(rows, self.dimension())?;
        let mut out = Vec::with_capacity(rows.len());
        for block in rows.chunks(BLOCK) {
            let block = Tensor::from_vec(block.concat(), (block.len(), self.dimension()), &Device::Cpu)?;
            out.extend(apply(&block)?.to_vec2::<f32>()?);
        }
        rows::check_transformed(out)
    }
}
