//! The terms of a recipe's loss.

mod ami;
mod terms;

use serde::{Deserialize, Serialize};

use super::SecondKind;
pub use ami::{Ami, AmiLayers};
pub use terms::{
    Contrast, Custom, Decorrelation, InfoNce, MaskedLm, Negatives, Peer, Plain, ReplacedTokens, Virtual,
};

/// One weighted term of the loss. "The first two views" are the recipe's, whatever network encodes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Objective {
    /// Contrast of the first two views' embeddings.
    Infonce(InfoNce),
    /// Contrast of the first two views' embeddings among all 2B (Chen et al. 2020).
    NtXent(Contrast),
    /// Mutual information of the first two views' attention maps.
    Ami(Ami),
    /// Pairs told apart by their dot products (CT).
    ContrastiveTension(Plain),
    /// Mutual information of tokens and their sentence (IS-BERT).
    JensenShannon(Plain),
    /// Contrast of `[CLS]` with all layers of a frozen guide (SG-OPT).
    GuideContrast(Contrast),
    /// Sum of squared differences of the encoder's parameters from the guide's (SG-OPT).
    ParameterDistance(Plain),
    /// Mean cosine of the first two views, pushed down (SCD).
    SelfContrast(Contrast),
    /// Columns of the first two views' head rows made independent (SCD).
    Decorrelation(Decorrelation),
    /// Mean cosine of the first two views, drawn up: contrast without negatives.
    Alignment(Contrast),
    /// Squared distance of the first two views (InforMin-CL).
    InformationMinimising(Plain),
    /// Contrast with a virtual view in each sentence's neighbourhood (`VaSCL`).
    Virtual(Virtual),
    /// The terms between an encoder and its peer (PCL).
    Peer(Peer),
    /// Replaced-token detection (`DiffCSE`).
    ReplacedTokens(ReplacedTokens),
    /// Masked language modelling of the batch's sentences, in a pass of its own.
    MaskedLm(MaskedLm),
    /// A term of the caller's own.
    Custom(Custom),
}

/// What a term cannot do without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a need of its own, and any mix is possible")]
pub struct Needs {
    /// Passes of the batch, views and towers together.
    pub passes: usize,
    /// A second network of this kind.
    pub second: Option<SecondKind>,
    /// Token states of the whole batch, which are too large to keep when it is encoded in chunks.
    pub tokens: bool,
    /// Pairs of which some are positive.
    pub pairs: bool,
    /// A convolution over tokens.
    pub convolution: bool,
    /// A head.
    pub head: bool,
}

impl Objective {
    /// The name in metrics and errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Infonce(_) => "infonce",
            Self::NtXent(_) => "nt-xent",
            Self::Ami(_) => "ami",
            Self::ContrastiveTension(_) => "contrastive-tension",
            Self::JensenShannon(_) => "jensen-shannon",
            Self::GuideContrast(_) => "guide-contrast",
            Self::ParameterDistance(_) => "parameter-distance",
            Self::SelfContrast(_) => "self-contrast",
            Self::Decorrelation(_) => "decorrelation",
            Self::Alignment(_) => "alignment",
            Self::InformationMinimising(_) => "information-minimising",
            Self::Virtual(_) => "virtual",
            Self::Peer(_) => "peer",
            Self::ReplacedTokens(_) => "replaced-tokens",
            Self::MaskedLm(_) => "masked-lm",
            Self::Custom(_) => "custom",
        }
    }

    /// What the term is multiplied by.
    pub fn weight(&self) -> f64 {
        match self {
            Self::Infonce(o) => o.weight,
            Self::NtXent(o) | Self::GuideContrast(o) | Self::SelfContrast(o) | Self::Alignment(o) => o.weight,
            Self::Ami(o) => o.weight,
            Self::ContrastiveTension(o)
            | Self::JensenShannon(o)
            | Self::ParameterDistance(o)
            | Self::InformationMinimising(o) => o.weight,
            Self::Decorrelation(o) => o.weight,
            Self::Virtual(o) => o.weight,
            Self::Peer(o) => o.weight,
            Self::ReplacedTokens(o) => o.weight,
            Self::MaskedLm(o) => o.weight,
            Self::Custom(o) => o.weight,
        }
    }

    /// What cosines are divided by, if the term has it.
    pub fn temperature(&self) -> Option<f64> {
        match self {
            Self::Infonce(o) => Some(o.temperature),
            Self::NtXent(o) | Self::GuideContrast(o) | Self::SelfContrast(o) | Self::Alignment(o) => {
                Some(o.temperature)
            }
            Self::Virtual(o) => Some(o.temperature),
            Self::Peer(o) => Some(o.temperature),
            _ => None,
        }
    }

    /// What the term cannot do without.
    pub fn needs(&self) -> Needs {
        let two = Needs { passes: 2, ..Needs::default() };
        let one = Needs { passes: 1, ..Needs::default() };
        match self {
            Self::Infonce(_)
            | Self::NtXent(_)
            | Self::Ami(_)
            | Self::SelfContrast(_)
            | Self::Alignment(_)
            | Self::InformationMinimising(_) => two,
            Self::Decorrelation(_) | Self::Virtual(_) => Needs { head: true, ..two },
            Self::ContrastiveTension(_) => Needs { second: Some(SecondKind::Trained), pairs: true, ..two },
            Self::JensenShannon(_) => Needs { tokens: true, convolution: true, ..one },
            Self::GuideContrast(_) => Needs { second: Some(SecondKind::Frozen), tokens: true, ..two },
            Self::ParameterDistance(_) => Needs { second: Some(SecondKind::Frozen), ..one },
            Self::Peer(_) => Needs { second: Some(SecondKind::Trained), ..two },
            Self::ReplacedTokens(_) => Needs { tokens: true, ..one },
            Self::MaskedLm(_) => Needs { tokens: true, ..Needs::default() },
            // What it needs its own code knows: see `crate::Term`.
            Self::Custom(_) => one,
        }
    }
}
