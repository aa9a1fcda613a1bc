//! The list of networks: for each its name, its role in a recipe, where its gradients come from, and how it is built.

use micse_model::head::Width;
use micse_model::{HeadLayer, MaskedLmHead, TokenConvolution};

use super::build::{Part, Start};
use crate::Result;
use crate::recipe::{Recipe, SecondKind};

/// A network that a recipe trains or uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NetworkKind {
    /// The online encoder, which the finished model keeps.
    Encoder,
    /// The layers after the pooling, in training only.
    Head,
    /// The layers after the head, on the online side only.
    Predictor,
    /// The convolution over token states, which the finished model keeps.
    Convolution,
    /// A second encoder: CT's other tower, PCL's peer, SG-OPT's guide.
    Second,
    /// The prediction head of masked language modelling.
    MaskedLmHead,
    /// DiffCSE's discriminator.
    Discriminator,
    /// The two classes of the discriminator.
    DiscriminatorHead,
    /// The momentum encoder's own head.
    MomentumHead,
    /// The momentum encoder.
    Momentum,
    /// The masked-LM encoder that replaces tokens.
    Generator,
    /// The prediction head of the generator.
    GeneratorHead,
}

/// How training changes a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// The optimizer updates it.
    Trained,
    /// It is a moving average of another network.
    Follows,
    /// It keeps its initial weights.
    Frozen,
}

/// A network of a recipe and its role there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Network {
    /// Which network.
    pub kind: NetworkKind,
    /// How training changes it.
    pub role: Role,
}

/// Where a network's gradients come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gradients {
    /// The objectives' own graph.
    Objectives,
    /// Separate backward passes: of encoders, which the objectives reach through leaves only, and of terms outside the
    /// objectives' graph.
    Passes,
    /// Nowhere: it is never trained.
    Never,
}

/// Everything that is specific to one network.
pub(super) struct Spec {
    kind: NetworkKind,
    /// The name in parameter groups, checkpoints and reports.
    name: &'static str,
    pub(super) gradients: Gradients,
    /// Its role in a recipe; `None`: the recipe has no such network.
    role: fn(&Recipe) -> Option<Role>,
    /// Builds it as before the first step; `None`: it is provided from outside (the encoder, a model folder's head).
    pub(super) build: fn(&Start<'_>) -> Result<Option<Part>>,
}

/// All networks. The order is the order of parameters in gradient norms.
static LIST: [Spec; 12] = [
    Spec {
        kind: NetworkKind::Encoder,
        name: "encoder",
        gradients: Gradients::Passes,
        role: |recipe| Some(if recipe.steps == 0 { Role::Frozen } else { Role::Trained }),
        build: |_| Ok(None),
    },
    Spec {
        kind: NetworkKind::Head,
        name: "head",
        gradients: Gradients::Objectives,
        role: |recipe| (!recipe.head.layers().is_empty()).then_some(Role::Trained),
        build: |start| start.head(&start.recipe.head.layers(), start.hidden(), 3),
    },
    Spec {
        kind: NetworkKind::Predictor,
        name: "predictor",
        gradients: Gradients::Objectives,
        role: |recipe| (!recipe.predictor.is_empty()).then_some(Role::Trained),
        build: |start| start.head(&start.recipe.predictor, start.columns(), 6),
    },
    Spec {
        kind: NetworkKind::Convolution,
        name: "convolution",
        gradients: Gradients::Objectives,
        role: |recipe| recipe.convolution.as_ref().map(|_| Role::Trained),
        build: |start| {
            let Some(shape) = &start.recipe.convolution else { return Ok(None) };
            let (config, stream) = (start.encoder.config(), start.stream.with(7));
            Ok(Some(Part::Convolution(TokenConvolution::new(shape, config, stream, start.device)?)))
        },
    },
    Spec {
        kind: NetworkKind::Second,
        name: "second",
        gradients: Gradients::Passes,
        role: |recipe| {
            recipe.second.map(|second| match second.kind {
                SecondKind::Trained => Role::Trained,
                SecondKind::Frozen => Role::Frozen,
            })
        },
        build: |start| start.copy(),
    },
    Spec {
        kind: NetworkKind::MaskedLmHead,
        name: "masked-lm-head",
        gradients: Gradients::Passes,
        role: |recipe| recipe.brings(NetworkKind::MaskedLmHead).then_some(Role::Trained),
        build: |start| {
            let (config, stream) = (start.encoder.config(), start.stream.with(4));
            Ok(Some(Part::MaskedLmHead(MaskedLmHead::new(config, stream, start.device)?)))
        },
    },
    Spec {
        kind: NetworkKind::Discriminator,
        name: "discriminator",
        gradients: Gradients::Objectives,
        role: |recipe| recipe.brings(NetworkKind::Discriminator).then_some(Role::Trained),
        build: |start| {
            let (columns, hidden) = (start.columns(), start.hidden());
            if columns != hidden {
                return Err(micse_model::Error::Input(format!(
                    "replaced-tokens replaces embeddings of {hidden} columns by head rows of {columns}: make `linear` \
                     the last width of the head"
                ))
                .into());
            }
            start.copy()
        },
    },
    Spec {
        kind: NetworkKind::DiscriminatorHead,
        name: "discriminator-head",
        gradients: Gradients::Objectives,
        role: |recipe| recipe.brings(NetworkKind::DiscriminatorHead).then_some(Role::Trained),
        build: |start| {
            let classes = [HeadLayer::Linear { outputs: Width::Fixed(2), bias: true }];
            start.head(&classes, start.hidden(), 9)
        },
    },
    Spec {
        kind: NetworkKind::MomentumHead,
        name: "momentum-head",
        gradients: Gradients::Objectives,
        role: |recipe| {
            let own = recipe.momentum.filter(|m| !m.share_head && !recipe.head.layers().is_empty());
            own.map(|momentum| if momentum.stop_gradient { Role::Follows } else { Role::Trained })
        },
        build: |start| start.online_head.map(|head| Ok(Part::Head(head.duplicate()?))).transpose(),
    },
    Spec {
        kind: NetworkKind::Momentum,
        name: "momentum",
        gradients: Gradients::Never,
        role: |recipe| recipe.momentum.map(|_| Role::Follows),
        build: |start| start.copy(),
    },
    Spec {
        kind: NetworkKind::Generator,
        name: "generator",
        gradients: Gradients::Never,
        role: |recipe| recipe.brings(NetworkKind::Generator).then_some(Role::Frozen),
        build: |start| start.copy(),
    },
    Spec {
        kind: NetworkKind::GeneratorHead,
        name: "generator-head",
        gradients: Gradients::Never,
        role: |recipe| recipe.brings(NetworkKind::GeneratorHead).then_some(Role::Frozen),
        build: |_| Ok(None),
    },
];

impl NetworkKind {
    /// Its entry in the list, which is in the order of the kinds; a test checks this.
    pub(super) fn spec(self) -> &'static Spec {
        &LIST[self as usize]
    }

