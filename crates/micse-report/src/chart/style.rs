//! Style rules of the charts: the same classes with literal colours in files and with variables in the page.

/// Name, colour in the light scheme, colour in the dark scheme. `k0` to `k6` are distinguishable with all common colour
/// vision deficiencies (after Okabe and Ito, darkened or lightened for contrast with the background). `s0` to `s5` are a
/// sequence whose lightness rises in both schemes (after matplotlib's plasma).
const COLOURS: [(&str, &str, &str); 19] = [
    ("ground", "#ffffff", "#16181c"),
    ("ink", "#1d2025", "#e6e8eb"),
    ("muted", "#5c636e", "#a3aab5"),
    ("rule", "#c9cdd4", "#454b55"),
    ("grid", "#e8eaee", "#272b32"),
    ("other", "#8f96a1", "#7d8591"),
    ("k0", "#2b2f36", "#e6e8eb"),
    ("k1", "#0072b2", "#56a8e8"),
    ("k2", "#008f68", "#2fc79a"),
    ("k3", "#d1490c", "#ff8551"),
    ("k4", "#a8438b", "#e08cc6"),
    ("k5", "#b97d00", "#f0b63c"),
    ("k6", "#3b9fd8", "#9fdcff"),
    ("s0", "#1f0c8c", "#7d68e8"),
    ("s1", "#6a00a8", "#b06cf0"),
    ("s2", "#9c2195", "#dc78cc"),
    ("s3", "#c23d80", "#f58a98"),
    ("s4", "#d65f52", "#ffad6b"),
    ("s5", "#ca8610", "#f8e55a"),
];

/// The rules. `$name` is replaced by a colour.
const RULES: &str = "\
.chart text{font-size:12px;fill:$ink}\
.chart .small{font-size:11.5px}\
.chart .tick{font-size:11px;fill:$muted}\
.chart .muted{fill:$muted}\
.chart .strong{font-size:12.5px}\
.chart .ground{fill:$ground}\
.chart .grid{stroke:$grid;stroke-width:1}\
.chart .axis{stroke:$rule;stroke-width:1}\
.chart .zero{stroke:$muted;stroke-width:1}\
.chart .line{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}\
.chart .lesser{stroke-width:1.1}\
.chart .seed{fill:none;stroke:currentColor;stroke-width:0.7;stroke-linejoin:round;opacity:0.45}\
.chart .dashed{stroke-dasharray:6 4}\
.chart .dotted{stroke-dasharray:1.5 4}\
.chart .level{stroke:currentColor;stroke-width:1.2;stroke-dasharray:7 4}\
.chart .leader{fill:none;stroke:$rule;stroke-width:0.8}\
.chart .band{fill:currentColor;opacity:0.14}\
.chart .whisker{stroke:currentColor;stroke-width:1.3;fill:none}\
.chart .interval{stroke:$ink;stroke-width:1.2;fill:none}\
.chart .full{fill:currentColor;stroke:$ground;stroke-width:0.8}\
.chart .hollow{fill:$ground;stroke:currentColor;stroke-width:1.4}\
.chart .cross{stroke:currentColor;stroke-width:1.8;stroke-linecap:round}\
.chart .bar{fill:currentColor;opacity:0.75}\
.chart .arrow{fill:$ink}\
.chart .dot{fill:currentColor;opacity:0.45}\
.chart .centre{fill:currentColor;stroke:$ground;stroke-width:1.6}\
.chart .link{stroke:$ink;stroke-width:1.4}\
.chart .frame{fill:none;stroke:$rule;stroke-width:1}\
.chart .heat{fill:currentColor}\
.chart .heat1{opacity:0.22}.chart .heat2{opacity:0.42}.chart .heat3{opacity:0.62}.chart .heat4{opacity:0.82}\
.chart .shade1{opacity:0.35}.chart .shade2{opacity:0.55}.chart .shade3{opacity:0.78}\
";

fn rules(colour: &dyn Fn(&str, &str) -> String) -> String {
    let mut css = vec![RULES.to_owned()];
    for (name, light, _) in COLOURS {
        css[0] = css[0].replace(&format!("${name}"), &colour(name, light));
        if name == "other" || name.starts_with(['k', 's']) {
            css.push(format!(".chart .{name}{{color:{}}}", colour(name, light)));
        }
    }
    css.concat()
}

/// Rules for standalone files: literal colours of the light scheme, and common font names.
pub(crate) fn file_rules() -> String {
    format!(
        ".chart{{font-family:system-ui,Helvetica,Arial,sans-serif}}{}",
        rules(&|_, light| light.to_owned())
    )
}

/// Rules for the page: colours are variables, so they follow the reader's colour scheme.
pub(crate) fn page_rules() -> String {
    rules(&|name, light| format!("var(--{name},{light})"))
}

/// The variables of one colour scheme, for a rule of the page.
pub(crate) fn variables(dark: bool) -> String {
    COLOURS
        .map(|(name, light, dark_value)| format!("--{name}:{};", if dark { dark_value } else { light }))
        .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.2).
    fn luminance(hex: &str) -> f64 {
        let channel = |at: usize| {
            let value =
                f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("two hexadecimal digits")) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        (a / b).max(b / a)
    }

    #[test]
    fn colours_stand_out_from_the_ground_in_both_schemes() {
        let ground = COLOURS[0];
        for (name, light, dark) in COLOURS {
            // WCAG 2.2: 4.5 for text, 3 for graphical objects.
            let least = match name {
                "ink" | "muted" => 4.5,
                n if n.starts_with(['k', 's']) => 2.9,
                "other" => 2.9,
                _ => continue,
            };
            assert!(contrast(light, ground.1) >= least, "{name} in light: {:.2}", contrast(light, ground.1));
            assert!(contrast(dark, ground.2) >= least, "{name} in dark: {:.2}", contrast(dark, ground.2));
        }
    }

    #[test]
    fn the_sequence_is_ordered_by_lightness_in_both_schemes() {
        let sequence: Vec<_> = COLOURS.iter().filter(|(name, ..)| name.starts_with('s')).collect();
        assert_eq!(sequence.len(), 6);
        for pair in sequence.windows(2) {
            assert!(luminance(pair[0].1) < luminance(pair[1].1), "{} in light", pair[1].0);
            assert!(luminance(pair[0].2) < luminance(pair[1].2), "{} in dark", pair[1].0);
        }
    }

    #[test]
    fn every_name_is_replaced() {
        assert!(!file_rules().contains('$'), "{}", file_rules());
        assert!(!file_rules().contains("var("), "files must have literal colours");
        assert!(page_rules().contains("var(--k3,#d1490c)"));
    }
}
