//! Untrusted text in Markdown.

/// Text that appears unchanged within a line: nothing in it acts as markup or ends the line.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = one_line(text).peekable();
    while let Some(c) = rest.next() {
        let mut entity = || rest.peek().is_some_and(|&next| next == '#' || next.is_ascii_alphanumeric());
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '$')
            || (c == '&' && entity())
        {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

/// Text as inline code.
pub(super) fn code(text: &str) -> String {
    let text: String = one_line(text).collect();
    match longest_run(&text) {
        0 => format!("`{text}`"),
        // Markdown strips the spaces at both ends.
        run => {
            let fence = "`".repeat(run + 1);
            format!("{fence} {text} {fence}")
        }
    }
}

/// Lines as a code block.
pub(super) fn block(language: &str, text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end())
}

/// `1234567` as `1,234,567`.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn one_line(text: &str) -> impl Iterator<Item = char> {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
}

/// The length of the longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        assert_eq!(plain("a_b|c\n# <d> [e]"), "a\\_b\\|c \\# \\<d\\> \\[e\\]");
        assert_eq!(plain("Klein & Nabi &amp; &#33;"), "Klein & Nabi \\&amp; \\&\\#33;");
        assert_eq!(code("a_b"), "`a_b`");
        assert_eq!(code("a``b\nc"), "``` a``b c ```");
        assert_eq!(block("toml", "a = 1\n"), "```toml\na = 1\n```\n");
        assert_eq!(block("", "```\n"), "````\n```\n````\n");
    }

    #[test]
    fn digits_stand_in_groups() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
