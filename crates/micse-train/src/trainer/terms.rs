//! The weighted sum of a recipe's terms.

use candle_core::Tensor;
use micse_losses::check_finite;

use super::chunks::View;
use super::prepared::Prepared;
use super::seen::StepView;
use super::{StepReport, Trainer};
use crate::objectives::Objective;
use crate::term::{Beside, Term, TermError};
use crate::{Error, Result};

/// A term outside the objectives' graph, at one step.
pub(super) struct BesideTerm {
    name: &'static str,
    weight: f64,
    term: Box<dyn Beside>,
}

impl Trainer {
    /// The terms of the recipe, in its order.
    pub(super) fn terms(&self) -> impl Iterator<Item = Result<(&Objective, &dyn Term)>> {
        let objectives = self.recipe.objectives.iter();
        objectives.map(|objective| Ok((objective, self.terms.of(&self.recipe, objective)?)))
    }

    /// The weighted sum of all terms in the objectives' graph; each term's value goes into the report.
    pub(super) fn objectives(
        &self,
        prepared: &Prepared,
        views: &[View],
        (rows, tokens): (&[Tensor], Option<&Tensor>),
        report: &mut StepReport,
    ) -> Result<Tensor> {
        let none = toml::Table::new();
        let mut total: Option<Tensor> = None;
        for (number, term) in self.terms().enumerate() {
            let (objective, term) = term?;
            if term.needs().beside {
                continue;
            }
            let values = match objective {
                Objective::Custom(custom) => &custom.values,
                _ => &none,
            };
            let start = prepared.start(self);
            let seen = StepView { start, prepared, views, rows, tokens, objective: number, values };
            let loss = term.loss(&seen).map_err(|e| match objective {
                Objective::Custom(_) => self.failed(format!("term {}: {e}", term.name())),
                _ => self.term_failed(e),
            })?;
            let value = check_finite(&loss, term.name()).map_err(|e| {
                self.failed(format!("{e}; lower optimizer.lr, or check the sentences of this step"))
            })?;
            report.terms.push((term.name(), value));
            let weighted = (loss * objective.weight())?;
            total = Some(match total {
                Some(total) => (total + weighted)?,
                None => weighted,
            });
        }
        let total = total.ok_or_else(|| self.failed("the recipe has no objective on embeddings".into()))?;
        report.loss += check_finite(&total, "total").map_err(|e| self.failed(e.to_string()))?;
        Ok(total)
    }

    /// The values of all terms outside the objectives' graph.
    pub(super) fn beside(&self, prepared: &Prepared) -> Result<Vec<BesideTerm>> {
        let mut all = Vec::new();
        for term in self.terms() {
            let (objective, term) = term?;
            if term.needs().beside
                && let Some(found) = term.beside(&prepared.start(self)).map_err(|e| self.term_failed(e))?
            {
                all.push(BesideTerm { name: term.name(), weight: objective.weight(), term: found });
            }
        }
        Ok(all)
    }

    /// Converts a term's error: to this crate's own error if it is one, else to its message.
    pub(super) fn term_failed(&self, error: TermError) -> Error {
        let error = match error.downcast::<Error>() {
            Ok(own) => return self.named(*own),
            Err(other) => other,
        };
        let error = match error.downcast::<micse_losses::Error>() {
            Ok(loss) => return self.named(Error::Loss(*loss)),
            Err(other) => other,
        };
        let error = match error.downcast::<micse_model::Error>() {
            Ok(model) => return Error::Model(*model),
            Err(other) => other,
        };
        match error.downcast::<candle_core::Error>() {
            Ok(tensor) => Error::Tensor(*tensor),
            Err(other) => self.failed(other.to_string()),
        }
    }

    /// Adds the step to an error about a value that is not finite.
    fn named(&self, error: Error) -> Error {
        match error {
            Error::Loss(e @ micse_losses::Error::NotFinite { .. }) => self.failed(e.to_string()),
            other => other,
        }
    }
}

impl BesideTerm {
    /// Adds the value to a step's report.
    pub(super) fn report(&self, report: &mut StepReport) {
        report.terms.push((self.name, self.term.value()));
        report.loss += self.weight * self.term.value();
    }

    /// Adds its gradients to the gradients that the networks have collected.
    pub(super) fn backward(&self, trainer: &mut Trainer) -> Result<()> {
        let done = self.term.backward(self.weight, &mut trainer.networks);
        done.map_err(|e| trainer.term_failed(e))
    }
}
