//! What the reader's fonts will do is unknown here, so widths are estimates on the generous side.

/// Lengths of text, in figure units.
pub(crate) const TITLE: f64 = 19.0;
pub(crate) const LABEL: f64 = 16.0;
pub(crate) const TICK: f64 = 15.0;
pub(crate) const SMALLEST: f64 = 14.0;

/// About how wide `text` is at `size`.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    let em = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' | '·' => 0.34,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '-' | '/' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '→' | '↓' | '−' | '×' | '=' | '<' | '>' | '+' => {
            0.92
        }
        'A'..='Z' => 0.72,
        '\u{300}'..='\u{36f}' => 0.0,
        '\u{1100}'.. if !('\u{2000}'..='\u{2bff}').contains(&c) => 1.05,
        _ => 0.62,
    };
    text.chars().map(em).sum::<f64>() * size
}

/// The widest of several texts.
pub(crate) fn widest<S: AsRef<str>>(texts: &[S], size: f64) -> f64 {
    texts.iter().map(|text| width(text.as_ref(), size)).fold(0.0, f64::max)
}

/// Breaks `text` at spaces into lines of at most `room` units; a longer word keeps a line of its own.
pub(crate) fn wrap(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line, size) + width(word, size) + 0.34 * size <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

/// Cuts `text` to at most `room` units, ending it in an ellipsis where something is missing.
pub(crate) fn cut(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_string();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if width(&kept, size) + width(&format!("{c}…"), size) > room {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}

/// Makes what a tokenizer may hold printable: a line break and a tab get a sign, other controls a dot.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' => '⏎',
            '\t' => '⇥',
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => '·',
            c => c,
        })
        .collect()
}

/// `value` with three significant digits: `0.123`, `45.6`, `1234`, `1.2×10⁻⁵`.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_string()
    } else if (1e-3..1e5).contains(&size) {
        let digits = (2 - size.log10().floor() as i32).max(0) as usize;
        minus(trim(format!("{value:.digits$}")))
    } else {
        power_of_ten(value)
    }
}

/// `value` with `decimals` digits after the point.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    // An f64 has no more digits than 17 to show.
    let text = format!("{value:.*}", decimals.min(17));
    // Rounding must not leave "-0.00".
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| matches!(c, '0' | '.')) => rest.to_string(),
        _ => minus(text),
    }
}

/// `value` as `3×10⁶`.
pub(crate) fn power_of_ten(value: f64) -> String {
    let text = format!("{value:.2e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let power = format!("10{}", superscript(exponent));
    match trim(mantissa.to_string()).as_str() {
        "1" => power,
        "-1" => format!("−{power}"),
        mantissa => format!("{}×{power}", minus(mantissa.to_string())),
    }
}

/// The digits of `exponent`, raised.
pub(crate) fn superscript(exponent: &str) -> String {
    exponent
        .chars()
        .map(|c| match c.to_digit(10) {
            Some(digit) => ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][digit as usize],
            None => '⁻',
        })
        .collect()
}

/// Drops zeros that end the decimals.
pub(crate) fn trim(text: String) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    } else {
        text
    }
}

/// Puts a true minus sign.
pub(crate) fn minus(text: String) -> String {
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (1234.0, "1234"),
            (45.678, "45.7"),
            (-2.0, "−2"),
            (0.00012, "1.2×10⁻⁴"),
            (1e6, "10⁶"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(fixed(-0.126, 2), "−0.13");
    }

    #[test]
    fn a_title_wraps_and_a_label_is_cut() {
        let lines = wrap("a few words that need a second line", 16.0, 160.0);
        assert!(lines.len() > 1 && lines.iter().all(|line| width(line, 16.0) <= 160.0));
        let label = cut("antidisestablishmentarianism", 16.0, 80.0);
        assert!(label.ends_with('…') && width(&label, 16.0) <= 80.0);
        assert_eq!(printable("a\n"), "a⏎");
    }
}
