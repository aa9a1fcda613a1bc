//! Writes SVG elements, formats numbers, and estimates text widths.

use std::fmt::Write as _;

/// A point in user units; x grows to the right, y downwards.
pub(crate) type Point = (f64, f64);

/// The part of a text that is placed at the given point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A drawing under construction.
#[derive(Default)]
pub(crate) struct Canvas {
    body: String,
}

/// Escapes text for elements and quoted attributes of HTML and XML.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // XML cannot represent other control characters.
            c if c.is_control() && !matches!(c, '\n' | '\t') => safe.push('\u{FFFD}'),
            c => safe.push(c),
        }
    }
    safe
}

/// A coordinate with at most two decimals.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

/// The width of a text in user units at a font size: an upper estimate for common sans-serif fonts, since the reader's
/// font is unknown.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    let em = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.29,
        'f' | 't' | 'r' | '-' | '(' | ')' | '[' | ']' | ' ' | '/' => 0.38,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.92,
        c if c.is_uppercase() => 0.7,
        _ => 0.58,
    };
    text.chars().map(em).sum::<f64>() * size
}

/// The text, cut off with an ellipsis if wider than `width`.
pub(crate) fn fit(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    for c in text.chars() {
        cut.push(c);
        if text_width(&cut, size) + size * 0.9 > width {
            cut.pop();
            break;
        }
    }
    cut.push('…');
    cut
}

// Writing into a String cannot fail.
macro_rules! put {
    ($canvas:expr, $($part:tt)*) => { { let _ = write!($canvas.body, $($part)*); } };
}

impl Canvas {
    pub(crate) fn line(&mut self, class: &str, from: Point, to: Point) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(number);
        put!(self, r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#);
    }

    pub(crate) fn polyline(&mut self, class: &str, points: &[Point]) {
        put!(self, r#"<polyline class="{class}" points="{}"/>"#, coordinates(points));
    }

    pub(crate) fn polygon(&mut self, class: &str, points: &[Point]) {
        put!(self, r#"<polygon class="{class}" points="{}"/>"#, coordinates(points));
    }

    pub(crate) fn circle(&mut self, class: &str, centre: Point, radius: f64) {
        let [x, y, r] = [centre.0, centre.1, radius].map(number);
        put!(self, r#"<circle class="{class}" cx="{x}" cy="{y}" r="{r}"/>"#);
    }

    pub(crate) fn rect(&mut self, class: &str, corner: Point, size: Point) {
        let [x, y, w, h] = [corner.0, corner.1, size.0, size.1].map(number);
        put!(self, r#"<rect class="{class}" x="{x}" y="{y}" width="{w}" height="{h}"/>"#);
    }

    /// Squares of one class as a single path, given by their upper left corners.
    pub(crate) fn squares(&mut self, class: &str, corners: &[Point], side: f64) {
        let (side, mut path) = (number(side), String::new());
        for (x, y) in corners {
            let _ = write!(path, "M{} {}h{side}v{side}h-{side}z", number(*x), number(*y));
        }
        put!(self, r#"<path class="{class}" d="{path}"/>"#);
    }

    pub(crate) fn text(&mut self, class: &str, anchor: Anchor, at: Point, text: &str) {
        let [x, y] = [at.0, at.1].map(number);
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        put!(self, r#"<text class="{class}" x="{x}" y="{y}" text-anchor="{anchor}">{}</text>"#, escape(text));
    }

    /// A group with a class; `title` is shown on hover.
    pub(crate) fn group(&mut self, class: &str, title: Option<&str>, draw: impl FnOnce(&mut Self)) {
        put!(self, r#"<g class="{class}">"#);
        if let Some(title) = title {
            put!(self, "<title>{}</title>", escape(title));
        }
        draw(self);
        self.body.push_str("</g>");
    }

    pub(crate) fn finish(self, width: f64, height: f64) -> Drawing {
        Drawing { width, height, body: self.body }
    }
}

fn coordinates(points: &[Point]) -> String {
    points.iter().map(|(x, y)| format!("{},{}", number(*x), number(*y))).collect::<Vec<_>>().join(" ")
}

/// A finished drawing, at one width.
#[derive(Clone, Debug)]
pub(crate) struct Drawing {
    pub(crate) width: f64,
    pub(crate) height: f64,
    body: String,
}

impl Drawing {
    /// An element for a page with the charts' style rules; `id` must be unique in the page.
    pub(crate) fn inline(&self, id: &str, class: &str, title: &str, description: &str) -> String {
        let (w, h) = (number(self.width), number(self.height));
        format!(
            "<svg class=\"chart {class}\" viewBox=\"0 0 {w} {h}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-desc\"><title id=\"{id}-title\">{}</title>\
             <desc id=\"{id}-desc\">{}</desc>{}</svg>",
            escape(title),
            escape(description),
            self.body
        )
    }

    /// A standalone file, in the light scheme on a white background.
    pub(crate) fn standalone(&self, title: &str, description: &str, rules: &str) -> String {
        let (w, h) = (number(self.width), number(self.height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" \
             height=\"{h}\"><title>{}</title><desc>{}</desc><style>{rules}</style>\
             <rect class=\"ground\" x=\"0\" y=\"0\" width=\"{w}\" height=\"{h}\"/>{}</svg>\n",
            escape(title),
            escape(description),
            self.body
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_have_no_negative_zero() {
        assert_eq!([1.0, 0.125, -0.001, 100.0, 12.3].map(number), ["1", "0.12", "0", "100", "12.3"]);
    }

    #[test]
    fn markup_in_text_is_only_text() {
        assert_eq!(escape("<b a=\"1\">&'\u{1}"), "&lt;b a=&quot;1&quot;&gt;&amp;&#39;\u{FFFD}");
    }

    #[test]
    fn long_text_is_cut_to_its_width() {
        let cut = fit("a-very-long-method-name", 12.0, 60.0);
        assert!(cut.ends_with('…') && text_width(&cut, 12.0) <= 60.0, "{cut}");
        assert_eq!(fit("simcse", 12.0, 60.0), "simcse");
    }
}
