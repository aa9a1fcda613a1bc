//! What the measures say about the purposes of a model.
//!
//! The rule was fitted to models that `cargo xtask adaptation study` trained and scored on labelled sets: half-sentence
//! search went with what training did to search and similarity, search by noisy copies with all three purposes. Both see
//! little of a model whose geometry changes entirely, so the order of the cosines of random pairs must stay.
//! docs/adapt-to-your-domain.md has the correlations.

use serde::{Deserialize, Serialize};

use super::{Change, Difference};

/// The least order of cosines that must stay, as Spearman's correlation.
const LEAST_ORDER: f64 = 0.9;
/// The least gain in search by noisy copies that counts for grouping, as a share of what was missing to 1. The interval
/// must lie above it.
const LEAST_GAIN: f64 = 0.02;
/// Added to the least gain per unit by which uniformity decreased: embeddings that spread out are easier to retrieve, even
/// if classes are no better separated.
const GAIN_BY_SPREAD: f64 = 1.0 / 3.0;

/// What embeddings are used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The order of pairs by their similarity in meaning, as STS sets measure it.
    Similarity,
    /// Finding the text that belongs to another.
    Search,
    /// Sentences of a class near each other.
    Grouping,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Similarity, Self::Search, Self::Grouping];
}

impl std::str::FromStr for Purpose {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|purpose| purpose.to_string() == text);
        known.ok_or_else(|| format!("`{text}` is not a purpose; use similarity, search or grouping"))
    }
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Similarity => "similarity",
            Self::Search => "search",
            Self::Grouping => "grouping",
        })
    }
}

/// What a change means for a purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Better, beyond the interval; grouping also by enough to count.
    Better,
    /// Neither better nor worse, as far as the sentences can tell.
    Unclear,
    /// Worse, or changed beyond what the measures can judge.
    Worse,
}

impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Better => "better",
            Self::Unclear => "unclear",
            Self::Worse => "worse",
        })
    }
}

/// How much better a model is: the sum of what its searches gained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// The sum of the mean differences of reciprocal rank.
    pub gain: f64,
    /// Its standard error over sentences, as if the searches were independent.
    pub error: f64,
}

impl Worth {
    fn of(gains: &[Difference]) -> Self {
        let squares: f64 = gains.iter().map(|difference| difference.standard_error().powi(2)).sum();
        Self { gain: gains.iter().map(Difference::change).sum(), error: squares.sqrt() }
    }
}

impl Change {
    /// The searches one of which must be better for a purpose, and those none of which may be worse.
    fn evidence(&self, purpose: Purpose) -> [Vec<Difference>; 2] {
        let (noise, both) = ([self.noise, None], [self.noise, self.halves]);
        match purpose {
            Purpose::Similarity => [both, noise],
            Purpose::Search => [[self.halves, None], both],
            Purpose::Grouping => [noise, noise],
        }
        .map(|searches| searches.into_iter().flatten().collect())
    }

    /// Whether the order of cosines changed beyond what the measures can judge, or there is none.
    fn order_is_lost(&self) -> bool {
        self.kept_order < LEAST_ORDER || self.kept_order.is_nan()
    }

    /// The least gain in search by noisy copies that counts for grouping.
    fn least_gain(&self) -> f64 {
        let [before, after] = self.uniformity;
        LEAST_GAIN + GAIN_BY_SPREAD * (before - after).max(0.0)
    }

    /// What the change means for a purpose.
    pub fn effect(&self, purpose: Purpose) -> Effect {
        let [gains, losses] = self.evidence(purpose);
        let least = if purpose == Purpose::Grouping { self.least_gain() } else { 0.0 };
        if self.order_is_lost() || losses.iter().any(|difference| difference.high < 0.0) {
            Effect::Worse
        } else if gains.iter().any(|difference| difference.low > least * (1.0 - difference.before)) {
            Effect::Better
        } else {
            Effect::Unclear
        }
    }

    /// How much better the second model is, to compare candidates; `None` if it is not better. For one purpose: that one
    /// is better. Else: grouping, which is lost most easily, is better, and none is worse.
    pub fn worth(&self, purpose: Option<Purpose>) -> Option<Worth> {
        let better = |purpose| self.effect(purpose) == Effect::Better;
        let (better, [gains, _]) = match purpose {
            Some(purpose) => (better(purpose), self.evidence(purpose)),
            // Similarity's gains are both searches.
            None => (
                better(Purpose::Grouping) && self.effect(Purpose::Search) != Effect::Worse,
                self.evidence(Purpose::Similarity),
            ),
        };
        better.then(|| Worth::of(&gains))
    }

