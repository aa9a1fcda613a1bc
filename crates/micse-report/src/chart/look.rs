//! The colour and marker of a method, the same in every figure.

use super::svg::{Anchor, Canvas, Point, text_width};

/// The shape of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
    Down,
    Pentagon,
    Star,
    /// Reserved for rows without training.
    Cross,
}

const SHAPES: [Marker; 7] = [
    Marker::Circle,
    Marker::Square,
    Marker::Triangle,
    Marker::Diamond,
    Marker::Down,
    Marker::Pentagon,
    Marker::Star,
];

/// How a method is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// The class that sets the colour.
    pub(crate) colour: &'static str,
    pub(crate) marker: Marker,
    pub(crate) filled: bool,
    /// Extra class of the line: `dashed`, `dotted`, or empty.
    pub(crate) stroke: &'static str,
    /// Drawn on top of the others, with a band.
    pub(crate) main: bool,
}

/// The colours; the methods of [`FAMILY`] take the first ones.
const COLOURS: [&str; 7] = ["k0", "k1", "k2", "k3", "k4", "k5", "k6"];
const FAMILY: [&str; 4] = ["simcse", "ami-simcse", "moco-simcse", "micse"];
const OTHER: &str = "other";

/// The look of rows without training.
pub(crate) const UNTRAINED: Look =
    Look { colour: OTHER, marker: Marker::Cross, filled: false, stroke: "", main: false };

/// The looks of all trained methods, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Looks(Vec<(String, Look)>);

/// The method that a variant derives from, and the variant's stroke: `simcse-positives`, `simcse-baseline`,
/// `micse@released-code`.
fn variant(name: &str) -> Option<(&str, &'static str)> {
    let positives = name.strip_suffix("-positives").map(|base| (base, "dashed"));
    let positives = positives.or_else(|| name.strip_suffix("-baseline").map(|base| (base, "dotted")));
    positives.or_else(|| name.split_once('@').map(|(base, _)| (base, "dotted")))
}

impl Looks {
    /// Assigns looks to the methods of a sweep, in sweep order. With more methods than colours, the paper's own methods
    /// get colours first, then the first methods in `best`; the others are grey.
    pub(crate) fn assign(methods: &[String], best: &[String]) -> Self {
        let has = |name: &str| methods.iter().any(|m| m == name);
        let is_variant = |name: &str| variant(name).is_some_and(|(base, _)| has(base));
        // Alone, the baseline looks like the method that it is a variant of.
        let place = |name: &str| FAMILY.iter().position(|f| *f == name.trim_end_matches("-baseline"));
        let own: Vec<&String> = methods.iter().filter(|m| !is_variant(m)).collect();
        let taken: Vec<usize> = own.iter().filter_map(|m| place(m)).collect();
        let mut free = (0..COLOURS.len()).filter(|i| !taken.contains(i));
        let mut others: Vec<&String> = own.iter().filter(|m| place(m).is_none()).copied().collect();
        if others.len() > COLOURS.len() - taken.len() {
            others.sort_by_key(|m| best.iter().position(|b| b == *m).unwrap_or(usize::MAX));
        }
        let coloured: Vec<(&String, usize)> =
            others.into_iter().zip(std::iter::from_fn(|| free.next())).collect();
        let mut looks: Vec<(String, Look)> = Vec::new();
        let mut greys = 0;
        for method in &own {
            let index =
                place(method).or_else(|| coloured.iter().find(|(m, _)| m == method).map(|(_, index)| *index));
            let look = if let Some(index) = index {
                Look { colour: COLOURS[index], marker: SHAPES[index], filled: true, stroke: "", main: true }
            } else {
                let marker = SHAPES[greys % SHAPES.len()];
                let filled = greys / SHAPES.len() % 2 == 1;
                greys += 1;
                Look { colour: OTHER, marker, filled, stroke: "", main: false }
            };
            looks.push(((*method).clone(), look));
        }
        for method in methods.iter().filter(|m| is_variant(m)) {
            if let Some((base, stroke)) = variant(method)
                && let Some((_, look)) = looks.iter().find(|(name, _)| name == base)
            {
                let look = Look { filled: !look.filled, stroke, ..*look };
                looks.push((method.clone(), look));
            }
        }
        Self(looks)
    }

    /// A method's look; unknown names look like rows without training.
    pub(crate) fn of(&self, method: &str) -> Look {
        self.0.iter().find(|(name, _)| name == method).map_or(UNTRAINED, |(_, look)| *look)
    }
}

