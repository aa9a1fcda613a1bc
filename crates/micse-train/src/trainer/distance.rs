//! The distance of the encoder's parameters from the guide's: SG-OPT's term on parameters.

use super::Trainer;
use crate::Result;
use crate::recipe::Objective;

impl Trainer {
    /// The sum over all parameters of |theta - guide|^2.
    pub(super) fn parameter_distance(&self) -> Result<f64> {
        let Some(guide) = &self.networks.second else {
            return Err(self.failed("there is no guide".into()));
        };
        let mut sum = 0.0;
        for (own, guide) in self.networks.encoder.values()?.iter().zip(guide.encoder.values()?) {
            let square = (own - guide)?.sqr()?.sum_all()?;
            sum += f64::from(square.to_scalar::<f32>()?);
        }
        Ok(sum)
    }

    /// Adds 2 w (theta - guide) to the gradient of every parameter, for each such term of weight w.
    pub(super) fn parameter_distance_backward(&mut self) -> Result<()> {
        let weight: f64 = self
            .recipe
            .objectives
            .iter()
            .filter(|o| matches!(o, Objective::ParameterDistance(_)))
            .map(Objective::weight)
            .sum();
        let Some(guide) = self.networks.second.as_ref().filter(|_| weight != 0.0) else { return Ok(()) };
        let encoder = &mut self.networks.encoder;
        let values: Vec<_> = encoder.values()?.into_iter().zip(guide.encoder.values()?).collect();
        for (number, (own, guide)) in values.into_iter().enumerate() {
            let difference = (own - guide)?;
            // What has not moved (a frozen layer, key biases) gets no gradient at all.
            if difference.sqr()?.sum_all()?.to_scalar::<f32>()? > 0.0 {
                encoder.add_gradient(number, &(difference * (2.0 * weight))?)?;
            }
        }
        Ok(())
    }
}
