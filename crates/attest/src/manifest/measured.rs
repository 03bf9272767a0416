//! A measurement as a document: what `teehouse attest measure` prints and a manifest lists.

use serde::{Deserialize, Serialize};
use types::service::Role;

use crate::claims::Measurement;
use crate::manifest::Malformed;
use crate::manifest::text::Hex;
use crate::platform::Platform;

/// What a build measures to in a role: `{"measurement": {KIND: …}, "platform": KIND, "role": ROLE}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// In which role it runs.
    pub role: Role,
    /// What its platform says of it.
    pub measurement: Measurement,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    measurement: MeasurementDocument,
    platform: String,
    role: Role,
}

/// A measurement, tagged with its platform's name; the fields are in alphabetical order.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum MeasurementDocument {
    Simulated { digest: Hex<32> },
    Tpm { pcr_digest: Hex<32> },
    SevSnp { launch_digest: Hex<48> },
    Tdx { mrtd: Hex<48>, rtmr: [Hex<48>; 4] },
    Sgx { mrenclave: Hex<32>, mrsigner: Hex<32> },
}

impl Measured {
    /// Reads one such document, or a JSON list of them.
    ///
    /// # Errors
    /// [`Malformed`] for anything else.
    pub fn from_json(bytes: &[u8]) -> Result<Vec<Self>, Malformed> {
        let failed = |error| Malformed::json("measurement", &error);
        let documents: Vec<Document> = match bytes.trim_ascii_start().first() {
            Some(b'[') => serde_json::from_slice(bytes).map_err(failed)?,
            _ => vec![serde_json::from_slice(bytes).map_err(failed)?],
        };
        documents.into_iter().map(Document::check).collect()
    }
}

impl Document {
    fn check(self) -> Result<Measured, Malformed> {
        let measured = Measured { role: self.role, measurement: self.measurement.into() };
        match self.platform == measured.measurement.platform().as_str() {
            true => Ok(measured),
            false => Err(Malformed::Contradiction("a measurement's `platform` is not its kind")),
        }
    }
}

impl Serialize for Measured {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let platform: Platform = self.measurement.platform();
        let measurement = (&self.measurement).into();
        Document { measurement, platform: platform.as_str().to_owned(), role: self.role }.serialize(serializer)
    }
}

impl From<&Measurement> for MeasurementDocument {
    fn from(measurement: &Measurement) -> Self {
        match measurement {
            Measurement::Simulated(digest) => MeasurementDocument::Simulated { digest: Hex(*digest) },
            Measurement::Tpm { pcr_digest } => MeasurementDocument::Tpm { pcr_digest: Hex(*pcr_digest) },
            Measurement::SevSnp { launch_digest } => MeasurementDocument::SevSnp { launch_digest: Hex(*launch_digest) },
            Measurement::Tdx { mrtd, rtmr } => MeasurementDocument::Tdx { mrtd: Hex(*mrtd), rtmr: rtmr.map(Hex) },
            Measurement::Sgx { mrenclave, mrsigner } => {
                MeasurementDocument::Sgx { mrenclave: Hex(*mrenclave), mrsigner: Hex(*mrsigner) }
            }
        }
    }
}

impl From<MeasurementDocument> for Measurement {
    fn from(document: MeasurementDocument) -> Self {
        match document {
            MeasurementDocument::Simulated { digest } => Measurement::Simulated(digest.0),
            MeasurementDocument::Tpm { pcr_digest } => Measurement::Tpm { pcr_digest: pcr_digest.0 },
            MeasurementDocument::SevSnp { launch_digest } => Measurement::SevSnp { launch_digest: launch_digest.0 },
            MeasurementDocument::Tdx { mrtd, rtmr } => Measurement::Tdx { mrtd: mrtd.0, rtmr: rtmr.map(|hex| hex.0) },
            MeasurementDocument::Sgx { mrenclave, mrsigner } => {
                Measurement::Sgx { mrenclave: mrenclave.0, mrsigner: mrsigner.0 }
            }
        }
    }
}