    /// The effects in words.
    pub fn summary(&self) -> String {
        if self.order_is_lost() {
            return format!(
                "worse, or too different to tell: the order of cosines changed too much for better searches to count ({:.3} \
                 stays, at least {LEAST_ORDER} must)",
                self.kept_order
            );
        }
        let words = Purpose::ALL.map(|purpose| format!("{purpose} {}", self.effect(purpose)));
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(noise: f64, halves: f64, kept_order: f64) -> Change {
        let difference = |change: f64| {
            Some(Difference { before: 0.5, after: 0.5 + change, low: change - 0.01, high: change + 0.01 })
        };
        Change {
            halves: difference(halves),
            noise: difference(noise),
            order: None,
            uniformity: [-2.0; 2],
            alignment: [0.1; 2],
            kept_neighbours: 0.9,
            kept_order,
            cosine_change: 0.1,
        }
    }

    #[test]
    fn each_purpose_has_its_measures() {
        use Effect::{Better, Unclear, Worse};
        for (noise, halves, order, effects) in [
            (0.03, 0.0, 0.95, [Better, Unclear, Better]),
            (0.015, 0.0, 0.95, [Better, Unclear, Unclear]),
            (0.005, 0.0, 0.95, [Unclear; 3]),
            (0.0, 0.02, 0.95, [Better, Better, Unclear]),
            (0.06, -0.02, 0.95, [Better, Worse, Better]),
            (-0.02, 0.02, 0.95, [Worse; 3]),
            (0.0, -0.02, 0.95, [Unclear, Worse, Unclear]),
            (0.06, 0.02, 0.89, [Worse; 3]),
            (0.06, 0.02, f64::NAN, [Worse; 3]),
        ] {
            let change = change(noise, halves, order);
            assert_eq!(
                Purpose::ALL.map(|purpose| change.effect(purpose)),
                effects,
                "{noise} {halves} {order}"
            );
        }
    }

    #[test]
    fn a_candidate_is_worth_something_if_one_purpose_gains_and_none_suffers() {
        let worth = |noise, halves, order, purpose| change(noise, halves, order).worth(purpose);
        let near = |worth: Option<Worth>, wanted: f64| {
            worth.is_some_and(|worth| (worth.gain - wanted).abs() < 1e-12)
        };
        assert!(near(worth(0.06, 0.03, 0.95, None), 0.09));
        // Half-sentence search alone, or a small gain, says nothing of grouping.
        assert_eq!(worth(0.015, 0.05, 0.95, None), None);
        assert!(near(worth(0.015, 0.05, 0.95, Some(Purpose::Similarity)), 0.065));
        // Nor does one that comes with a spread: 0.02 + 0.3 / 3 of the missing half is needed.
        let spread = |noise| Change { uniformity: [-2.0, -2.3], ..change(noise, 0.03, 0.95) };
        assert_eq!(spread(0.069).worth(None), None);
        assert!(near(spread(0.071).worth(None), 0.101));
        assert_eq!(spread(0.069).effect(Purpose::Similarity), Effect::Better);
        // Two searches with an interval of 0.02 each.
        let error = worth(0.06, 0.03, 0.95, None).expect("a worth").error;
        assert!((error - 0.02 / (2.0 * 1.96) * f64::sqrt(2.0)).abs() < 1e-5, "{error}");
        assert_eq!(worth(0.06, -0.02, 0.95, None), None);
        assert_eq!(worth(0.005, 0.005, 0.95, None), None);
        assert!(near(worth(0.06, -0.02, 0.95, Some(Purpose::Similarity)), 0.04));
        assert!(near(worth(0.06, -0.02, 0.95, Some(Purpose::Grouping)), 0.06));
        assert_eq!(worth(0.06, -0.02, 0.95, Some(Purpose::Search)), None);
        assert!(near(worth(0.005, 0.05, 0.95, Some(Purpose::Search)), 0.05));
        assert!(change(0.02, 0.02, 0.5).summary().contains("0.500"));
        assert_eq!(change(0.06, 0.0, 0.95).summary(), "similarity better, search unclear, grouping better");
        assert_eq!("search".parse::<Purpose>(), Ok(Purpose::Search));
        assert!("find".parse::<Purpose>().is_err());
    }
}
