//! The distance of the encoder's parameters from the guide's: SG-OPT's term on parameters (Kim et al. 2021).

use serde::{Deserialize, Serialize};

use crate::networks::{NetworkKind, Networks};
use crate::recipe::SecondKind;
use crate::term::{Beside, Needs, Term, TermResult};
use crate::trainer::StepStart;

/// The sum over all parameters of |theta - guide|^2 (Kim et al. 2021, SG-OPT).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterDistance {
    /// The factor of the term.
    #[serde(default = "super::one")]
    pub weight: f64,
}

impl Term for ParameterDistance {
    fn name(&self) -> &'static str {
        "parameter-distance"
    }

    fn needs(&self) -> Needs {
        Needs { second: Some(SecondKind::Frozen), beside: true, ..Needs::views(1) }
    }

    fn beside(&self, start: &StepStart<'_>) -> TermResult<Option<Box<dyn Beside>>> {
        let networks = start.networks();
        let guide = networks.encoder_of(NetworkKind::Second).ok_or("the recipe has no guide")?;
        let mut sum = 0.0;
        for (own, guide) in networks.encoder().values()?.iter().zip(guide.values()?) {
            let square = (own - guide)?.sqr()?.sum_all()?;
            sum += f64::from(square.to_scalar::<f32>()?);
        }
        Ok(Some(Box::new(Distance(sum))))
    }
}

/// A step's distance.
struct Distance(f64);

impl Beside for Distance {
    fn value(&self) -> f64 {
        self.0
    }

    /// 2 w (theta - guide) for every parameter.
    fn backward(&self, weight: f64, networks: &mut Networks) -> TermResult<()> {
        let Some(guide) = networks.encoder_of(NetworkKind::Second).filter(|_| weight != 0.0) else {
            return Ok(());
        };
        let values: Vec<_> = networks.encoder().values()?.into_iter().zip(guide.values()?).collect();
        for (number, (own, guide)) in values.into_iter().enumerate() {
            let difference = (own - guide)?;
            // A parameter that has not moved (a frozen layer, key biases) gets no gradient at all.
            if difference.sqr()?.sum_all()?.to_scalar::<f32>()? > 0.0 {
                networks.encoder_mut().add_gradient(number, &(difference * (2.0 * weight))?)?;
            }
        }
        Ok(())
    }
}