impl Look {
    /// Draws the marker with a radius of about `r`.
    pub(crate) fn mark(&self, canvas: &mut Canvas, (x, y): Point, r: f64) {
        let class = format!("{} {}", self.colour, if self.filled { "full" } else { "hollow" });
        // Corners on a circle, the first one at the top or bottom.
        let corners = |n: usize, up: bool, radius: &dyn Fn(usize) -> f64| -> Vec<Point> {
            let start = if up { -std::f64::consts::FRAC_PI_2 } else { std::f64::consts::FRAC_PI_2 };
            (0..n)
                .map(|i| {
                    let angle = start + std::f64::consts::TAU * i as f64 / n as f64;
                    (x + radius(i) * angle.cos(), y + radius(i) * angle.sin())
                })
                .collect()
        };
        match self.marker {
            Marker::Circle => canvas.circle(&class, (x, y), r),
            Marker::Square => canvas.rect(&class, (x - r * 0.9, y - r * 0.9), (r * 1.8, r * 1.8)),
            Marker::Triangle => canvas.polygon(&class, &corners(3, true, &|_| r * 1.25)),
            Marker::Down => canvas.polygon(&class, &corners(3, false, &|_| r * 1.25)),
            Marker::Diamond => canvas.polygon(&class, &corners(4, true, &|_| r * 1.25)),
            Marker::Pentagon => canvas.polygon(&class, &corners(5, true, &|_| r * 1.1)),
            Marker::Star => {
                canvas.polygon(&class, &corners(10, true, &|i| if i % 2 == 0 { r * 1.4 } else { r * 0.62 }));
            }
            Marker::Cross => {
                let r = r * 0.95;
                canvas.line(&format!("{} cross", self.colour), (x - r, y - r), (x + r, y + r));
                canvas.line(&format!("{} cross", self.colour), (x - r, y + r), (x + r, y - r));
            }
        }
    }
}

/// Draws names and markers in columns, from `corner` down, within `width`. Returns the height.
pub(crate) fn legend(canvas: &mut Canvas, entries: &[(&str, Look)], corner: Point, width: f64) -> f64 {
    const SIZE: f64 = 11.5;
    const ROW: f64 = 17.0;
    let widest = entries.iter().map(|(name, _)| text_width(name, SIZE)).fold(0.0, f64::max) + 28.0;
    let columns = ((width / widest) as usize).clamp(1, entries.len().max(1));
    let rows = entries.len().div_ceil(columns);
    let step = (width / columns as f64).min(widest + 14.0);
    for (index, (name, look)) in entries.iter().enumerate() {
        let x = corner.0 + (index / rows.max(1)) as f64 * step;
        let y = corner.1 + (index % rows.max(1)) as f64 * ROW + ROW / 2.0;
        if look.marker != Marker::Cross {
            canvas.line(&format!("{} line {}", look.colour, look.stroke), (x, y), (x + 16.0, y));
        }
        look.mark(canvas, (x + 8.0, y), 3.6);
        let class = if look.main { "small" } else { "small muted" };
        canvas.text(class, Anchor::Start, (x + 21.0, y + 4.0), name);
    }
    rows as f64 * ROW
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn a_method_looks_the_same_in_any_company() {
        let few = Looks::assign(&names(&["simcse", "micse"]), &[]);
        let many = Looks::assign(&names(&["ct", "micse", "scd", "simcse", "diffcse"]), &[]);
        assert_eq!(few.of("micse"), many.of("micse"));
        assert_eq!(few.of("simcse"), many.of("simcse"));
    }

    #[test]
    fn no_two_methods_look_the_same() {
        let mut methods: Vec<String> = (0..17).map(|i| format!("method-{i}")).collect();
        methods.extend(names(&["simcse", "ami-simcse", "moco-simcse", "micse", "simcse-positives"]));
        let looks = Looks::assign(&methods, &names(&["method-9"]));
        for (i, a) in methods.iter().enumerate() {
            for b in &methods[i + 1..] {
                assert_ne!(looks.of(a), looks.of(b), "{a} and {b}");
            }
        }
        assert!(looks.of("method-9").main, "the best of the others has a colour");
        assert!(!looks.of("method-16").main, "there are more methods than colours");
    }

    #[test]
    fn a_variant_has_its_methods_colour() {
        let looks = Looks::assign(&names(&["simcse", "simcse-positives", "simcse@released-code"]), &[]);
        let (plain, positives, code) =
            (looks.of("simcse"), looks.of("simcse-positives"), looks.of("simcse@released-code"));
        assert_eq!((plain.colour, positives.stroke, code.stroke), (positives.colour, "dashed", "dotted"));
        // Without its base method, a variant is treated like any other method.
        assert!(Looks::assign(&names(&["simcse-positives"]), &[]).of("simcse-positives").filled);
    }
}
