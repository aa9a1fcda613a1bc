//! A network's parameters, and what new ones are built from.

use candle_core::Device;
use micse_model::{Encoder, Head, HeadLayer, MaskedLmHead, TokenConvolution, Trainable};
use micse_random::Stream;

use crate::Result;
use crate::recipe::Recipe;

/// A network's parameters.
pub(crate) enum Part {
    Encoder(Box<dyn Encoder>),
    Head(Head),
    Convolution(TokenConvolution),
    MaskedLmHead(MaskedLmHead),
}

impl Part {
    pub(super) fn trainable(&self) -> &dyn Trainable {
        match self {
            Self::Encoder(encoder) => encoder.as_ref(),
            Self::Head(head) => head,
            Self::Convolution(convolution) => convolution,
            Self::MaskedLmHead(head) => head,
        }
    }

    pub(super) fn trainable_mut(&mut self) -> &mut dyn Trainable {
        match self {
            Self::Encoder(encoder) => encoder.as_mut(),
            Self::Head(head) => head,
            Self::Convolution(convolution) => convolution,
            Self::MaskedLmHead(head) => head,
        }
    }
}

/// The inputs for building networks.
pub(super) struct Start<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) encoder: &'a dyn Encoder,
    /// The online head, once it is built.
    pub(super) online_head: Option<&'a Head>,
    pub(super) stream: Stream,
    pub(super) device: &'a Device,
}

impl Start<'_> {
    pub(super) fn hidden(&self) -> usize {
        self.encoder.config().hidden_size
    }

    /// Columns of a row after the head.
    pub(super) fn columns(&self) -> usize {
        self.online_head.map_or(self.hidden(), Head::columns)
    }

    /// A copy of the encoder.
    pub(super) fn copy(&self) -> Result<Option<Part>> {
        Ok(Some(Part::Encoder(self.encoder.duplicate()?)))
    }

    /// A new head; its parameters are drawn from the stream of this purpose.
    pub(super) fn head(&self, layers: &[HeadLayer], inputs: usize, purpose: u64) -> Result<Option<Part>> {
        let stream = self.stream.with(purpose);
        Ok(Some(Part::Head(Head::new(layers, inputs, self.hidden(), stream, self.device)?)))
    }
}
