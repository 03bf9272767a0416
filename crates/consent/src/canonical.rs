//! Canonical JSON (RFC 8785): one value, one sequence of bytes.
//!
//! Only what manifests and statements need: whole numbers up to 2⁵³ − 1, which every reader takes for the same number
//! (RFC 7493, section 2.2). Fractions are refused.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The largest whole number: 2⁵³ − 1.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;

/// Something that has no canonical form here, or is not in it.
#[derive(Debug, thiserror::Error)]
pub enum NotCanonical {
    /// A fraction, or a whole number above 2⁵³ − 1.
    #[error("only whole numbers up to 2^53 - 1 have a canonical form here")]
    Number,
    /// Not what the document should be.
    #[error("not the document that is expected: {0}")]
    Shape(#[from] serde_json::Error),
    /// Right in content, but written otherwise.
    #[error("not in canonical form (RFC 8785)")]
    Form,
}

/// The canonical bytes of a document.
///
/// # Errors
/// [`NotCanonical`] for numbers that have none.
pub fn to_vec(document: &impl Serialize) -> Result<Vec<u8>, NotCanonical> {
    let mut bytes = Vec::new();
    write(&serde_json::to_value(document)?, &mut bytes)?;
    Ok(bytes)
}

/// Reads a document from its canonical bytes and from no others.
///
/// # Errors
/// [`NotCanonical`] for everything that [`to_vec`] does not write.
pub fn from_slice<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, NotCanonical> {
    let document: T = serde_json::from_slice(bytes)?;
    if to_vec(&document)? == bytes { Ok(document) } else { Err(NotCanonical::Form) }
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), NotCanonical> {
    match value {
        Value::Number(number) => match number.as_u64() {
            Some(whole) if whole <= MAX_NUMBER => out.extend(whole.to_string().bytes()),
            _ => return Err(NotCanonical::Number),
        },
        Value::Array(items) => list(items, (b'[', b']'), out, write)?,
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            // Names are compared as UTF-16 (RFC 8785, section 3.2.3).
            members.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            list(&members, (b'{', b'}'), out, |(name, value), out| {
                text(name, out)?;
                out.push(b':');
                write(value, out)
            })?;
        }
        Value::String(string) => text(string, out)?,
        Value::Null | Value::Bool(_) => serde_json::to_writer(out, value)?,
    }
    Ok(())
}

fn list<T>(
    items: &[T],
    (open, close): (u8, u8),
    out: &mut Vec<u8>,
    each: impl Fn(&T, &mut Vec<u8>) -> Result<(), NotCanonical>,
) -> Result<(), NotCanonical> {
    out.push(open);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        each(item, out)?;
    }
    out.push(close);
    Ok(())
}

/// `serde_json` escapes exactly what RFC 8785 (section 3.2.2.2) asks for, in the same spelling.
fn text(text: &str, out: &mut Vec<u8>) -> Result<(), NotCanonical> {
    Ok(serde_json::to_writer(out, text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(json: &str) -> String {
        let value: Value = serde_json::from_str(json).expect("JSON");
        String::from_utf8(to_vec(&value).expect("whole numbers")).expect("JSON is UTF-8")
    }

    /// The examples of RFC 8785, sections 3.2.2 and 3.2.3, without their fractions.
    #[test]
    fn the_examples_of_the_rfc() {
        let text = r#"{"string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"#;
        assert_eq!(canonical(text), "{\"literals\":[null,true,false],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
        let names = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
        assert_eq!(canonical(names), "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}");
    }

    #[test]
    fn numbers_that_readers_disagree_on_are_refused() {
        for bad in ["1.5", "-1", "9007199254740992", "1e30"] {
            let value: Value = serde_json::from_str(bad).expect("JSON");
            assert!(matches!(to_vec(&value), Err(NotCanonical::Number)), "{bad}");
        }
        assert_eq!(canonical("9007199254740991"), "9007199254740991");
    }

    #[test]
    fn only_the_canonical_form_is_read() {
        assert!(from_slice::<Value>(br#"{"a":1,"b":[]}"#).is_ok());
        for other in [r#"{"b":[],"a":1}"#, r#"{"a": 1,"b":[]}"#, r#"{"a":1,"a":1,"b":[]}"#, r#"{"a":1,"b":[]} "#] {
            assert!(matches!(from_slice::<Value>(other.as_bytes()), Err(NotCanonical::Form)), "{other}");
        }
    }
}
