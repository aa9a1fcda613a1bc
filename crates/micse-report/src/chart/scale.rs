//! Maps values to positions: linear and logarithmic scales, round ticks, and label spacing.

/// Maps values to positions along one axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    from: (f64, f64),
    to: (f64, f64),
    logarithmic: bool,
}

impl Scale {
    /// Maps values `from.0 ..= from.1` linearly to positions `to.0 ..= to.1`.
    pub(crate) fn linear(from: (f64, f64), to: (f64, f64)) -> Self {
        Self { from, to, logarithmic: false }
    }

    /// Like [`linear`](Self::linear), but logarithmic; values must be positive.
    pub(crate) fn logarithmic(from: (f64, f64), to: (f64, f64)) -> Self {
        Self { from: (from.0.ln(), from.1.ln()), to, logarithmic: true }
    }

    /// The position of a value. If the domain has no width, every value maps to the middle.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.ln() } else { value };
        let width = self.from.1 - self.from.0;
        let share = if width == 0.0 { 0.5 } else { (value - self.from.0) / width };
        self.to.0 + share * (self.to.1 - self.to.0)
    }
}

/// The step of 1, 2 or 5 times a power of ten that makes the number of ticks closest to `about`.
fn step(low: f64, high: f64, about: usize) -> f64 {
    let raw = (high - low) / about.max(1) as f64;
    let power = 10f64.powf(raw.log10().floor());
    let far = |factor: &f64| (factor * power / raw).ln().abs();
    let nearest = [1.0, 2.0, 5.0, 10.0].into_iter().min_by(|a, b| far(a).total_cmp(&far(b)));
    nearest.unwrap_or(1.0) * power
}

/// Round tick values, the multiples of a step.
#[derive(Clone, Debug)]
pub(crate) struct Ticks {
    pub(crate) values: Vec<f64>,
    /// The power of ten of the last digit that labels need.
    last_digit: i32,
}

/// Axes whose largest value is below this, or above its inverse squared, use exponents.
const SMALL: f64 = 1e-3;

impl Ticks {
    /// About `about` round numbers within `low ..= high`.
    pub(crate) fn within(low: f64, high: f64, about: usize) -> Self {
        if high <= low || !(high - low).is_finite() {
            return Self { values: Vec::new(), last_digit: 0 };
        }
        let step = step(low, high, about);
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        let values = (first..=last).map(|i| i as f64 * step).collect();
        Self { values, last_digit: (step.log10() + 1e-9).floor() as i32 }
    }

    /// The label of a tick, with a true minus sign.
    pub(crate) fn label(&self, value: f64) -> String {
        let largest = self.values.iter().fold(0.0f64, |most, v| most.max(v.abs()));
        let text = if value.abs() < 10f64.powi(self.last_digit) / 2.0 {
            "0".into()
        } else if !(SMALL..1.0 / SMALL / SMALL).contains(&largest) {
            let digits = (value.abs().log10() + 1e-9).floor() as i32 - self.last_digit;
            let text = format!("{value:.*e}", digits.max(0) as usize);
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let short = if mantissa.contains('.') { mantissa.trim_end_matches('0') } else { mantissa };
            format!("{}e{exponent}", short.trim_end_matches('.'))
        } else {
            format!("{value:.*}", (-self.last_digit).max(0) as usize)
        };
        text.replace('-', "\u{2212}")
    }
}

/// The range of the finite values with a margin on both sides; `0 ..= 1` without finite values.
pub(crate) fn range(values: impl IntoIterator<Item = f64>, margin: f64) -> (f64, f64) {
    let finite = values.into_iter().filter(|v| v.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return (0.0, 1.0);
    }
    // A domain without width cannot be drawn, so give it some.
    let pad = if high > low { (high - low) * margin } else { (high.abs() * 0.05).max(1e-9) };
    (low - pad, high + pad)
}

