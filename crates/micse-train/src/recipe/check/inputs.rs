//! Whether a recipe can be run with an encoder and with evaluation sets.

use candle_core::Device;
use micse_data::Suite;
use micse_model::{MaskedLmHead, ModelFolder};

use crate::Error;
use crate::recipe::{Recipe, Select};

impl Recipe {
    /// Rejects an encoder or evaluation sets with which a run of the recipe would fail. The values that the recipe has for
    /// small training sets must be set already ([`Self::for_sentences`]).
    ///
    /// # Errors
    /// The encoder is in int8 and would be trained, the recipe does not fit it or needs a masked-LM head that the folder
    /// lacks, or it selects its weights on pairs that the suite does not have.
    pub fn check_inputs(&self, base: &ModelFolder, suite: &Suite) -> Result<(), Error> {
        let config = base.config()?;
        self.check_encoder(&config)?;
        if self.steps > 0 && base.checkpoint()?.is_int8() {
            return Err(Error::Recipe {
                name: self.name.clone(),
                reason: format!(
                    "{} is in int8 and cannot be trained, because its weights are integers; train the model that it was \
                     exported from, and export the result",
                    base.path().display()
                ),
            });
        }
        if self.replaced_tokens().is_some()
            && MaskedLmHead::in_folder(base.path(), &config, &Device::Cpu)?.is_none()
        {
            return Err(self.without_generator(base));
        }
        self.check_select(suite)
    }

    /// The error for a recipe with replaced-token detection and an encoder without a masked-LM head.
    pub(crate) fn without_generator(&self, base: &ModelFolder) -> Error {
        Error::Recipe {
            name: self.name.clone(),
            reason: format!(
                "replaced-tokens needs a masked-LM head, but {} has none (mlm_head.safetensors, or cls.predictions \
                 among its weights); use an encoder that was saved with one",
                base.path().display()
            ),
        }
    }

    fn check_select(&self, suite: &Suite) -> Result<(), Error> {
        if self.select == Select::Last || self.select.pairs(suite).is_some() {
            return Ok(());
        }
        let invalid = |reason: String| Err(Error::Recipe { name: self.name.clone(), reason });
        if suite.tasks.is_empty() && suite.dev.is_none() {
            return invalid(
                "it selects its weights on development pairs, but the run has no pairs; pass --pairs or --sts, or use \
                 --set select=last"
                    .into(),
            );
        }
        let (pairs, remedy) = match self.select {
            Select::SickrDev if suite.dev.is_some() => {
                ("SICK's trial pairs", "add SICK/SICK_trial.txt, or use --set select=stsb-dev")
            }
            Select::SickrDev => ("SICK's trial pairs", "add SICK/SICK_trial.txt, or use --set select=last"),
            _ => ("STS-B dev", "add STS-B, or use --set select=last"),
        };
        invalid(format!("it selects its weights on {pairs}, but `{}` has none; {remedy}", suite.name))
    }
}
