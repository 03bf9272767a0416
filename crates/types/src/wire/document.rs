//! From bytes to a typed request, with errors that name the field.
//!
//! A document is read in two steps: once as a JSON object, to find its `type`, and then as the one struct that this
//! type calls for. Serde's own internally tagged enums would do both at once, but lose the path of a wrong field.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

/// A JSON object whose keys are distinct.
pub struct Document(Map<String, Value>);

/// Bytes that are no acceptable request. `Display` names the field and never quotes a value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not a JSON object.
    #[error("the body is not a JSON object: {0}")]
    NotAnObject(String),
    /// `type` is missing or no text.
    #[error("field `type` is missing or not a string")]
    NoType,
    /// `type` names no request of this API.
    #[error("field `type`: expected one of {expected}")]
    UnknownType {
        /// The types that exist here.
        expected: &'static str,
    },
    /// A field is missing, unknown, mistyped or out of range.
    #[error("{0}")]
    Field(String),
}

/// A request of one API: knows how to become typed.
pub trait Request: Sized {
    /// Reads a request from an object.
    ///
    /// # Errors
    /// When the object is no request of this API.
    fn from_document(document: Document) -> Result<Self, DecodeError>;

    /// Reads a request from JSON bytes.
    ///
    /// # Errors
    /// When the bytes are no request of this API.
    fn from_json(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::from_document(Document::from_json(bytes)?)
    }

    /// The request's kind, for logs and metrics: a constant, never the client's text.
    fn kind(&self) -> &'static str;
}

impl Document {
    /// Reads one JSON object with nothing after it.
    ///
    /// # Errors
    /// When the bytes are no JSON, no object, nested deeper than 128 levels, or name a key twice.
    pub fn from_json(bytes: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(bytes).map_err(|error| DecodeError::NotAnObject(describe(&error)))
    }

    /// Takes the `type` out.
    pub(crate) fn take_type(&mut self) -> Result<String, DecodeError> {
        match self.0.remove("type") {
            Some(Value::String(name)) => Ok(name),
            _ => Err(DecodeError::NoType),
        }
    }

    /// Reads the remaining fields as `T`.
    pub(crate) fn into_fields<T: DeserializeOwned>(self) -> Result<T, DecodeError> {
        serde_path_to_error::deserialize(Value::Object(self.0)).map_err(|error| DecodeError::Field(name_field(&error)))
    }
}

/// Where the JSON breaks, without quoting it.
fn describe(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Eof => "it ends too early".to_owned(),
        serde_json::error::Category::Data => redact(&error.to_string()),
        _ => format!("malformed at line {}, column {}", error.line(), error.column()),
    }
}

/// Serde quotes an offending value; a value may be a secret, so what it quotes is left out.
fn redact(message: &str) -> String {
    const VARIANT: &str = "unknown variant ";
    if let Some(allowed) =
        message.strip_prefix(VARIANT).and_then(|rest| rest.rfind("`, expected ").map(|at| &rest[at + 1..]))
    {
        return format!("{VARIANT}…{allowed}");
    }
    let unquoted = match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => format!("{}…{}", &message[..first], &message[last + 1..]),
        _ => message.to_owned(),
    };
    match unquoted.find("integer `").or_else(|| unquoted.find("floating point `")) {
        Some(at) => {
            let quote = unquoted[at..].find('`').map_or(at, |offset| at + offset);
            let end = unquoted[quote + 1..].find('`').map_or(unquoted.len(), |offset| quote + 2 + offset);
            format!("{}…{}", &unquoted[..quote], &unquoted[end..])
        }
        None => unquoted,
    }
}

fn name_field(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let (reason, path) = (redact(&error.inner().to_string()), error.path().to_string());
    // A missing field is named by the reason itself, and an unknown one too; the path is that of what it would be in.
    let (reason, path) = match unknown(&reason) {
        Some((name, rest)) => {
            let parent = path.strip_suffix(name).and_then(|path| path.strip_suffix('.'));
            let parent = parent.filter(|path| !path.is_empty()).unwrap_or(".");
            (format!("{UNKNOWN}{}{rest}", shorten(name)), parent)
        }
        None => (reason, path.as_str()),
    };
    match path {
        "." => reason,
        path => format!("field `{}`: {reason}", shorten(path)),
    }
}

