//! The networks of a recipe, and what is done with all of them alike: collecting gradients, steps, checkpoints.

use candle_core::Device;
use candle_core::backprop::GradStore;
use micse_model::{AdamStep, Encoder, Head, HeadLayer, TokenConvolution, Tokenizer, Trainable};
use micse_random::Stream;

use super::masked::MaskedTerm;
use super::momentum::MomentumTower;
use super::replaced::ReplacedDetector;
use crate::Result;
use crate::checkpoint::{Checkpoint, CheckpointWriter};
use crate::recipe::{Objective, ParameterGroup, Recipe, SecondKind};

/// All networks of a recipe.
pub(super) struct Networks {
    pub(super) encoder: Box<dyn Encoder>,
    pub(super) head: Option<Head>,
    pub(super) predictor: Option<Head>,
    pub(super) convolution: Option<TokenConvolution>,
    pub(super) second: Option<Second>,
    pub(super) momentum: Option<MomentumTower>,
    pub(super) masked_lm: Option<MaskedTerm>,
    pub(super) replaced: Option<ReplacedDetector>,
    groups: Vec<ParameterGroup>,
}

/// A second encoder.
pub(super) struct Second {
    pub(super) encoder: Box<dyn Encoder>,
    pub(super) kind: SecondKind,
}

/// Streams of new parameters, one a network.
mod purpose {
    pub(super) const HEAD: u64 = 3;
    pub(super) const MASKED_LM_HEAD: u64 = 4;
    pub(super) const PREDICTOR: u64 = 6;
    pub(super) const CONVOLUTION: u64 = 7;
    pub(super) const QUEUE: u64 = 8;
    pub(super) const DISCRIMINATOR: u64 = 9;
}

impl Networks {
    pub(super) fn new(
        recipe: &Recipe,
        encoder: Box<dyn Encoder>,
        tokenizer: &Tokenizer,
        stream: Stream,
        device: &Device,
    ) -> Result<Self> {
        let hidden = encoder.config().hidden_size;
        let layers = recipe.head.layers();
        let new_head = |layers: &[HeadLayer], inputs: usize, purpose: u64| -> Result<Option<Head>> {
            if layers.is_empty() {
                return Ok(None);
            }
            Ok(Some(Head::new(layers, inputs, hidden, stream.with(purpose), device)?))
        };
        let head = new_head(&layers, hidden, purpose::HEAD)?;
        let columns = head.as_ref().map_or(hidden, Head::columns);
        let predictor = new_head(&recipe.predictor, columns, purpose::PREDICTOR)?;
        let convolution = match &recipe.convolution {
            Some(shape) => {
                let stream = stream.with(purpose::CONVOLUTION);
                Some(TokenConvolution::new(shape, encoder.config(), stream, device)?)
            }
            None => None,
        };
        let second = match recipe.second {
            Some(second) => Some(Second { encoder: encoder.duplicate()?, kind: second.kind }),
            None => None,
        };
        let momentum = match recipe.momentum {
            Some(rule) => {
                let stream = stream.with(purpose::QUEUE);
                Some(MomentumTower::new(rule, encoder.as_ref(), head.as_ref(), stream, device)?)
            }
            None => None,
        };
        let masked_lm = match recipe.masked_lm() {
            Some(term) => {
                let stream = stream.with(purpose::MASKED_LM_HEAD);
                Some(MaskedTerm::new(term, encoder.as_ref(), tokenizer, stream, device)?)
            }
            None => None,
        };
        let replaced = recipe.objectives.iter().find_map(|o| match o {
            Objective::ReplacedTokens(term) => Some(term),
            _ => None,
        });
        let replaced = match replaced {
            Some(term) => {
                let stream = stream.with(purpose::DISCRIMINATOR);
                Some(ReplacedDetector::new(term, encoder.as_ref(), columns, tokenizer, stream, device)?)
            }
            None => None,
        };
        let groups = recipe.optimizer.groups.clone();
        Ok(Self { encoder, head, predictor, convolution, second, momentum, masked_lm, replaced, groups })
    }

