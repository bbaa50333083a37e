//! Headers that are lists, read as RFC 9110 §5.6.1 writes them: over several lines, with empty elements, and with
//! commas inside quoted texts.

use axum::http::{HeaderMap, HeaderName};

/// The elements of all lines of a header, trimmed, without the empty ones. A line that is not visible ASCII has none.
pub fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| split(line, ','))
        .filter(|element| !element.is_empty())
}

/// How much the client wants the value that an element names, from 0 (not at all) to 1: RFC 9110 §12.4.2. None when no
/// element names it. An element whose quality is malformed says nothing.
pub fn quality(headers: &HeaderMap, name: HeaderName, wanted: &str) -> Option<f32> {
    elements(headers, name).find_map(|element| {
        let mut parts = split(element, ';');
        let named = parts.next()?;
        if !named.eq_ignore_ascii_case(wanted) {
            return None;
        }
        let weight = parts.find_map(|part| {
            let (key, value) = part.split_once('=')?;
            key.trim().eq_ignore_ascii_case("q").then(|| value.trim())
        });
        weight.map_or(Some(1.0), |weight| {
            let quality: f32 = weight.parse().ok()?;
            (0.0..=1.0).contains(&quality).then_some(quality)
        })
    })
}

/// The parts between separators that stand outside of quoted texts, trimmed.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(move |c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == separator && !quoted && !escaped
    });
    parts.map(str::trim)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header::ACCEPT};

    use super::*;

    fn accept(lines: &[&'static str]) -> HeaderMap {
        let lines = lines.iter().map(|line| (ACCEPT, HeaderValue::from_static(line)));
        lines.fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        })
    }

    #[test]
    fn empty_elements_are_no_elements() {
        let headers = accept(&[", a/b;x=\"1,2\\\"\" ,, \t,", "", "c/d"]);
        let read: Vec<&str> = elements(&headers, ACCEPT).collect();
        assert_eq!(read, ["a/b;x=\"1,2\\\"\"", "c/d"]);
    }

    #[test]
    fn the_first_element_that_names_a_value_says_how_much_it_is_wanted() {
        for (line, wanted) in [
            ("a/b", Some(1.0)),
            ("x/y, A/B ; Q=0.5", Some(0.5)),
            ("a/b;x=\";q=0\";q=0.25", Some(0.25)),
            ("a/b;q=0", Some(0.0)),
            ("a/b;q=2", None),
            ("a/b;q=", None),
            ("a/*", None),
            ("", None),
        ] {
            assert_eq!(quality(&accept(&[line]), ACCEPT, "a/b"), wanted, "{line}");
        }
    }
}
