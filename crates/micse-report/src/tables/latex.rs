//! Formats tables as LaTeX, with rules from the `booktabs` package.

use std::fmt::Write as _;

use super::sheet::{Sheet, is_number};

/// All tables of a sweep, each in its own environment, to include in a document with `\input`.
pub(super) fn document(sheets: &[Sheet], settings: &str) -> String {
    let mut text = String::from("% Needs \\usepackage{booktabs}.\n");
    for line in settings.lines().filter(|line| !line.is_empty()) {
        let _ = writeln!(text, "% {line}");
    }
    for sheet in sheets {
        text.push('\n');
        text.push_str(&environment(sheet));
    }
    text
}

fn environment(sheet: &Sheet) -> String {
    let columns: String =
        (0..sheet.header.len()).map(|column| if sheet.is_numeric(column) { 'r' } else { 'l' }).collect();
    let line = |cells: &[String], of: &dyn Fn(usize, &str) -> String| {
        let cells: Vec<String> = cells.iter().enumerate().map(|(column, cell)| of(column, cell)).collect();
        format!("{} \\\\\n", cells.join(" & "))
    };
    let mut text = format!(
        "\\begin{{table}}\n\\centering\n\\footnotesize\n\\setlength{{\\tabcolsep}}{{3pt}}\n\\caption{{{}}}\n\
         \\begin{{tabular}}{{{columns}}}\n\\toprule\n",
        escape(&sheet.title)
    );
    text.push_str(&line(&sheet.header, &|_, cell| escape(cell)));
    text.push_str("\\midrule\n");
    for row in &sheet.rows {
        text.push_str(&line(row, &|column, value| if column == 0 { escape(value) } else { cell(value) }));
    }
    text.push_str("\\bottomrule\n\\end{tabular}\n");
    for note in &sheet.notes {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "\\par\\raggedright\\scriptsize {}", escape(note));
    }
    text.push_str("\\end{table}\n");
    text
}

/// A cell of the body: numbers in math mode, `-` as a dash.
fn cell(text: &str) -> String {
    if text == "-" {
        return "--".into();
    }
    if !is_number(text) {
        return escape(text);
    }
    let number = text.replace('±', " \\pm ").replace('*', "^{*}").replace('†', "^{\\dagger}");
    format!("${number}$")
}

/// Escapes LaTeX's special characters. Leading space, which marks a row that belongs to the one above, becomes
/// `\quad`.
fn escape(text: &str) -> String {
    let mut escaped = String::from(if text.starts_with(' ') { "\\quad " } else { "" });
    for sign in text.trim_start().chars() {
        match sign {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                escaped.push('\\');
                escaped.push(sign);
            }
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' | '>' => {
                escaped.extend(['$', sign, '$']);
            }
            '±' => escaped.push_str("$\\pm$"),
            '†' => escaped.push_str("$\\dagger$"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_stands_for_itself() {
        assert_eq!(escape("a_b & 10% {x} #1 $"), "a\\_b \\& 10\\% \\{x\\} \\#1 \\$");
        assert_eq!(escape("\\~^<"), "\\textbackslash{}\\textasciitilde{}\\textasciicircum{}$<$");
        assert_eq!(escape("  difference"), "\\quad difference");
        assert_eq!(escape("mean±std, †"), "mean$\\pm$std, $\\dagger$");
    }

    #[test]
    fn numbers_are_mathematics() {
        for (text, expected) in [
            ("61.23±0.45*", "$61.23 \\pm 0.45^{*}$"),
            ("-0.31†", "$-0.31^{\\dagger}$"),
            ("[-0.31, +1.20]", "$[-0.31, +1.20]$"),
            ("<0.001", "$<0.001$"),
            ("-", "--"),
            ("undefined", "undefined"),
            ("10%", "10\\%"),
        ] {
            assert_eq!(cell(text), expected);
        }
    }

    #[test]
    fn a_table_is_a_whole_environment() {
        let sheet = Sheet {
            title: "Sizes: mean±std, 100% of 2".into(),
            header: vec!["method".into(), "0.1%".into(), "train text".into()],
            rows: vec![
                vec!["untrained (cls)".into(), "50.00".into(), "none".into()],
                vec!["a_b@released-code".into(), "61.23±0.45*".into(), "x_y.txt".into()],
            ],
            notes: vec!["*: p < 0.05".into()],
        };
        let expected = r"\begin{table}
\centering
\footnotesize
\setlength{\tabcolsep}{3pt}
\caption{Sizes: mean$\pm$std, 100\% of 2}
\begin{tabular}{lrl}
\toprule
method & 0.1\% & train text \\
\midrule
untrained (cls) & $50.00$ & none \\
a\_b@released-code & $61.23 \pm 0.45^{*}$ & x\_y.txt \\
\bottomrule
\end{tabular}
\par\raggedright\scriptsize *: p $<$ 0.05
\end{table}
";
        assert_eq!(environment(&sheet), expected);
        let document = document(&[sheet.clone(), sheet], "settings: steps=4");
        assert_eq!(document.matches("\\begin{tabular}").count(), 2);
        assert!(document.starts_with("% Needs \\usepackage{booktabs}.\n% settings: steps=4\n"), "{document}");
    }
}
