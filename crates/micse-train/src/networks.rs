//! The networks of a recipe, in one list. Everything that treats all networks alike follows from it: names in parameter
//! groups, construction, gradient norm, optimizer steps, checkpoints and memory estimates.

use candle_core::Device;
use candle_core::backprop::GradStore;
use micse_losses::MaskedLm;
use micse_model::head::Width;
use micse_model::{AdamStep, Encoder, Head, HeadLayer, MaskedLmHead, TokenConvolution, Trainable};
use micse_random::Stream;

use crate::Result;
use crate::checkpoint::{Checkpoint, CheckpointWriter};
use crate::masked_lm::add_table_gradient;
use crate::recipe::{ParameterGroup, Recipe, SecondKind};

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
enum Gradients {
    /// The objectives' own graph.
    Objectives,
    /// Separate backward passes: of encoders, which the objectives reach through leaves only, and of terms outside the
    /// objectives' graph.
    Passes,
    /// Nowhere: it is never trained.
    Never,
}

/// Everything that is specific to one network.
struct Spec {
    kind: NetworkKind,
    /// The name in parameter groups, checkpoints and reports.
    name: &'static str,
    gradients: Gradients,
    /// Its role in a recipe; `None`: the recipe has no such network.
    role: fn(&Recipe) -> Option<Role>,
    /// Builds it as before the first step; `None`: it is provided from outside (the encoder, a model folder's head).
    build: fn(&Start<'_>) -> Result<Option<Part>>,
}

/// All networks. The order is the order of parameters in gradient norms.
const LIST: [Spec; 12] = [
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
    fn spec(self) -> &'static Spec {
        // Every kind has an entry; a test checks this.
        LIST.iter().find(|spec| spec.kind == self).unwrap_or(&LIST[0])
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

/// A network's parameters.
pub(crate) enum Part {
    Encoder(Box<dyn Encoder>),
    Head(Head),
    Convolution(TokenConvolution),
    MaskedLmHead(MaskedLmHead),
}

impl Part {
    fn trainable(&self) -> &dyn Trainable {
        match self {
            Self::Encoder(encoder) => encoder.as_ref(),
            Self::Head(head) => head,
            Self::Convolution(convolution) => convolution,
            Self::MaskedLmHead(head) => head,
        }
    }

    fn trainable_mut(&mut self) -> &mut dyn Trainable {
        match self {
            Self::Encoder(encoder) => encoder.as_mut(),
            Self::Head(head) => head,
            Self::Convolution(convolution) => convolution,
            Self::MaskedLmHead(head) => head,
        }
    }
}

/// The inputs for building networks.
struct Start<'a> {
    recipe: &'a Recipe,
    encoder: &'a dyn Encoder,
    /// The online head, once it is built.
    online_head: Option<&'a Head>,
    stream: Stream,
    device: &'a Device,
}

impl Start<'_> {
    fn hidden(&self) -> usize {
        self.encoder.config().hidden_size
    }

    /// Columns of a row after the head.
    fn columns(&self) -> usize {
        self.online_head.map_or(self.hidden(), Head::columns)
    }

    /// A copy of the encoder.
    fn copy(&self) -> Result<Option<Part>> {
        Ok(Some(Part::Encoder(self.encoder.duplicate()?)))
    }

    /// A new head; its parameters are drawn from the stream of this purpose.
    fn head(&self, layers: &[HeadLayer], inputs: usize, purpose: u64) -> Result<Option<Part>> {
        let stream = self.stream.with(purpose);
        Ok(Some(Part::Head(Head::new(layers, inputs, self.hidden(), stream, self.device)?)))
    }
}

/// A network other than the online encoder.
struct Slot {
    network: Network,
    part: Part,
}

/// The networks of a training run.
pub struct Networks {
    encoder: Box<dyn Encoder>,
    /// All other networks, in list order.
    others: Vec<Slot>,
    groups: Vec<ParameterGroup>,
}

impl Networks {
    /// The networks of a recipe as they are before the first step.
    pub(crate) fn new(
        recipe: &Recipe,
        encoder: Box<dyn Encoder>,
        stream: Stream,
        device: &Device,
    ) -> Result<Self> {
        let mut networks = Self { encoder, others: Vec::new(), groups: recipe.optimizer.groups.clone() };
        for network in recipe.networks() {
            let start = Start {
                recipe,
                encoder: networks.encoder.as_ref(),
                online_head: networks.head(NetworkKind::Head),
                stream,
                device,
            };
            if let Some(part) = (network.kind.spec().build)(&start)? {
                networks.others.push(Slot { network, part });
            }
        }
        Ok(networks)
    }

    /// An encoder with the prediction head of masked language modelling, without a recipe.
    pub(crate) fn of_masked_lm(encoder: Box<dyn Encoder>, head: MaskedLmHead) -> Self {
        let network = Network { kind: NetworkKind::MaskedLmHead, role: Role::Trained };
        let others = vec![Slot { network, part: Part::MaskedLmHead(head) }];
        Self { encoder, others, groups: Vec::new() }
    }

