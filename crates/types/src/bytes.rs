//! Bytes that travel as text and are no secret: nonces and evidence.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::PartialSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// Bytes as base64 with padding (RFC 4648, section 4).
#[derive(Clone, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl fmt::Debug for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base64({} bytes)", self.0.len())
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bad = |_| serde::de::Error::custom("expected base64 with padding");
        STANDARD.decode(String::deserialize(deserializer)?).map(Base64).map_err(bad)
    }
}

impl PartialSchema for Base64 {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).description(Some("base64 with padding")).into()
    }
}

impl utoipa::ToSchema for Base64 {}

/// 32 fresh bytes that a verifier chose, as base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce(pub [u8; 32]);

impl Serialize for Nonce {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Base64(bytes) = Base64::deserialize(deserializer)?;
        bytes.try_into().map(Nonce).map_err(|_| serde::de::Error::custom("expected 32 bytes in base64"))
    }
}

impl PartialSchema for Nonce {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).description(Some("32 bytes in base64 with padding")).into()
    }
}

impl utoipa::ToSchema for Nonce {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_travel_as_padded_base64() {
        let json = serde_json::to_string(&Base64(vec![0xfb, 0xff])).expect("plain text");
        assert_eq!(json, "\"+/8=\"");
        assert_eq!(serde_json::from_str::<Base64>(&json).expect("just written").0, [0xfb, 0xff]);
        for bad in ["\"+/8\"", "\"-_8=\"", "5"] {
            assert!(serde_json::from_str::<Base64>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_nonce_has_32_bytes() {
        for length in [0, 31, 32, 33] {
            let json = serde_json::to_string(&Base64(vec![7; length])).expect("plain text");
            let nonce = serde_json::from_str::<Nonce>(&json);
            assert_eq!(nonce.ok(), (length == 32).then_some(Nonce([7; 32])), "{length}");
        }
    }
}
