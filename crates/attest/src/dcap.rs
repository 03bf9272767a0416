//! Intel's evidence: SGX quotes of version 3 and TDX quotes of versions 4 and 5, verified as Intel's DCAP does.
//!
//! ```text
//! pinned root CA ─┬─ PCK CA ── PCK certificate ── QE report ── attestation key ── header and report   (the quote)
//!                 ├─ TCB signing certificate ─┬─ TCB info: which states of which machines are good    (collateral)
//!                 │                           └─ QE identity: which quoting enclaves are Intel's
//!                 └─ two revocation lists
//! ```
//!
//! `dcap-qvl` verifies signatures, chains, revocation and TCB matching. Around it stands what it leaves open:
//!
//! * [`layout`]: a quote ends where its lengths say, and its parts fill it without gaps; `dcap-qvl` reads over
//!   whatever follows. Linux hands out TDX quotes in a larger buffer: [`layout::without_padding`] is for whoever makes
//!   evidence of them.
//! * `chain`: the certificates are three, in one encoding, and end in the pinned root, so that no byte of a quote is
//!   free. The signatures' twins remain: see `docs/attestation-malleability.md`, and never name evidence by its hash.
//! * dates before signatures, so that old collateral is reported as old and not as broken.
//! * `strict`: the verifier's strictest policy, loosened by name.
//!
//! Sources: Intel SGX ECDSA Quote Library Reference, appendix A (quote version 3); Intel TDX DCAP Quoting Library API,
//! appendix A (versions 4 and 5); Intel SGX PCK Certificate and CRL Profile, section 1.3.5; Intel PCS API, version 4.

mod again;
mod chain;
mod config;
pub mod layout;
mod refused;
mod report;
mod strict;

pub(crate) use again::claims_again;

use std::borrow::Cow;

use dcap_qvl::verify::QuoteVerifier;
use types::time::UnixMillis;

use crate::claims::Claims;
use crate::collateral::{Collateral, IntelCollateral, Need, PckCa};
use crate::dcap::chain::PckChain;
use crate::dcap::config::OurCrypto;
use crate::dcap::layout::Quote;
use crate::dcap::strict::Strict;
use crate::evidence::Evidence;
use crate::platform::Platform;
use crate::reference::ReferenceValues;
use crate::refusal::Refusal;

/// The root that vouches for SGX and TDX platforms. The default is Intel's: the SGX Root CA's certificate, whose
/// SHA-256 is `44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntelRoot(Cow<'static, [u8]>);

impl IntelRoot {
    /// Another certificate (DER) in the place of Intel's. Whoever holds its key can be any platform: it is for the
    /// forge of our tests, and nothing else.
    pub fn danger_other(certificate: Vec<u8>) -> Self {
        IntelRoot(Cow::Owned(certificate))
    }

    /// The certificate (DER).
    pub fn certificate(&self) -> &[u8] {
        &self.0
    }
}

impl Default for IntelRoot {
    fn default() -> Self {
        IntelRoot(Cow::Borrowed(include_bytes!("dcap/intel-sgx-root-ca.der")))
    }
}

/// Checks a quote under `root` with what `collateral` says of its machine at `now`, then reads its claims.
///
/// Of the reference values only those are looked at that the verifier needs itself: allowances.
pub(crate) fn verify(
    evidence: &Evidence,
    root: &IntelRoot,
    collateral: &Collateral,
    reference: &ReferenceValues,
    now: UnixMillis,
) -> Result<Claims, Refusal> {
    let platform = evidence.platform();
    let quote = Quote::read(evidence.bytes())?;
    let chain = PckChain::read(quote.chain)?;
    if chain.root() != root.certificate() {
        return Err(Refusal::OtherRoot(platform));
    }
    let collateral = choose(platform, &chain, collateral)?;
    chain.check_dates(now)?;
    collateral.check_dates(now)?;
    let policy = Strict { reference, now_seconds: now.0 / 1000 };
    let verifier = QuoteVerifier::<OurCrypto>::new_with_config(root.certificate().to_vec());
    // Debug mode is refused with the other claims, as on every platform.
    let verified = verifier.allow_debug(true).verify_with_policy(
        evidence.bytes(),
        collateral.parts(),
        policy.now_seconds,
        &policy,
    );
    let verified = verified.map_err(|error| refused::refusal(platform, error))?;
    Ok(report::claims(&verified, collateral, collateral.validity().and(chain.validity())))
}

/// What a quote needs by its own word.
pub(crate) fn need(evidence: &Evidence) -> Option<Need> {
    let quote = Quote::read(evidence.bytes()).ok()?;
    let subject = PckChain::read(quote.chain).ok()?.subject(evidence.platform()).ok()?;
    let ca = PckCa::named(&subject.issuer)?;
    Some(Need::Intel { platform: subject.platform, fmspc: subject.fmspc, ca })
}

/// The collateral for the machine that a quote's certificate names.
fn choose<'a>(
    platform: Platform,
    chain: &PckChain,
    collateral: &'a Collateral,
) -> Result<&'a IntelCollateral, Refusal> {
    let subject = chain.subject(platform)?;
    collateral.intel().iter().find(|held| *held.subject() == subject).ok_or_else(|| Refusal::CollateralMissing {
        platform,
        kind: format!("{} ({})", crypto::hash::hex(&subject.fmspc), chain.issuer_name()),
    })
}

#[cfg(test)]
mod tests {
    use crypto::hash::{Sha256, hex};

    use super::*;

    /// The fingerprint that Intel publishes with the certificate.
    #[test]
    fn the_root_is_intels() {
        let fingerprint = hex(&Sha256::digest(IntelRoot::default().certificate()));
        assert_eq!(fingerprint, "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3");
    }
}
