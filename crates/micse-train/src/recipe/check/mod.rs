//! Invalid combinations fail before anything runs, with an explanation.

mod effect;
mod inputs;
mod numbers;
mod views;

use micse_model::{BertConfig, HeadLayer};

use super::{Head, HeadRows, Objective, ParameterGroup, Recipe, SecondKind, Tower};
use crate::Error;
use crate::networks::{NetworkKind, trainable_names};
use crate::term::{Needs, Term};
use numbers::check_finite;
pub(crate) use numbers::{check_positive, check_rate};

impl Recipe {
    /// Rejects an invalid recipe.
    ///
    /// # Errors
    /// A message that names the keys and the fix.
    pub(super) fn check(&self) -> Result<(), String> {
        // First, because comparisons with NaN let it pass.
        check_finite("", &toml::Value::try_from(self).map_err(|error| error.to_string())?)?;
        self.check_numbers()?;
        // The name is used as a folder name.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_+@.".contains(c);
        if self.name.is_empty() || self.name.starts_with('.') || !self.name.chars().all(plain) {
            return Err(format!("name is {:?}; use letters, digits and - _ + @ .", self.name));
        }
        if self.steps == 0 && !self.objectives.is_empty() {
            return Err(
                "steps is 0, but the recipe has objectives: set steps, or remove the objectives".into()
            );
        }
        self.check_effects()?;
        if self.steps == 0 {
            return Ok(());
        }
        if self.objectives.is_empty() {
            return Err("no objectives: a recipe that trains needs at least one [[objectives]]".into());
        }
        for objective in &self.objectives {
            self.check_objective(objective.term())?;
        }
        self.check_second()?;
        self.check_momentum()?;
        self.check_heads()?;
        self.check_views()?;
        self.check_groups()
    }

    /// Checks a term's needs, then its own rules.
    fn check_objective(&self, term: &dyn Term) -> Result<(), String> {
        let (name, needs) = (term.name(), term.needs());
        let passes = self.passes();
        if passes < needs.passes {
            let times = match needs.passes {
                1 => "once".to_owned(),
                2 => "twice".to_owned(),
                more => format!("{more} times"),
            };
            return Err(format!(
                "{passes} view(s), but {name} reads {}: write [[views]] {times}",
                needs.passes
            ));
        }
        match (needs.second, self.second.map(|s| s.kind)) {
            (Some(SecondKind::Trained), Some(SecondKind::Trained))
            | (Some(SecondKind::Frozen), Some(SecondKind::Frozen))
            | (None, _) => {}
            (Some(SecondKind::Trained), _) => {
                return Err(format!(
                    "{name} needs a trained second network: add [second] with kind = \"trained\""
                ));
            }
            (Some(SecondKind::Frozen), _) => {
                return Err(format!("{name} needs a frozen guide: add [second] with kind = \"frozen\""));
            }
        }
        let pairs = self.views.iter().any(|v| v.pairs.is_some());
        if needs.pairs && !pairs {
            return Err(format!("{name} distinguishes pairs: set a view's pairs = {{ negatives = 7 }}"));
        }
        if needs.convolution && self.convolution.is_none() {
            return Err(format!(
                "{name} reads tokens after convolutions: add [convolution] with widths and channels"
            ));
        }
        if needs.head && self.head.layers().is_empty() {
            return Err(format!("{name} needs a head: set the layers of head"));
        }
        if needs.same_sentences && pairs {
            return Err(format!(
                "{name} needs views of the same sentences, but pairs makes most of them different; use \
                 contrastive-tension"
            ));
        }
        if needs.queue && self.momentum.is_none() {
            return Err(format!(
                "{name} needs negatives from the queue, but no [momentum] fills it: add [momentum]"
            ));
        }
        term.check(self).map_err(|e| e.to_string())
    }

    /// Rejects a recipe that lacks what a term needs.
    pub(crate) fn check_term(&self, term: &dyn Term) -> Result<(), Error> {
        let invalid = |reason: String| Error::Recipe { name: self.name.clone(), reason };
        self.check_objective(term).map_err(invalid)
    }

    /// Whether the recipe needs its head: a term is defined on it, or other values refer to it.
    pub fn needs_head(&self) -> bool {
        let headed = [NetworkKind::Head, NetworkKind::MomentumHead].map(NetworkKind::name);
        let network = |group: &ParameterGroup| group.matches.split('.').next().unwrap_or_default().to_owned();
        let mut groups = self.optimizer.iter().flat_map(|o| &o.groups);
        let without = Self { head: Head::default(), ..self.clone() };
        !self.head.layers().is_empty()
            && (without.check().is_err() || groups.any(|group| headed.contains(&network(group).as_str())))
    }

