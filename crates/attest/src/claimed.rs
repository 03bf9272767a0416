//! What evidence says is running, believed by nobody: for people who stand on the machine and write reference values.

use crate::claims::Measurement;
use crate::dcap::layout::{Field, fields};
use crate::evidence::Evidence;
use crate::platform::Platform;
use crate::refusal::{Fault, Refusal};
use crate::{simulated, snp, tpm};

/// The measurement that evidence claims, of which no signature is checked.
///
/// # Errors
/// [`Refusal::Malformed`] when it is not of its platform's form.
pub fn measurement(evidence: &Evidence) -> Result<Measurement, Refusal> {
    let bytes = evidence.bytes();
    match evidence.platform() {
        Platform::Simulated => simulated::claimed(bytes),
        Platform::Tpm => tpm::claimed(bytes),
        Platform::SevSnp => {
            let place = snp::layout::fields().find(|(name, _)| *name == "MEASUREMENT").map(|(_, place)| place);
            Ok(Measurement::SevSnp { launch_digest: take(bytes, place)? })
        }
        Platform::Sgx => {
            let fields = fields(bytes)?;
            let part = |name| take(bytes, place(&fields, name));
            Ok(Measurement::Sgx { mrenclave: part("MRENCLAVE")?, mrsigner: part("MRSIGNER")? })
        }
        Platform::Tdx => {
            let fields = fields(bytes)?;
            let part = |name| take(bytes, place(&fields, name));
            let rtmr = [part("RTMR0")?, part("RTMR1")?, part("RTMR2")?, part("RTMR3")?];
            Ok(Measurement::Tdx { mrtd: part("MRTD")?, rtmr })
        }
    }
}

/// The first field of a name: a quote's own report comes before that of the enclave that quotes.
fn place(fields: &[Field], name: &str) -> Option<std::ops::Range<usize>> {
    fields.iter().find(|field| field.name == name).map(|field| field.range.clone())
}

fn take<const N: usize>(bytes: &[u8], place: Option<std::ops::Range<usize>>) -> Result<[u8; N], Refusal> {
    let part = place.and_then(|place| bytes.get(place)?.try_into().ok());
    part.ok_or_else(|| Fault::Expected("a measurement").of("evidence"))
}