    /// The name in parameter groups, checkpoints and reports.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// Whether it is a complete encoder.
    pub fn is_encoder(self) -> bool {
        matches!(self, Self::Encoder | Self::Second | Self::Momentum | Self::Discriminator | Self::Generator)
    }
}

/// The names of networks that can learn, as parameter groups use them.
pub(crate) fn trainable_names() -> impl Iterator<Item = &'static str> {
    LIST.iter().filter(|spec| spec.gradients != Gradients::Never).map(|spec| spec.name)
}

impl Recipe {
    /// The networks that the recipe trains or uses, each with its role.
    ///
    /// ```
    /// use micse_train::{Recipe, NetworkKind, Role};
    ///
    /// let networks = Recipe::load("micse", &[])?.networks();
    /// let names: Vec<&str> = networks.iter().map(|network| network.kind.name()).collect();
    /// assert_eq!(names, ["encoder", "head", "momentum"]);
    /// assert_eq!((networks[2].kind, networks[2].role), (NetworkKind::Momentum, Role::Follows));
    /// # Ok::<(), micse_train::Error>(())
    /// ```
    pub fn networks(&self) -> Vec<Network> {
        let listed =
            LIST.iter().filter_map(|spec| (spec.role)(self).map(|role| Network { kind: spec.kind, role }));
        listed.collect()
    }

    /// Whether one of the recipe's objectives needs this network.
    fn brings(&self, kind: NetworkKind) -> bool {
        self.objectives.iter().any(|objective| objective.needs().networks.contains(&kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_has_one_entry_and_one_name() {
        for (number, spec) in LIST.iter().enumerate() {
            assert_eq!(
                spec.kind as usize, number,
                "{}: the list must be in the order of the kinds",
                spec.name
            );
            assert_eq!(spec.kind.name(), spec.name);
        }
        let mut names: Vec<&str> = LIST.iter().map(|spec| spec.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), LIST.len());
        assert_eq!(NetworkKind::GeneratorHead as usize + 1, LIST.len());
    }

    #[test]
    fn recipes_report_their_networks() {
        let of = |name: &str| -> Vec<(&'static str, Role)> {
            let networks = Recipe::load(name, &[]).unwrap().networks();
            networks.iter().map(|network| (network.kind.name(), network.role)).collect()
        };
        assert_eq!(of("bert-cls"), [("encoder", Role::Frozen)]);
        assert_eq!(of("simcse")[0], ("encoder", Role::Trained));
        assert_eq!(of("ct")[1], ("second", Role::Trained));
        assert!(of("sg-opt").contains(&("second", Role::Frozen)));
        assert!(of("simcse-mlm").contains(&("masked-lm-head", Role::Trained)));
        let diffcse = of("diffcse");
        for network in ["discriminator", "discriminator-head"] {
            assert!(diffcse.contains(&(network, Role::Trained)), "{diffcse:?}");
        }
        for network in ["generator", "generator-head"] {
            assert!(diffcse.contains(&(network, Role::Frozen)), "{diffcse:?}");
        }
        assert!(of("mocose").contains(&("momentum-head", Role::Follows)));
        assert!(of("mocose@released-code").contains(&("momentum-head", Role::Trained)));
    }
}