    /// The networks that learn, by name.
    pub(super) fn trained(&self) -> Vec<(&'static str, &dyn Trainable)> {
        let mut all: Vec<(&'static str, &dyn Trainable)> = vec![("encoder", self.encoder.as_ref())];
        if let Some(head) = &self.head {
            all.push(("head", head));
        }
        if let Some(predictor) = &self.predictor {
            all.push(("predictor", predictor));
        }
        if let Some(convolution) = &self.convolution {
            all.push(("convolution", convolution));
        }
        if let Some(second) = self.second.as_ref().filter(|s| s.kind == SecondKind::Trained) {
            all.push(("second", second.encoder.as_ref()));
        }
        if let Some(term) = &self.masked_lm {
            all.push(("masked-lm-head", &term.head));
        }
        if let Some(detector) = &self.replaced {
            all.push(("discriminator", detector.encoder.as_ref()));
            all.push(("discriminator-head", &detector.head));
        }
        if let Some(head) = self.momentum.as_ref().filter(|t| t.head_learns()).and_then(|t| t.head.as_ref()) {
            all.push(("momentum-head", head));
        }
        all
    }

    /// [`Self::trained`], to be changed.
    pub(super) fn trained_mut(&mut self) -> Vec<(&'static str, &mut dyn Trainable)> {
        let mut all: Vec<(&'static str, &mut dyn Trainable)> = vec![("encoder", self.encoder.as_mut())];
        if let Some(head) = &mut self.head {
            all.push(("head", head));
        }
        if let Some(predictor) = &mut self.predictor {
            all.push(("predictor", predictor));
        }
        if let Some(convolution) = &mut self.convolution {
            all.push(("convolution", convolution));
        }
        if let Some(second) = self.second.as_mut().filter(|s| s.kind == SecondKind::Trained) {
            all.push(("second", second.encoder.as_mut()));
        }
        if let Some(term) = &mut self.masked_lm {
            all.push(("masked-lm-head", &mut term.head));
        }
        if let Some(detector) = &mut self.replaced {
            all.push(("discriminator", detector.encoder.as_mut()));
            all.push(("discriminator-head", &mut detector.head));
        }
        if let Some(head) = self.momentum.as_mut().filter(|t| t.head_learns()).and_then(|t| t.head.as_mut()) {
            all.push(("momentum-head", head));
        }
        all
    }

    /// The gradients of the networks that stand in the objectives' own graph.
    pub(super) fn collect_from_objectives(&mut self, gradients: &GradStore) -> Result<()> {
        for (name, network) in self.trained_mut() {
            // Encoders behind leaves have passes of their own; the masked-LM head has its own loss.
            if !matches!(name, "encoder" | "second" | "masked-lm-head") {
                network.collect_gradients(gradients)?;
            }
        }
        Ok(())
    }

    pub(super) fn clear_gradients(&mut self) {
        self.trained_mut().into_iter().for_each(|(_, network)| network.clear_gradients());
    }

    /// Forgets the gradients of frozen parameters.
    pub(super) fn drop_frozen(&mut self) -> Result<()> {
        let frozen: Vec<String> =
            self.groups.iter().filter(|g| g.frozen).map(|g| g.matches.clone()).collect();
        if frozen.is_empty() {
            return Ok(());
        }
        for (network, part) in self.trained_mut() {
            for (number, info) in part.parameters().into_iter().enumerate() {
                let name = format!("{network}.{}", info.name);
                if frozen.iter().any(|part| is_within(&name, part)) {
                    part.drop_gradient(number)?;
                }
            }
        }
        Ok(())
    }

    /// Refuses a parameter group that nothing here belongs to.
    ///
    /// # Errors
    /// Its name, and the networks that learn.
    pub(super) fn check_groups(&self) -> std::result::Result<(), String> {
        let trained = self.trained();
        let has = |group: &ParameterGroup| {
            trained.iter().any(|(network, part)| {
                let names = part.parameters().into_iter().map(|info| format!("{network}.{}", info.name));
                names.into_iter().any(|name| is_within(&name, &group.matches))
            })
        };
        match self.groups.iter().find(|group| !has(group)) {
            None => Ok(()),
            Some(group) => Err(format!(
                "optimizer.groups: no parameter that learns begins with `{}`; what learns here is {}",
                group.matches,
                trained.iter().map(|(network, _)| *network).collect::<Vec<_>>().join(", ")
            )),
        }
    }

    /// The norm of all gradients together.
    pub(super) fn gradient_norm(&self) -> Result<f64> {
        let mut square = 0.0;
        for (_, network) in self.trained() {
            square += network.gradient_square_norm()?;
        }
        Ok(square.sqrt())
    }

    /// One optimizer step of everything that learns.
    pub(super) fn step(&mut self, rule: &AdamStep) -> Result<()> {
        let factors: Vec<(String, f64)> =
            self.groups.iter().map(|g| (g.matches.clone(), g.lr_factor)).collect();
        for (name, network) in self.trained_mut() {
            let factor: f64 = factors.iter().filter(|(matches, _)| matches == name).map(|(_, f)| f).product();
            network.step(&AdamStep { learning_rate: rule.learning_rate * factor, ..*rule })?;
        }
        Ok(())
    }

    /// Adds everything that training changed to a checkpoint.
    pub(super) fn save(&self, file: &mut CheckpointWriter) -> Result<()> {
        for (name, network) in self.trained() {
            file.part(name, network)?;
        }
        if let Some(tower) = &self.momentum {
            file.values("momentum", tower.encoder.as_ref())?;
            if let Some(head) = tower.head.as_ref().filter(|_| !tower.head_learns()) {
                file.values("momentum-head", head)?;
            }
        }
        Ok(())
    }

    /// Puts back what [`Self::save`] added; `moved`: after at least one step.
    pub(super) fn restore(&mut self, file: &Checkpoint, moved: bool) -> Result<()> {
        for (name, network) in self.trained_mut() {
            file.restore(name, network, moved)?;
        }
        if let Some(tower) = &mut self.momentum {
            file.restore("momentum", tower.encoder.as_mut(), false)?;
            let follows_only = !tower.head_learns();
            if let Some(head) = tower.head.as_mut().filter(|_| follows_only) {
                file.restore("momentum-head", head, false)?;
            }
        }
        Ok(())
    }
}

/// Whether `part` is a parameter's name, or the beginning of it up to a dot.
fn is_within(name: &str, part: &str) -> bool {
    name.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
