//! The path of a URL.

/// Its parts, decoded; none when one of them would lead elsewhere, or is no text.
pub fn parts(path: &str) -> Option<Vec<String>> {
    let decoded = decode(path)?;
    let parts: Vec<String> =
        decoded.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let plain = |part: &String| part != ".." && part != "." && !part.contains(['\\', ':', '\0']);
    parts.iter().all(plain).then_some(parts)
}

/// `%20` is a space.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'%' => {
                let digits = std::str::from_utf8(after.get(..2)?).ok()?;
                rest = &after[2..];
                u8::from_str_radix(digits, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_in_its_folder() {
        let file = |path| parts(path).map(|parts| parts.join("/"));
        assert_eq!(file("/02-scaling.html").as_deref(), Some("02-scaling.html"));
        assert_eq!(file("/a%20b/%C3%BC.svg").as_deref(), Some("a b/ü.svg"));
        assert_eq!(file("/").as_deref(), Some(""));
        for out in [
            "/../Cargo.toml",
            "/a/%2e%2e/%2e%2e/b",
            "/%",
            "/%zz",
            "/%ff",
            "/a%5C..%5Cb",
            "/%00",
            "/C:/x",
        ] {
            assert_eq!(file(out), None, "{out}");
        }
    }
}
