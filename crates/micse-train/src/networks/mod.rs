//! The networks of a training run. Everything that treats all networks alike follows from one list ([`list`]): names in
//! parameter groups, construction, gradient norm, optimizer steps, checkpoints and memory estimates.

mod build;
mod list;

use candle_core::Device;
use candle_core::backprop::GradStore;
use micse_losses::MaskedLm;
use micse_model::{AdamStep, Encoder, Head, MaskedLmHead, TokenConvolution, Trainable};
use micse_random::Stream;

use crate::Result;
use crate::checkpoint::{Checkpoint, CheckpointWriter};
use crate::masked_lm::add_table_gradient;
use crate::recipe::{ParameterGroup, Recipe};
use build::{Part, Start};
use list::Gradients;
pub(crate) use list::trainable_names;
pub use list::{Network, NetworkKind, Role};

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
        let groups = recipe.optimizer.as_ref().map(|o| o.groups.clone()).unwrap_or_default();
        let mut networks = Self { encoder, others: Vec::new(), groups };
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
