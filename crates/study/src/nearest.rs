//! Which known name a mistyped one was meant to be.

/// Names less alike than this are not suggested.
const ALIKE: f64 = 0.7;

/// The name of `known` nearest to `typed`, if one is near enough to be meant.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = normal(typed);
    let alike = |name: &str| strsim::normalized_damerau_levenshtein(&typed, &normal(name));
    let prefix = |name: &str| typed.len() >= 3 && normal(name).starts_with(&typed);
    known
        .into_iter()
        .map(|name| (if prefix(name) { 1.0 } else { alike(name) }, name))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// ` Did you mean …?`, or nothing; goes behind the sentence that says what was not found.
pub fn suggestion<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, known).map_or_else(String::new, |name| format!(" Did you mean `{name}`?"))
}

fn normal(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["dot-products", "scaling", "masking", "multi-head"];

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        assert_eq!(nearest("scalling", KNOWN), Some("scaling"));
        assert_eq!(nearest("makisng", KNOWN), Some("masking"));
        assert_eq!(nearest("MULTI_HEAD", KNOWN), Some("multi-head"));
        assert_eq!(nearest("dot", KNOWN), Some("dot-products"));
    }

    #[test]
    fn something_else_altogether_is_not() {
        assert_eq!(nearest("softmax", KNOWN), None);
        assert_eq!(nearest("", KNOWN), None);
        assert_eq!(suggestion("x", KNOWN), "");
    }
}
