//! Payloads that are JSON objects of parameters.

use serde::de::DeserializeOwned;

use crate::{Failure, Invocation};

impl Invocation<'_> {
    /// The payload as parameters; without one, as with `{}`.
    ///
    /// # Errors
    /// A failure that names the member and says what was expected, and does not quote the payload.
    pub fn parameters<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let mut reader = serde_json::Deserializer::from_str(self.payload().unwrap_or("{}"));
        let parameters = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            let declared = error.inner().is_data() && !error.inner().to_string().starts_with("unknown field");
            // The path of a member that is not known would be a quotation.
            let path = if declared && path != "." { format!("{path}: ") } else { String::new() };
            Failure::function(format!("payload: {path}{}", without_quotation(error.inner())))
        })?;
        reader.end().map_err(|_| Failure::function("payload: something follows the JSON object"))?;
        Ok(parameters)
    }
}

/// What serde says, as far as it follows from the declaration of the parameters alone.
fn without_quotation(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    if error.is_syntax() || error.is_eof() {
        return format!("not JSON, at line {}, column {}", error.line(), error.column());
    }
    if text.starts_with("missing field") || text.starts_with("duplicate field") {
        return text.to_owned();
    }
    let expected = text.rsplit_once(", expected ").map(|(_, expected)| expected);
    let expected = expected.map_or_else(|| "not as the schema says".to_owned(), |what| format!("expected {what}"));
    if text.starts_with("unknown field") {
        format!("a member that the function does not know; {expected}")
    } else {
        expected
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde::Deserialize;

    use super::*;
    use crate::memory::MemoryFiles;
    use crate::meter::Meter;
    use crate::{Inputs, Interface, Limits, PayloadRule, ResultRule, StopSignal};

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Order {
        Up,
        Down,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        rate: f64,
        #[serde(default)]
        order: Option<Order>,
        #[serde(default)]
        count: u8,
    }

    fn parse(payload: Option<&str>) -> Result<Sample, String> {
        let interface = Interface {
            name: "sample".into(),
            version: 1,
            summary: "".into(),
            function_type: types::function::FunctionType::Single,
            inputs: Inputs::NONE,
            payload: PayloadRule::Optional,
            outputs: [].as_slice().into(),
            result: ResultRule::Text,
            schema: "".into(),
            counts: false,
        };
        let mut files = MemoryFiles::new(Vec::<Vec<u8>>::new());
        let meter = Arc::new(Meter::start(Limits::default(), StopSignal::new()));
        Invocation::new(&interface, payload, &mut files, meter).parameters().map_err(|failure| failure.to_string())
    }

    #[test]
    fn parameters_are_read() {
        let expected = Sample { rate: 0.5, order: Some(Order::Up), count: 0 };
        assert_eq!(parse(Some(r#" {"rate": 0.5, "order": "up"} "#)), Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_named_and_not_quoted() {
        for (payload, said) in [
            (None, "payload: missing field `rate`"),
            (Some("secret"), "payload: not JSON, at line 1, column 1"),
            (Some("{"), "payload: not JSON, at line 1, column 1"),
            (Some(r#"{"rate":1} secret"#), "payload: something follows the JSON object"),
            (Some(r#""secret""#), "payload: expected struct Sample"),
            (Some(r#"{"rate":"secret"}"#), "payload: rate: expected f64"),
            (Some(r#"{"rate":"secret, expected secret"}"#), "payload: rate: expected f64"),
            (Some(r#"{"rate":1,"count":300}"#), "payload: count: expected u8"),
            (Some(r#"{"rate":1,"rate":1}"#), "payload: duplicate field `rate`"),
            (Some(r#"{"rate":1,"order":"secret"}"#), "payload: order: expected `up` or `down`"),
            (
                Some(r#"{"secret":1}"#),
                "payload: a member that the function does not know; expected one of `rate`, `order`, `count`",
            ),
        ] {
            assert_eq!(parse(payload), Err(said.to_owned()), "{payload:?}");
        }
    }
}
