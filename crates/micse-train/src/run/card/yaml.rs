//! Untrusted text in YAML.

use std::fmt::Write as _;

/// A text as a double-quoted scalar on one line, which every YAML reader, of version 1.1 or 1.2, returns unchanged.
///
/// Quotes and backslashes are escaped, and all characters that are not printable in YAML or end a line in it.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // Marks of text direction and byte order are printable, but invisible to a reader of the card.
            '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{feff}'
            | '\u{fffe}'..='\u{ffff}' => {
                // Writing into a String cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use micse_random::Stream;

    use super::*;

    /// Reads a double-quoted scalar of one line by YAML's rules, as far as `quoted` uses them; `None` if it is not one.
    fn read(yaml: &str) -> Option<String> {
        let inner = yaml.strip_prefix('"')?.strip_suffix('"')?;
        let mut text = String::new();
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => return None,
                '\\' => match chars.next()? {
                    c @ ('"' | '\\') => text.push(c),
                    'u' => {
                        let digits: String = chars.by_ref().take(4).collect();
                        text.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
                    }
                    _ => return None,
                },
                // YAML 1.2, production c-printable, without what breaks lines in 1.1.
                ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{fffd}' | '\u{10000}'.. => text.push(c),
                _ => return None,
            }
        }
        Some(text)
    }

    #[test]
    fn every_text_comes_back() {
        const NASTY: [&str; 26] = [
            "\"",
            "\\",
            "'",
            "\n",
            "\r",
            "\t",
            "\0",
            "\x1b",
            "\x7f",
            "\u{85}",
            "\u{2028}",
            "\u{2029}",
            "\u{feff}",
            "\u{ffff}",
            "\u{1fffe}",
            "\u{d7ff}",
            "\u{10ffff}",
            ": ",
            " #",
            "---",
            "- ",
            "{}",
            "é",
            "日本",
            "🦀",
            "%",
        ];
        let mut draws = Stream::new(48).draws();
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..draws.below(8) {
                match draws.below(3) {
                    0 => text.push_str(NASTY[draws.below(NASTY.len() as u64) as usize]),
                    1 => text.extend(char::from_u32(draws.below(0x300) as u32)),
                    _ => text.extend(char::from_u32(draws.below(0x11_0000) as u32)),
                }
            }
            let yaml = quoted(&text);
            assert_eq!(read(&yaml), Some(text), "{yaml}");
        }
    }
}
