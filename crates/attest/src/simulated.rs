//! The simulated platform: the flow of a real one, with a key in a file in the place of the hardware's.
//!
//! It exists so that laptops and tests run the very code that real platforms will. It protects nothing from whoever
//! runs the machine, and says so: its evidence has a format, a root and a [`Platform`] of its own, and no verifier of
//! another platform reads it.
//!
//! ```text
//! offset  bytes  (integers big-endian)
//!      0     16  "teehouse-sim v1\n"
//!     16      1  mode: 0 production, 1 debug
//!     17      4  security version
//!     21     32  measurement
//!     53     64  report data
//!    117      8  not before, ms since 1970
//!    125      8  not after, ms since 1970
//!    133     64  Ed25519 (RFC 8032) over bytes 0 to 132
//! ```
//!
//! Ed25519 rather than ECDSA P-256, because every handshake verifies one or two statements and Ed25519 takes two
//! thirds of the time: 24 µs against 35 µs in a loop over 132 bytes with aws-lc-rs 1.19 on one core.

mod root;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crypto::SealingKey;
use crypto::sign::Ed25519KeyPair;
use types::service::Role;
use types::time::UnixMillis;

use crate::attester::{AttestError, Attester, Operation, Sealer};
use crate::claims::{Claims, ConfigId, Endorsements, Measurement, Mode, Specifics, TcbStatus};
use crate::evidence::{Evidence, ReportData};
use crate::platform::Platform;
use crate::refusal::{Fault, Refusal};
use crate::validity::Validity;

pub use root::{BadRoot, SimulatedRoot, SimulatedRootKey};

/// How long evidence holds unless the attester is told otherwise: a day, so that a laptop survives a night.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

const MAGIC: &[u8; 16] = b"teehouse-sim v1\n";
const SIGNED_BYTES: usize = 133;
const SIGNATURE_BYTES: usize = Ed25519KeyPair::SIGNATURE_LEN;
const PART: &str = "simulated evidence";

/// Makes simulated evidence about one service.
#[derive(Clone, Debug)]
pub struct SimulatedAttester {
    root: Arc<SimulatedRoot>,
    measurement: [u8; 32],
    mode: Mode,
    security_version: u32,
    lifetime: Duration,
}

impl SimulatedAttester {
    /// An attester for a build in a role; its measurement is [`Measurement::simulated`]`(role, build)`.
    pub fn new(root: Arc<SimulatedRoot>, role: Role, build: &[u8]) -> Self {
        SimulatedAttester {
            root,
            measurement: Measurement::simulated_digest(role, build),
            mode: Mode::Production,
            security_version: 0,
            lifetime: DEFAULT_LIFETIME,
        }
    }

    /// The same with evidence that holds for another time than [`DEFAULT_LIFETIME`].
    pub fn with_lifetime(self, lifetime: Duration) -> Self {
        SimulatedAttester { lifetime, ..self }
    }

    /// The same with another security version than 0.
    pub fn with_security_version(self, security_version: u32) -> Self {
        SimulatedAttester { security_version, ..self }
    }

    /// The same, pretending that a debugger is attached: the way to test that verifiers refuse it.
    pub fn in_debug_mode(self) -> Self {
        SimulatedAttester { mode: Mode::Debug, ..self }
    }

    /// What it says is running.
    pub fn measurement(&self) -> Measurement {
        Measurement::Simulated(self.measurement)
    }

    fn statement(&self, report_data: &ReportData, now: UnixMillis) -> [u8; SIGNED_BYTES] {
        let validity = Validity::starting(now, self.lifetime);
        let mode = match self.mode {
            Mode::Production => 0,
            Mode::Debug => 1,
        };
        let parts: [&[u8]; 7] = [
            MAGIC,
            &[mode],
            &self.security_version.to_be_bytes(),
            &self.measurement,
            &report_data.0,
            &validity.not_before.0.to_be_bytes(),
            &validity.not_after.0.to_be_bytes(),
        ];
        parts.concat().try_into().expect("the parts have the layout's lengths")
    }
}

impl Attester for SimulatedAttester {
    fn platform(&self) -> Platform {
        Platform::Simulated
    }

    fn attest(&self, report_data: &ReportData, now: UnixMillis) -> Result<Evidence, AttestError> {
        let statement = self.statement(report_data, now);
        let bytes = [&statement[..], &self.root.sign(&statement)].concat();
        Ok(Evidence::new(Platform::Simulated, bytes).expect("197 bytes are within the limit"))
    }
}

/// Checks the signature under `root`, then reads the claims.
///
/// # Errors
/// [`Refusal::BadSignature`] or [`Refusal::Malformed`].
pub(crate) fn verify(bytes: &[u8], root: &SimulatedRootKey) -> Result<Claims, Refusal> {
    let (statement, signature) = split(bytes).map_err(|fault| fault.of(PART))?;
    root.verify(statement, signature)?;
    read(statement).map_err(|fault| fault.of(PART))
}