    /// The online encoder.
    pub fn encoder(&self) -> &dyn Encoder {
        self.encoder.as_ref()
    }

    /// The online encoder, mutably.
    pub fn encoder_mut(&mut self) -> &mut dyn Encoder {
        self.encoder.as_mut()
    }

    fn part(&self, kind: NetworkKind) -> Option<&Part> {
        self.others.iter().find(|slot| slot.network.kind == kind).map(|slot| &slot.part)
    }

    fn part_mut(&mut self, kind: NetworkKind) -> Option<&mut Part> {
        self.others.iter_mut().find(|slot| slot.network.kind == kind).map(|slot| &mut slot.part)
    }

    /// An encoder, if the recipe has it.
    pub fn encoder_of(&self, kind: NetworkKind) -> Option<&dyn Encoder> {
        match self.part(kind) {
            Some(Part::Encoder(encoder)) => Some(encoder.as_ref()),
            _ if kind == NetworkKind::Encoder => Some(self.encoder.as_ref()),
            _ => None,
        }
    }

    /// The online encoder and another network's encoder, both mutably.
    pub(crate) fn online_and(&mut self, kind: NetworkKind) -> (&mut dyn Encoder, Option<&mut dyn Encoder>) {
        let other = self.others.iter_mut().find(|slot| slot.network.kind == kind);
        match other.map(|slot| &mut slot.part) {
            Some(Part::Encoder(other)) => (self.encoder.as_mut(), Some(other.as_mut())),
            _ => (self.encoder.as_mut(), None),
        }
    }

    /// A head, if the recipe has it.
    pub fn head(&self, kind: NetworkKind) -> Option<&Head> {
        match self.part(kind) {
            Some(Part::Head(head)) => Some(head),
            _ => None,
        }
    }

    /// The convolution over token states, if the recipe has one.
    pub fn convolution(&self) -> Option<&TokenConvolution> {
        match self.part(NetworkKind::Convolution) {
            Some(Part::Convolution(convolution)) => Some(convolution),
            _ => None,
        }
    }

    /// [`Self::convolution`], mutably.
    pub fn convolution_mut(&mut self) -> Option<&mut TokenConvolution> {
        match self.part_mut(NetworkKind::Convolution) {
            Some(Part::Convolution(convolution)) => Some(convolution),
            _ => None,
        }
    }

    /// A prediction head of masked language modelling, if the recipe has it.
    pub fn masked_lm_head(&self, kind: NetworkKind) -> Option<&MaskedLmHead> {
        match self.part(kind) {
            Some(Part::MaskedLmHead(head)) => Some(head),
            _ => None,
        }
    }

    /// [`Self::masked_lm_head`], mutably.
    pub fn masked_lm_head_mut(&mut self, kind: NetworkKind) -> Option<&mut MaskedLmHead> {
        match self.part_mut(kind) {
            Some(Part::MaskedLmHead(head)) => Some(head),
            _ => None,
        }
    }

    /// Sets a prediction head from outside, if the recipe has this network.
    pub(crate) fn set_masked_lm_head(&mut self, recipe: &Recipe, kind: NetworkKind, head: MaskedLmHead) {
        if let Some(own) = self.masked_lm_head_mut(kind) {
            *own = head;
        } else if let Some(network) = recipe.networks().into_iter().find(|network| network.kind == kind) {
            self.others.push(Slot { network, part: Part::MaskedLmHead(head) });
        }
    }