/// Moves positions along a line by the least squared distance so that neighbours are at least `gap` apart and all are
/// within `low ..= high`, in the same order. Without room for all gaps, positions spread evenly over the range.
pub(crate) fn spread(wanted: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let n = wanted.len();
    if n == 0 {
        return Vec::new();
    }
    let gap = if n > 1 { gap.min((high - low) / (n - 1) as f64) } else { gap };
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    // With the gaps subtracted, this is isotonic regression: neighbours that are out of order share their mean.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (rank, index) in order.iter().enumerate() {
        blocks.push((wanted[*index] - rank as f64 * gap, 1));
        while let [.., (a, na), (b, nb)] = blocks[..]
            && a > b
        {
            blocks.truncate(blocks.len() - 2);
            blocks.push(((a * na as f64 + b * nb as f64) / (na + nb) as f64, na + nb));
        }
    }
    let most = high - (n - 1) as f64 * gap;
    let mut places = vec![0.0; n];
    let flat = blocks.iter().flat_map(|(place, count)| std::iter::repeat_n(*place, *count));
    for (rank, (index, place)) in order.iter().zip(flat).enumerate() {
        places[*index] = place.max(low).min(most.max(low)) + rank as f64 * gap;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(Ticks::within(47.3, 53.9, 5).values, [48.0, 49.0, 50.0, 51.0, 52.0, 53.0]);
        assert_eq!(Ticks::within(66.0, 79.0, 6).values, [66.0, 68.0, 70.0, 72.0, 74.0, 76.0, 78.0]);
        assert_eq!(Ticks::within(-1.2, 3.4, 5).values, [-1.0, 0.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn tick_labels_are_short() {
        let labels = |low, high, about| {
            let ticks = Ticks::within(low, high, about);
            ticks.values.iter().map(|v| ticks.label(*v)).collect::<Vec<_>>()
        };
        assert_eq!(labels(0.0, 0.000_11, 2), ["0", "5e\u{2212}5", "1e\u{2212}4"]);
        assert_eq!(labels(9.4e-5, 1.06e-4, 2), ["9.5e\u{2212}5", "1e\u{2212}4", "1.05e\u{2212}4"]);
        assert_eq!(labels(-0.3, 0.3, 3), ["\u{2212}0.2", "0", "0.2"]);
        assert_eq!(labels(0.0, 52.0, 3), ["0", "20", "40"]);
        assert_eq!(labels(3.0, 3.0, 3), [""; 0]);
    }

    #[test]
    fn scales_hit_their_ends() {
        let linear = Scale::linear((10.0, 20.0), (100.0, 0.0));
        assert_eq!([10.0, 15.0, 20.0].map(|v| linear.at(v)), [100.0, 50.0, 0.0]);
        let log = Scale::logarithmic((1e3, 1e5), (0.0, 200.0));
        assert!((log.at(1e4) - 100.0).abs() < 1e-9);
        assert_eq!(Scale::linear((3.0, 3.0), (0.0, 10.0)).at(3.0), 5.0);
    }

    #[test]
    fn ranges_skip_what_is_no_number() {
        assert_eq!(range([f64::NAN, 1.0, 3.0, f64::INFINITY], 0.5), (0.0, 4.0));
        assert_eq!(range([f64::NAN], 0.1), (0.0, 1.0));
        let (low, high) = range([5.0], 0.1);
        assert!(low < 5.0 && high > 5.0);
    }

    #[test]
    fn labels_keep_their_distance_and_stay_where_they_can() {
        assert_eq!(spread(&[10.0, 50.0], 12.0, 0.0, 100.0), [10.0, 50.0]);
        assert_eq!(spread(&[50.0, 50.0], 12.0, 0.0, 100.0), [44.0, 56.0]);
        assert_eq!(spread(&[99.0, 98.0], 12.0, 0.0, 100.0), [100.0, 88.0]);
        let many: Vec<f64> = (0..30).map(|i| 40.0 + f64::from(i % 7)).collect();
        let mut placed = spread(&many, 12.0, 0.0, 400.0);
        placed.sort_by(f64::total_cmp);
        assert!(placed.windows(2).all(|w| w[1] - w[0] > 11.99), "{placed:?}");
        assert!(placed[0] >= 0.0 && placed[29] <= 400.0);
    }
}