/// The measurement that unverified evidence claims.
pub(crate) fn claimed(bytes: &[u8]) -> Result<Measurement, Refusal> {
    let (statement, _) = split(bytes).map_err(|fault| fault.of(PART))?;
    read(statement).map(|claims| claims.measurement).map_err(|fault| fault.of(PART))
}

fn split(bytes: &[u8]) -> Result<(&[u8; SIGNED_BYTES], &[u8; SIGNATURE_BYTES]), Fault> {
    let (statement, rest) = bytes.split_first_chunk().ok_or(Fault::Truncated)?;
    let (signature, rest) = rest.split_first_chunk().ok_or(Fault::Truncated)?;
    if rest.is_empty() { Ok((statement, signature)) } else { Err(Fault::TrailingBytes) }
}

fn read(statement: &[u8; SIGNED_BYTES]) -> Result<Claims, Fault> {
    let mut fields = Fields(statement);
    if fields.next()? != *MAGIC {
        return Err(Fault::Expected("the label `teehouse-sim v1`"));
    }
    let mode = match fields.next()? {
        [0] => Mode::Production,
        [1] => Mode::Debug,
        _ => return Err(Fault::Expected("mode 0 or 1")),
    };
    Ok(Claims {
        mode,
        security_version: u32::from_be_bytes(fields.next()?),
        measurement: Measurement::Simulated(fields.next()?),
        report_data: ReportData(fields.next()?),
        validity: Validity {
            not_before: UnixMillis(u64::from_be_bytes(fields.next()?)),
            not_after: UnixMillis(u64::from_be_bytes(fields.next()?)),
        },
        product_id: 0,
        config_id: ConfigId::default(),
        tcb_status: TcbStatus::Unrated,
        tcb_date: UnixMillis(0),
        advisories: Vec::new(),
        weaknesses: BTreeSet::new(),
        platform_ids: BTreeSet::new(),
        specifics: Specifics::None,
        endorsements: Endorsements::Unneeded,
    })
}

/// Takes fixed-size fields from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn next<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Fault::Truncated)?;
        self.0 = rest;
        Ok(*field)
    }
}

/// Keeps sealing keys that the caller read from files, one per service of this process.
#[derive(Debug, Default)]
pub struct SimulatedSealer(BTreeMap<Role, SealingKey>);

impl SimulatedSealer {
    /// The same with the key of one more service.
    pub fn with_key(mut self, role: Role, key: SealingKey) -> Self {
        self.0.insert(role, key);
        self
    }
}

/// The sealer was given no key for this service.
#[derive(Debug, thiserror::Error)]
#[error("no sealing key for {0} was loaded")]
struct NoKey(Role);

impl Sealer for SimulatedSealer {
    fn platform(&self) -> Platform {
        Platform::Simulated
    }

    fn sealing_key(&self, role: Role) -> Result<SealingKey, AttestError> {
        let key = self.0.get(&role).map(|key| SealingKey::from_bytes(*key.danger_expose()));
        key.ok_or_else(|| AttestError {
            platform: Platform::Simulated,
            operation: Operation::Seal,
            source: Box::new(NoKey(role)),
        })
    }
}

#[cfg(test)]
mod tests {
    use crypto::hash::{Sha256, hex};

    use super::*;

    /// Computed with Python's `cryptography` from this module's table; both halves of a `--dev` system depend on it.
    #[test]
    fn evidence_has_these_bytes() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n-----END PRIVATE KEY-----\n";
        let root = Arc::new(SimulatedRoot::from_pem(pem).expect("the key of 32 sevens"));
        let attester = SimulatedAttester::new(root, Role::Kms, b"build")
            .with_lifetime(Duration::from_secs(3600))
            .with_security_version(9)
            .in_debug_mode();
        let evidence = attester.attest(&ReportData([5; 64]), UnixMillis(1_000_000_000_000)).expect("a key in memory");
        let expected = "7249e0ca4f96f90dbbb96a59c3568e275b839ac7c9d88695c471ffeb784033f2";
        assert_eq!(hex(&Sha256::digest(evidence.bytes())), expected);
    }

    #[test]
    fn a_signed_statement_is_still_read_strictly() {
        let root = SimulatedRoot::generate();
        let attester = SimulatedAttester::new(Arc::new(SimulatedRoot::generate()), Role::Kms, b"build");
        let statement = attester.statement(&ReportData([5; 64]), UnixMillis(0));
        let check = |index: usize, fault: Fault| {
            let mut changed = statement;
            changed[index] ^= 2;
            let bytes = [&changed[..], &root.sign(&changed)].concat();
            assert_eq!(verify(&bytes, &root.public()), Err(fault.of(PART)));
        };
        check(0, Fault::Expected("the label `teehouse-sim v1`"));
        check(15, Fault::Expected("the label `teehouse-sim v1`"));
        check(16, Fault::Expected("mode 0 or 1"));
    }
}
