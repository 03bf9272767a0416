//! Compares answers with examples byte for byte, except where an example says what kind of value stands there.
//!
//! Clients of the original system search the compact JSON with regular expressions, so that order and spacing count.

use types::secret::SecretBytes;

/// Checks a text against an example; returns what stood where the example has these, in order:
///
/// `<uuid>` a version 4 UUID · `<hex32>`, `<hex64>` lower-case hexadecimal · `<number>` · `<base64 N>` padded base64 of N
/// bytes · `<text>` anything up to the next quote
///
/// # Panics
/// When the text is not like the example; says how far it was.
pub fn check_like(text: &str, example: &str) -> Vec<String> {
    let (mut rest, mut found) = (text, Vec::new());
    let mut parts = example.split('<');
    rest = skip(rest, parts.next().unwrap_or_default(), text, example);
    for part in parts {
        let (kind, literal) = part.split_once('>').expect("every `<` of an example has its `>`");
        let value = take(rest, kind).unwrap_or_else(|| panic!("no {kind} at `{rest}`\nin  {text}\nfor {example}"));
        found.push(value.to_owned());
        rest = skip(&rest[value.len()..], literal, text, example);
    }
    assert!(rest.is_empty(), "`{rest}` is too much\nin  {text}\nfor {example}");
    found
}

fn skip<'t>(rest: &'t str, literal: &str, text: &str, example: &str) -> &'t str {
    rest.strip_prefix(literal).unwrap_or_else(|| panic!("`{rest}` should begin `{literal}`\nin  {text}\nfor {example}"))
}

fn take<'t>(rest: &'t str, kind: &str) -> Option<&'t str> {
    let digits = |length: usize| rest.get(..length).filter(|text| text.bytes().all(is_lower_hex));
    let quoted = || rest.split_once('"').map(|(value, _)| value);
    match kind.split_once(' ').unwrap_or((kind, "")) {
        ("uuid", _) => quoted().filter(|value| is_uuid(value)),
        ("hex32", _) => digits(32),
        ("hex64", _) => digits(64),
        ("number", _) => Some(&rest[..rest.bytes().take_while(u8::is_ascii_digit).count()]).filter(|n| !n.is_empty()),
        ("base64", length) => quoted().filter(|value| decoded_len(value) == length.parse().ok()),
        ("text", _) => quoted(),
        _ => panic!("`<{kind}>` is no kind of value"),
    }
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(is_lower_hex))
        && groups[2].starts_with('4')
        && groups[3].starts_with(['8', '9', 'a', 'b'])
}

fn decoded_len(text: &str) -> Option<usize> {
    let bytes: SecretBytes = serde_json::from_value(text.into()).ok()?;
    Some(bytes.expose().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_they_stand() {
        let text = r#"{"id":"5ef0cfc7-11e9-445a-8c46-23790ea86819","n":42,"key":"AAEC"}"#;
        let found = check_like(text, r#"{"id":"<uuid>","n":<number>,"key":"<base64 3>"}"#);
        assert_eq!(found, ["5ef0cfc7-11e9-445a-8c46-23790ea86819", "42", "AAEC"]);
    }

    #[test]
    fn another_order_length_or_kind_is_refused() {
        for (text, example) in [
            ("ab", "ba"),
            ("abc", "ab"),
            ("ab", "abc"),
            (r#""5ef0cfc7-11e9-145a-8c46-23790ea86819""#, r#""<uuid>""#),
            (r#""AAEC""#, r#""<base64 4>""#),
            (r#""AAE""#, r#""<base64 2>""#),
            ("x", "<number>"),
        ] {
            assert!(std::panic::catch_unwind(|| check_like(text, example)).is_err(), "{text} {example}");
        }
    }
}