    /// The part of the recipe that is undefined on a batch of one sentence, if it has one: an objective, or batch
    /// normalisation, unless it has the rows of several views.
    pub(crate) fn needs_two_sentences(&self) -> Option<&'static str> {
        let normed = |layers: &[HeadLayer]| layers.iter().any(|l| matches!(l, HeadLayer::BatchNorm { .. }));
        let several = self.head_rows == HeadRows::AllViews && self.passes() > 1;
        if (!several && normed(&self.head.layers())) || normed(&self.predictor) {
            return Some("batch normalisation");
        }
        self.objectives.iter().find(|o| o.needs().two_sentences).map(Objective::name)
    }

    /// Rejects an encoder that the recipe does not fit. (A fit without training truncates its sentences to the encoder's
    /// positions, as encoding does.)
    pub(crate) fn check_encoder(&self, config: &BertConfig) -> Result<(), Error> {
        let invalid = |reason: String| Error::Recipe { name: self.name.clone(), reason };
        let positions = config.max_position_embeddings;
        if let Some(length) = self.max_length.filter(|length| self.steps > 0 && *length > positions) {
            return Err(invalid(format!(
                "max_length is {length}, more than the encoder's {positions} positions; use --set max_length={positions}"
            )));
        }
        for objective in &self.objectives {
            objective.term().check_encoder(config).map_err(|e| invalid(e.to_string()))?;
        }
        Ok(())
    }

    /// Whether the recipe has exactly two passes, by these networks.
    pub(crate) fn has_towers(&self, towers: [Tower; 2]) -> bool {
        self.views.len() == 2 && self.views.iter().map(|v| v.tower).eq(towers) && self.passes() == 2
    }

    /// Whether an objective needs this. What a custom term needs is known to the calling program only: it may.
    fn may_need(&self, this: impl Fn(Needs) -> bool) -> bool {
        self.objectives.iter().any(|o| matches!(o, Objective::Custom(_)) || this(o.needs()))
    }

    fn check_second(&self) -> Result<(), String> {
        let used = self.views.iter().any(|v| matches!(v.tower, Tower::Second | Tower::Both));
        match (self.second, used) {
            (None, true) => {
                Err("a view uses tower = \"second\" or \"both\", but the recipe has no [second]".into())
            }
            (Some(second), false)
                if second.kind == SecondKind::Trained
                    || !self.may_need(|needs| needs.second == Some(second.kind)) =>
            {
                Err("no view uses [second]: set tower = \"second\" in a view".into())
            }
            _ => Ok(()),
        }
    }

    fn check_momentum(&self) -> Result<(), String> {
        let wants_queue = self.may_need(|needs| needs.queue);
        let viewed = self.views.iter().any(|v| v.tower == Tower::Momentum);
        match &self.momentum {
            None if viewed => {
                return Err("a view uses tower = \"momentum\", but the recipe has no [momentum]".into());
            }
            Some(momentum) if momentum.queue > 0 && !wants_queue => {
                return Err(
                    "[momentum] fills a queue that no objective uses: add \"queue\" to infonce's negatives"
                        .into(),
                );
            }
            Some(momentum) if momentum.queue == 0 && wants_queue => {
                return Err("infonce takes negatives from the queue, but momentum.queue is 0; set \
                            momentum.queue"
                    .into());
            }
            Some(momentum) if momentum.queue == 0 && !viewed => {
                return Err(
                    "momentum.queue is 0 and no view uses [momentum]: set momentum.queue, or tower = \"momentum\" in \
                     a view"
                        .into(),
                );
            }
            _ => {}
        }
        let open = self.momentum.is_some_and(|m| !m.stop_gradient);
        if open && !self.views.iter().any(|v| v.online_embeddings) {
            return Err("momentum.stop_gradient = false lets the gradient of a momentum view reach the online encoder's \
                        embeddings, but no such view starts there: set online_embeddings = true in the view"
                .into());
        }
        if self.views.iter().any(|v| v.online_embeddings && v.tower != Tower::Momentum) {
            return Err("online_embeddings applies to views with tower = \"momentum\" only".into());
        }
        Ok(())
    }

    fn check_heads(&self) -> Result<(), String> {
        // An objective that reads rows instead of the convolution's tokens.
        let other = |o: &&Objective| o.needs().passes > 0 && !o.needs().convolution;
        if self.convolution.is_some() {
            if let Some(objective) = self.objectives.iter().find(other) {
                return Err(format!(
                    "{} does not read the output of convolutions; use [convolution] with jensen-shannon",
                    objective.name()
                ));
            }
            if self.passes() != 1 || !self.head.layers().is_empty() {
                return Err("[convolution] needs one view, and no head after it".into());
            }
        }
        if self.head_rows == HeadRows::AllViews && self.views.iter().any(|v| v.tower != Tower::Online) {
            return Err(
                "head_rows = \"all-views\" joins the views of the online encoder: remove tower from all views"
                    .into(),
            );
        }
        Ok(())
    }

    fn check_groups(&self) -> Result<(), String> {
        for group in self.optimizer.iter().flat_map(|o| &o.groups) {
            let network = group.matches.split('.').next().unwrap_or_default();
            let networks: Vec<&str> = trainable_names().collect();
            if !networks.contains(&network) {
                return Err(format!(
                    "optimizer.groups: `{}` does not begin with a network; the networks are {}",
                    group.matches,
                    networks.join(", ")
                ));
            }
            if group.lr_factor != 1.0 && !networks.contains(&group.matches.as_str()) {
                return Err(format!(
                    "optimizer.groups: lr_factor is for whole networks, but `{}` is part of one",
                    group.matches
                ));
            }
            if group.lr_factor < 0.0 {
                return Err(format!(
                    "optimizer.groups: lr_factor is {}; it cannot be negative",
                    group.lr_factor
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::Recipe;

    /// (recipe, settings, a part of the error).
    const IMPOSSIBLE: &[(&str, &[&str], &str)] = &[
        ("simcse", &["objectives=[]"], "no objectives"),
        ("simcse", &["views=[{ dropout = 0.1 }]"], "1 view(s), but infonce reads 2"),
        ("simcse", &["views=[{ dropout = 0.0 }, { dropout = 0.0 }]"], "would be equal"),
        ("simcse", &["views=[{ dropout = 0.1 }, { dropout = 0.1, tower = \"second\" }]"], "has no [second]"),
        (
            "simcse",
            &["views=[{ dropout = 0.1 }, { dropout = 0.1, tower = \"momentum\" }]"],
            "has no [momentum]",
        ),
        (
            "simcse",
            &["views=[{ dropout = 0.1 }, { dropout = 0.1, pairs = { negatives = 7 } }]"],
            "contrastive-tension",
        ),
        ("simcse", &["views=[{ dropout = 0.1, pairs = { negatives = 7 } }, { dropout = 0.1 }]"], "pairs"),
        ("simcse", &["predictor=[\"linear\"]"], "predictor"),
        ("simcse", &["steps=0"], "steps is 0"),
        ("simcse", &["optimizer.weight_decay=inf"], "optimizer.weight_decay is inf; it must be finite"),
        ("simcse", &["optimizer.clip=nan"], "optimizer.clip is NaN"),
        ("ct", &["optimizer.milestones=[[5, inf]]"], "optimizer.milestones.0.1 is inf"),
        ("simcse", &["head=[\"linera\"]"], "head"),
        ("simcse", &["second={ kind = \"trained\" }"], "no view uses [second]"),
        ("simcse", &["pooling.train=mean-with-pads"], "padding"),
        ("simcse", &["optimizer.schedule=milestones"], "optimizer.milestones"),
        ("micse", &["objectives.infonce.negatives=[\"in-batch\"]"], "fills a queue that no objective uses"),
        ("ct", &["head=tanh-mlp"], "head = \"none\""),
        ("ct", &["second.kind=frozen"], "kind = \"trained\""),
        ("ct", &["views=[{ dropout = 0.0 }, { dropout = 0.0, tower = \"second\" }]"], "pairs"),
        ("sg-opt", &["second.kind=trained"], "kind = \"frozen\""),
        ("is-bert", &["convolution={ widths = [2], channels = 4 }"], "odd"),
        ("is-bert", &["head=tanh-mlp"], "no head after it"),
        ("simcse", &["pooling=", "convolution={ widths = [1], channels = 4 }"], "jensen-shannon"),
        ("mocose", &["head_rows=all-views"], "all-views"),
        ("micse", &["momentum.stop_gradient=false"], "online_embeddings = true"),
        (
            "simcse",
            &["views=[{ dropout = 0.1 }, { dropout = 0.1, perturbation_by = \"batch-before\" }]"],
            "views.perturbation",
        ),
        (
            "simcse",
            &[
                "views=[{ dropout = 0.0, perturbation = 0.1, perturbation_by = \"batch-before\" }, { dropout = 0.0, \
                 perturbation = 0.1, perturbation_by = \"batch-before\" }]",
            ],
            "would be equal",
        ),
        (
            "simcse",
            &[
                "views=[{ dropout = 0.1, perturbation = 0.1, perturbation_by = \"batch-before\" }, { dropout = 0.1, \
                 perturbation = 0.1 }]",
            ],
            "in all views",
        ),
        (
            "simcse",
            &[
                "views=[{ dropout = 0.1, perturbation = 0.1, perturbation_by = \"batch-before\" }, { dropout = 0.1, \
                 cut_off = { features = 0.2 } }]",
            ],
            "cut_off",
        ),
        ("scd@released-code", &["select=sick-dev"], "sickr-dev"),
        ("scd", &["head=none"], "head"),
        (
            "vascl",
            &["optimizer.groups=[{ matches = \"haed\", lr_factor = 2.0 }]"],
            "does not begin with a network",
        ),
        (
            "sg-opt",
            &["optimizer.groups=[{ matches = \"encoder.embeddings\", lr_factor = 2.0 }]"],
            "lr_factor is for whole networks",
        ),
        (
            "ami-simcse",
            &["views=[{ dropout = 0.1 }, { dropout = 0.1, tokens = { kind = \"shuffle\" } }]"],
            "shuffle",
        ),
        (
            "ami-simcse",
            &["views=[{ dropout = 0.1, tokens = { kind = \"delete\", rate = 0.2 } }, { dropout = 0.1 }]"],
            "tokens = delete",
        ),
        (
            "ami-ct",
            &[
                "views=[{ dropout = 0.1 }, { dropout = 0.1, tower = \"second\", pairs = { negatives = 7 }, text = { kind = \
                 \"crop\", shortest = 0.3, longest = 0.7 } }]",
            ],
            "text = crop",
        ),
        ("simcse", &["optimizer.clip=-1.0"], "optimizer.clip is -1; it cannot be negative"),
        ("ct", &["optimizer.milestones=[[501, -0.5]]"], "the share from step 501 on is -0.5"),
        ("ct", &["optimizer.milestones=[[501, nan]]"], "optimizer.milestones.0.1 is NaN; it must be finite"),
        (
            "scd",
            &["objectives.decorrelation.off_diagonal=-1.0"],
            "objectives.decorrelation.off_diagonal is -1",
        ),
        ("vascl", &["objectives.virtual.radius=0.0"], "objectives.virtual.radius is 0; it must be above 0"),
        ("vascl", &["objectives.virtual.neighbours=0"], "objectives.virtual.neighbours is 0"),
    ];

    #[test]
    fn invalid_combinations_fail_with_an_explanation() {
        for (name, settings, reason) in IMPOSSIBLE {
            let settings: Vec<String> = settings.iter().map(|&s| s.to_owned()).collect();
            let error = Recipe::load(name, &settings).expect_err(&format!("{name} {settings:?}")).to_string();
            assert!(error.contains(reason), "{name} {settings:?}: {error}");
        }
    }

    /// Every number of every built-in recipe, replaced by NaN and by infinity.
    #[test]
    fn numbers_must_be_finite() {
        let mut tried = 0;
        for name in crate::recipe::names() {
            let recipe = Recipe::load(name, &[]).unwrap();
            for key in floats("", &toml::Value::try_from(&recipe).unwrap()) {
                for value in ["nan", "inf", "-inf"] {
                    let settings = [format!("{key}={value}")];
                    let error = Recipe::load(name, &settings).expect_err(&settings[0]).to_string();
                    assert!(error.contains("must be finite"), "{name} {settings:?}: {error}");
                    tried += 1;
                }
            }
        }
        assert!(tried > 500, "{tried}");
    }

    /// The paths of the floats in a value that `--set` reaches: not those in lists of numbers.
    fn floats(key: &str, value: &toml::Value) -> Vec<String> {
        let inner = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
        match value {
            toml::Value::Float(_) => vec![key.to_owned()],
            toml::Value::Table(table) => {
                table.iter().flat_map(|(name, value)| floats(&inner(name), value)).collect()
            }
            toml::Value::Array(entries) => (0..)
                .zip(entries)
                .filter(|(_, entry)| entry.is_table())
                .flat_map(|(index, entry): (usize, _)| floats(&inner(&index.to_string()), entry))
                .collect(),
            _ => Vec::new(),
        }
    }
}