const UNKNOWN: &str = "unknown field `";

/// The name of an unknown field, which is the client's own text and is cut like a path, and what follows it.
fn unknown(reason: &str) -> Option<(&str, &str)> {
    let rest = reason.strip_prefix(UNKNOWN)?;
    let end = rest.rfind("`, expected ").or_else(|| rest.rfind("`, there are no fields"))?;
    Some((&rest[..end], &rest[end..]))
}

/// A path holds the client's own keys at most; long ones are cut.
fn shorten(path: &str) -> String {
    const MAX_CHARS: usize = 80;
    path.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect()
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Document;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Document, A::Error> {
                let mut object = Map::new();
                while let Some((key, value)) = entries.next_entry::<String, Value>()? {
                    if object.insert(key, value).is_some() {
                        return Err(serde::de::Error::custom("a key occurs twice"));
                    }
                }
                Ok(Document(object))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// Declares an API's requests: an enum that writes itself with a `type` tag and reads itself through [`Request`].
macro_rules! requests {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident($fields:ty),)+ }) => {
        #[allow(clippy::large_enum_variant, reason = "a request is read once and moved once; a box would cost more")]
        #[derive(Debug, serde::Serialize, utoipa::ToSchema)]
        #[serde(tag = "type")]
        $(#[$doc])*
        pub enum $name {
            $($(#[$variant_doc])* $variant($fields),)+
        }

        impl $crate::wire::Request for $name {
            fn from_document(mut document: $crate::wire::Document) -> Result<Self, $crate::wire::DecodeError> {
                match document.take_type()?.as_str() {
                    $(stringify!($variant) => document.into_fields().map($name::$variant),)+
                    _ => Err($crate::wire::DecodeError::UnknownType {
                        expected: concat!($("`", stringify!($variant), "` ",)+),
                    }),
                }
            }

            fn kind(&self) -> &'static str {
                match self {
                    $($name::$variant(_) => stringify!($variant),)+
                }
            }
        }

        $(impl From<$fields> for $name {
            fn from(fields: $fields) -> Self {
                $name::$variant(fields)
            }
        })+
    };
}
pub(crate) use requests;

#[cfg(test)]
mod tests {
    use crate::wire::{Request, fns, tdfs_external, tms_external, tms_internal};

    fn check_refused<R: Request>(json: &str, expected: &str) {
        match R::from_json(json.as_bytes()) {
            Ok(_) => panic!("accepted: {json}"),
            Err(error) => assert_eq!(error.to_string(), expected, "{json}"),
        }
    }

    #[test]
    fn an_error_names_the_field_and_quotes_no_value() {
        use tdfs_external::Request as Tdfs;
        let cases = [
            (r#"{"type":"Get"}"#, "missing field `file_id`"),
            (
                r#"{"type":"Get","file_id":5,"user_id":"u","user_token":"t"}"#,
                "field `file_id`: invalid type: integer …, expected a string",
            ),
            (
                r#"{"type":"Get","file_id":"f","user_id":"u","user_token":{"a":1}}"#,
                "field `user_token`: invalid type: map, expected a string",
            ),
            (
                r#"{"type":"Get","file_id":"f","user_id":"u","user_token":"t","x":1}"#,
                "unknown field `x`, expected one of `file_id`, `user_id`, `user_token`",
            ),
            (
                &format!(r#"{{"type":"Get","file_id":"f","user_id":"u","user_token":"t","{}\n":1}}"#, "x".repeat(5000)),
                &format!("unknown field `{}`, expected one of `file_id`, `user_id`, `user_token`", "x".repeat(80)),
            ),
            (r#"{"type":"Get","type":"Get"}"#, "the body is not a JSON object: a key occurs twice at line 1 column 27"),
            (
                r#"{"type":"Drop"}"#,
                "field `type`: expected one of `Create` `Get` `List` `Delete` `Upload` `CompleteUpload` `GetKey` `SetKey` `Usage` `SetPolicy` ",
            ),
            (r#"{"type":5}"#, "field `type` is missing or not a string"),
            ("{}", "field `type` is missing or not a string"),
            ("", "the body is not a JSON object: it ends too early"),
            ("{", "the body is not a JSON object: it ends too early"),
            ("[]", "the body is not a JSON object: invalid type: sequence, expected an object at line 1 column 0"),
            (
                r#""secret""#,
                "the body is not a JSON object: invalid type: string …, expected an object at line 1 column 8",
            ),
            ("{} x", "the body is not a JSON object: malformed at line 1, column 4"),
        ];
        for (json, expected) in cases {
            check_refused::<Tdfs>(json, expected);
        }
    }

    #[test]
    fn a_word_that_is_none_of_a_few_is_not_quoted_either() {
        check_refused::<tms_internal::Request>(
            r#"{"type":"Update","task_id":"t","output_files":[],"status":"a `secret`, \"quoted\""}"#,
            "field `status`: unknown variant …, expected one of `Created`, `Ready`, `Running`, `Finished`, `Failed`",
        );
    }

    #[test]
    fn a_field_inside_another_is_named_with_it() {
        let register = |declaration: &str| {
            format!(
                r#"{{"type":"RegisterFunction","function_name":"f","file_id":"f","declaration":{declaration},
                    "user_id":"u","user_token":"t"}}"#
            )
        };
        let rest = r#""function_type":"Single","payload":"Optional","outputs":[]"#;
        for (declaration, expected) in [
            ("{}".to_owned(), "field `declaration`: missing field `language`"),
            (
                format!(r#"{{"language":"Wasm",{rest},"inputs":{{"mix":1}}}}"#),
                "field `declaration.inputs`: unknown field `mix`, expected one of `min`, `max`, `from_every_party`",
            ),
            (
                format!(r#"{{"language":"Wasm",{rest},"inputs":{{"min":-1}}}}"#),
                "field `declaration.inputs.min`: invalid value: integer …, expected usize",
            ),
        ] {
            check_refused::<tms_external::Request>(&register(&declaration), expected);
        }
    }

    #[test]
    fn out_of_range_numbers_and_names_are_refused() {
        let create = |field: &str, value: &str| {
            let mut fields = [
                ("type", "\"Create\"".to_owned()),
                ("file_name", "\"f\"".into()),
                ("sha256", format!("\"{}\"", "0".repeat(64))),
                ("file_size", "1".into()),
                ("user_id", "\"u\"".into()),
                ("user_token", "\"t\"".into()),
            ];
            fields.iter_mut().filter(|(name, _)| *name == field).for_each(|(_, old)| *old = value.to_owned());
            let body: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            tdfs_external::Request::from_json(format!("{{{}}}", body.join(",")).as_bytes())
        };
        assert!(create("file_size", "18446744073709551615").is_ok());
        for (field, value) in [
            ("file_size", "-1"),
            ("file_size", "1.5"),
            ("file_size", "1e3"),
            ("sha256", "\"aa\""),
            ("user_id", "\"a b\""),
        ] {
            let message = create(field, value).expect_err("out of range").to_string();
            assert!(message.starts_with(&format!("field `{field}`")), "{message}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_stack_overflow() {
        let deep = format!("{{\"type\":{}", "[".repeat(100_000));
        assert!(tms_external::Request::from_json(deep.as_bytes()).is_err());
    }

    #[test]
    fn an_invocation_has_no_type_and_its_payload_may_be_null_or_missing() {
        for payload in ["", r#","payload":null"#, r#","payload":"p""#] {
            let json = format!(r#"{{"task_id":"t","function_name":"echo","task_token":"x"{payload}}}"#);
            let request = fns::Request::from_json(json.as_bytes()).expect("documented");
            assert_eq!(request.payload.is_some(), payload.contains('p') && payload.contains("\"p\""), "{json}");
        }
    }
}
