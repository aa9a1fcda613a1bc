//! The objectives of this crate, each a [`Term`] in its own file.
//!
//! A file contains the objective's values as recipes write them and its `impl Term`: its needs, its checks, what it
//! reads from a step, and its loss. The registry below is the only other place that mentions it.

mod alignment;
mod ami;
mod contrastive_tension;
mod custom;
mod decorrelation;
mod guide_contrast;
mod infonce;
mod information_minimising;
mod jensen_shannon;
mod masked_lm;
mod nt_xent;
mod parameter_distance;
mod peer;
mod replaced_tokens;
mod self_contrast;
mod virtual_view;

use serde::{Deserialize, Serialize};

pub use crate::term::Needs;
use crate::term::Term;
pub use ami::AmiLayers;
pub use infonce::Negatives;

/// The registry: the variant, whose name in kebab case is the `kind` of recipes, and the type of its values.
macro_rules! registry {
    ($($(#[$doc:meta])* $variant:ident($file:ident::$values:ident),)*) => {
        $(pub use $file::$values;)*

        /// One weighted term of the loss. "The first two views" are the recipe's first two, by any network.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Objective {
            $($(#[$doc])* $variant($values),)*
        }

        impl Objective {
            /// The objective as a term.
            pub fn term(&self) -> &dyn Term {
                match self {
                    $(Self::$variant(values) => values,)*
                }
            }

            /// The factor of the term.
            pub fn weight(&self) -> f64 {
                match self {
                    $(Self::$variant(values) => values.weight,)*
                }
            }
        }
    };
}

registry! {
    /// Contrast of the first two views' embeddings.
    Infonce(infonce::InfoNce),
    /// Contrast of the first two views' embeddings among all 2B (Chen et al. 2020).
    NtXent(nt_xent::NtXent),
    /// Mutual information of the first two views' attention maps.
    Ami(ami::Ami),
    /// Classification of pairs by their dot products (CT).
    ContrastiveTension(contrastive_tension::ContrastiveTension),
    /// Mutual information of tokens and their sentence (IS-BERT).
    JensenShannon(jensen_shannon::JensenShannon),
    /// Contrast of `[CLS]` with all layers of a frozen guide (SG-OPT).
    GuideContrast(guide_contrast::GuideContrast),
    /// Sum of squared differences of the encoder's parameters from the guide's (SG-OPT).
    ParameterDistance(parameter_distance::ParameterDistance),
    /// Mean cosine of the first two views, minimized (SCD).
    SelfContrast(self_contrast::SelfContrast),
    /// Columns of the first two views' head rows made independent (SCD).
    Decorrelation(decorrelation::Decorrelation),
    /// Mean cosine of the first two views, maximized: contrast without negatives.
    Alignment(alignment::Alignment),
    /// Squared distance of the first two views (InforMin-CL).
    InformationMinimising(information_minimising::InformationMinimising),
    /// Contrast with a virtual view in each sentence's neighbourhood (`VaSCL`).
    Virtual(virtual_view::Virtual),
    /// The terms between an encoder and its peer (PCL).
    Peer(peer::Peer),
    /// Replaced-token detection (`DiffCSE`).
    ReplacedTokens(replaced_tokens::ReplacedTokens),
    /// Masked language modelling of the batch's sentences, in its own pass.
    MaskedLm(masked_lm::MaskedLm),
    /// A custom term of the calling program.
    Custom(custom::Custom),
}

impl Objective {
    /// The name in metrics and errors.
    pub fn name(&self) -> &'static str {
        self.term().name()
    }

    /// The divisor of cosines, if the term has one.
    pub fn temperature(&self) -> Option<f64> {
        self.term().temperature()
    }

    /// What the term needs.
    pub fn needs(&self) -> Needs {
        self.term().needs()
    }
}

/// The default weight of most objectives.
fn one() -> f64 {
    1.0
}

#[cfg(test)]
mod tests {
    use crate::Recipe;

    #[test]
    fn the_kind_of_every_objective_is_its_name() {
        let mut seen = 0;
        for name in crate::recipe::names() {
            for objective in Recipe::load(name, &[]).unwrap().objectives {
                let value = serde_json::to_value(&objective).unwrap();
                assert_eq!(value["kind"], objective.name(), "{name}");
                seen += 1;
            }
        }
        assert!(seen > 40, "{seen} objectives");
    }
}