    /// Every network with its role, the online encoder first.
    fn all(&self) -> impl Iterator<Item = (Network, &dyn Trainable)> {
        let online: &dyn Trainable = self.encoder.as_ref();
        let others = self.others.iter().map(|slot| (slot.network, slot.part.trainable()));
        std::iter::once((ONLINE, online)).chain(others)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = (Network, &mut dyn Trainable)> {
        let online: &mut dyn Trainable = self.encoder.as_mut();
        let others = self.others.iter_mut().map(|slot| (slot.network, slot.part.trainable_mut()));
        std::iter::once((ONLINE, online)).chain(others)
    }

    /// The networks that learn.
    pub fn trained(&self) -> impl Iterator<Item = (NetworkKind, &dyn Trainable)> {
        self.all()
            .filter(|(network, _)| network.role == Role::Trained)
            .map(|(network, part)| (network.kind, part))
    }

    fn trained_mut(&mut self) -> impl Iterator<Item = (NetworkKind, &mut dyn Trainable)> {
        self.all_mut()
            .filter(|(network, _)| network.role == Role::Trained)
            .map(|(network, part)| (network.kind, part))
    }

    /// Collects the gradients of networks in the objectives' own graph.
    pub(crate) fn collect_from_objectives(&mut self, gradients: &GradStore) -> Result<()> {
        for (kind, network) in self.trained_mut() {
            if kind.spec().gradients == Gradients::Objectives {
                network.collect_gradients(gradients)?;
            }
        }
        Ok(())
    }

    /// Collects the gradients of a masked-LM loss: for the encoder, for its word table as the output layer, and for the
    /// prediction head.
    pub(crate) fn collect_masked_lm(&mut self, loss: &MaskedLm, gradients: &GradStore) -> Result<()> {
        self.encoder.collect_gradients(gradients)?;
        add_table_gradient(self.encoder.as_mut(), loss, gradients)?;
        if let Some(head) = self.masked_lm_head_mut(NetworkKind::MaskedLmHead) {
            head.collect_gradients(gradients)?;
        }
        Ok(())
    }

    /// Clears every collected gradient.
    pub(crate) fn clear_gradients(&mut self) {
        self.trained_mut().for_each(|(_, network)| network.clear_gradients());
        self.clear_passed_through();
    }

    /// Clears the gradients that the layers of the momentum encoder collected: gradients only pass through them.
    pub(crate) fn clear_passed_through(&mut self) {
        if let (_, Some(momentum)) = self.online_and(NetworkKind::Momentum) {
            momentum.clear_gradients();
        }
    }

    /// Moves one network towards another, if the recipe has both: `own = decay * own + (1 - decay) * leader`.
    pub(crate) fn follow(&mut self, kind: NetworkKind, leader: NetworkKind, decay: f64) -> Result<()> {
        let (mut own, mut other) = (None, None);
        for (network, part) in self.all_mut() {
            if network.kind == kind {
                own = Some(part);
            } else if network.kind == leader {
                other = Some(part);
            }
        }
        if let (Some(own), Some(other)) = (own, other) {
            own.follow(other, decay)?;
        }
        Ok(())
    }

    /// Drops the gradients of frozen parameters.
    pub(crate) fn drop_frozen(&mut self) -> Result<()> {
        let frozen: Vec<String> =
            self.groups.iter().filter(|g| g.frozen).map(|g| g.matches.clone()).collect();
        if frozen.is_empty() {
            return Ok(());
        }
        for (kind, network) in self.trained_mut() {
            for (number, info) in network.parameters().into_iter().enumerate() {
                let name = format!("{}.{}", kind.name(), info.name);
                if frozen.iter().any(|part| is_within(&name, part)) {
                    network.drop_gradient(number)?;
                }
            }
        }
        Ok(())
    }

    /// Rejects a parameter group that matches no trained parameter.
    ///
    /// # Errors
    /// The group's name, and the trained networks.
    pub(crate) fn check_groups(&self) -> std::result::Result<(), String> {
        let has = |group: &ParameterGroup| {
            self.trained().any(|(kind, network)| {
                let names = network.parameters().into_iter();
                names
                    .map(|info| format!("{}.{}", kind.name(), info.name))
                    .any(|name| is_within(&name, &group.matches))
            })
        };
        match self.groups.iter().find(|group| !has(group)) {
            None => Ok(()),
            Some(group) => Err(format!(
                "optimizer.groups: no trained parameter begins with `{}`; the trained networks are {}",
                group.matches,
                self.trained().map(|(kind, _)| kind.name()).collect::<Vec<_>>().join(", ")
            )),
        }
    }

    /// The norm of all gradients together.
    pub(crate) fn gradient_norm(&self) -> Result<f64> {
        let mut square = 0.0;
        for (_, network) in self.trained() {
            square += network.gradient_square_norm()?;
        }
        Ok(square.sqrt())
    }

    /// One optimizer step of every network that learns.
    pub(crate) fn step(&mut self, rule: &AdamStep) -> Result<()> {
        let factors: Vec<(String, f64)> =
            self.groups.iter().map(|g| (g.matches.clone(), g.lr_factor)).collect();
        for (kind, network) in self.trained_mut() {
            let own = factors.iter().filter(|(matches, _)| matches == kind.name());
            let factor: f64 = own.map(|(_, f)| f).product();
            network.step(&AdamStep { learning_rate: rule.learning_rate * factor, ..*rule })?;
        }
        Ok(())
    }

    /// Adds everything that training changes to the checkpoint.
    pub(crate) fn save(&self, file: &mut CheckpointWriter) -> Result<()> {
        for (network, part) in self.all() {
            match network.role {
                Role::Trained => file.part(network.kind.name(), part)?,
                Role::Follows => file.values(network.kind.name(), part)?,
                Role::Frozen => {}
            }
        }
        Ok(())
    }

    /// Restores the networks that [`Self::save`] added; `moved`: after at least one step.
    pub(crate) fn restore(&mut self, file: &Checkpoint, moved: bool) -> Result<()> {
        for (network, part) in self.all_mut() {
            match network.role {
                Role::Trained => file.restore(network.kind.name(), part, moved)?,
                Role::Follows => file.restore(network.kind.name(), part, false)?,
                Role::Frozen => {}
            }
        }
        Ok(())
    }
}

const ONLINE: Network = Network { kind: NetworkKind::Encoder, role: Role::Trained };

/// Whether `part` is a parameter's name, or a prefix of it that ends at a dot.
fn is_within(name: &str, part: &str) -> bool {
    name.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
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
