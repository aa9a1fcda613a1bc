//! What the measures say about the purposes of a model.
//!
//! The rule was fitted to models that `cargo xtask adaptation study` trained and scored on labelled sets: search by noisy
//! copies went with what training did to similarity and grouping, half-sentence search with what it did to search. Both
//! see little of a model whose geometry changes entirely, so the order of the
//! cosines of random pairs must stay.

use serde::{Deserialize, Serialize};

use super::{Change, Difference};

/// The least order of cosines that must stay, as Spearman's correlation.
const LEAST_ORDER: f64 = 0.9;
/// The least gain in search by noisy copies that counts, as a share of what was missing to 1. The interval must lie
/// above it. Smaller gains came with losses in grouping.
const LEAST_GAIN: f64 = 0.05;

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
    /// Better, beyond the interval, and by enough to count.
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

impl Change {
    /// What the change means for a purpose.
    pub fn effect(&self, purpose: Purpose) -> Effect {
        let effect = |difference: &Option<Difference>, least: f64| {
            difference.as_ref().map_or(Effect::Unclear, |difference| Effect::of(difference, least))
        };
        let (noise, halves) = (effect(&self.noise, LEAST_GAIN), effect(&self.halves, 0.0));
        let effects = match purpose {
            Purpose::Similarity | Purpose::Grouping => vec![noise],
            Purpose::Search => vec![noise, halves],
        };
        // Also if there is no order at all.
        let moved = !matches!(self.kept_order.partial_cmp(&LEAST_ORDER), Some(order) if order.is_ge());
        if moved || effects.contains(&Effect::Worse) {
            Effect::Worse
        } else if effects.contains(&Effect::Better) {
            Effect::Better
        } else {
            Effect::Unclear
        }
    }

    /// How much better the second model is, to compare candidates; `None` if it is not better. For one purpose: that one
    /// is better. Else: similarity and grouping are better, and search is not worse.
    pub fn worth(&self, purpose: Option<Purpose>) -> Option<f64> {
        let better = |purpose| self.effect(purpose) == Effect::Better;
        let better = match purpose {
            Some(purpose) => better(purpose),
            None => Purpose::ALL.into_iter().all(better),
        };
        let gain = |difference: &Option<Difference>| difference.as_ref().map_or(0.0, Difference::change);
        better.then(|| gain(&self.noise) + gain(&self.halves))
    }

    /// The effects in words.
    pub fn summary(&self) -> String {
        let moved = self.kept_order < LEAST_ORDER || self.kept_order.is_nan();
        if moved {
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

impl Effect {
    /// Better if the interval lies above this share of what was missing to 1, worse if it lies below 0.
    fn of(difference: &Difference, least: f64) -> Self {
        if difference.low > least * (1.0 - difference.before) {
            Self::Better
        } else if difference.high < 0.0 {
            Self::Worse
        } else {
            Self::Unclear
        }
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
            (0.06, 0.0, 0.95, [Better; 3]),
            (0.03, 0.0, 0.95, [Unclear; 3]),
            (0.005, 0.0, 0.95, [Unclear; 3]),
            (0.0, 0.02, 0.95, [Unclear, Better, Unclear]),
            (0.06, -0.02, 0.95, [Better, Worse, Better]),
            (-0.02, 0.02, 0.95, [Worse; 3]),
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
        assert!(worth(0.06, 0.03, 0.95, None).is_some_and(|worth| (worth - 0.09).abs() < 1e-12));
        assert_eq!(worth(0.06, -0.02, 0.95, None), None);
        assert!(worth(0.06, -0.02, 0.95, Some(Purpose::Similarity)).is_some());
        assert_eq!(worth(0.06, -0.02, 0.95, Some(Purpose::Search)), None);
        assert_eq!(worth(0.005, 0.005, 0.95, None), None);
        // Half-sentence search alone says nothing of similarity and grouping.
        assert_eq!(worth(0.005, 0.05, 0.95, None), None);
        assert!(worth(0.005, 0.05, 0.95, Some(Purpose::Search)).is_some());
        assert!(change(0.02, 0.02, 0.5).summary().contains("0.500"));
        assert_eq!(change(0.06, 0.0, 0.95).summary(), "similarity better, search better, grouping better");
        assert_eq!("search".parse::<Purpose>(), Ok(Purpose::Search));
        assert!("find".parse::<Purpose>().is_err());
    }
}
