//! A machine that does not exist, and what Intel would say of it.

use std::sync::OnceLock;

use attest::platform::Platform;
use rcgen::Certificate;

use crate::authority::{Forge, PCK_SERIAL};
use crate::collateral;
use crate::key::Key;
use crate::quote::{self, Domain, Enclave};

/// Every component of the CPUSVN of every machine: TCB levels differ in their TDX components.
pub(crate) const CPU_SVN: u8 = 3;
/// The PCESVN of every machine.
pub(crate) const PCE_SVN: u8 = 11;

/// What a machine is. The default has nothing wrong with it.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Family, model, stepping, platform and custom SKU.
    pub fmspc: [u8; 6],
    /// The provisioning certification enclave's number.
    pub pce_id: [u8; 2],
    /// The processor's number.
    pub ppid: [u8; 16],
    /// The machine's number.
    pub piid: [u8; 16],
    /// Whether packages can be added to it.
    pub dynamic_platform: bool,
    /// Whether Intel keeps its root keys.
    pub cached_keys: bool,
    /// Whether its cores run two threads at once.
    pub simultaneous_multithreading: bool,
    /// Whether its PCK certificate is on the revocation list.
    pub revoked: bool,
    /// The TDX SVN that a trust domain was started with.
    pub launch_svn: u8,
    /// The TDX SVN that runs now, in quotes of version 5.
    pub current_svn: u8,
    /// Intel's rating of TDX SVNs, in any order.
    pub levels: Vec<Level>,
    /// The rating's `tcbEvaluationDataNumber`.
    pub tcb_evaluation: u32,
}

/// Intel's rating of all machines of some TDX SVN; of SGX machines, the highest counts.
#[derive(Clone, Debug)]
pub struct Level {
    /// The lowest SVN of the level.
    pub svn: u8,
    /// `tcbStatus`: `UpToDate`, `SWHardeningNeeded`, …
    pub status: &'static str,
    /// `tcbDate`, such as `2026-01-01T00:00:00Z`.
    pub date: &'static str,
    /// `advisoryIDs`, such as `INTEL-SA-00615`.
    pub advisories: Vec<&'static str>,
}

impl Default for Machine {
    fn default() -> Self {
        Machine {
            fmspc: [0xf0, 0x56, 0xe1, 0, 0, 0],
            pce_id: [0, 0],
            ppid: [0x11; 16],
            piid: [0x22; 16],
            dynamic_platform: false,
            cached_keys: false,
            simultaneous_multithreading: false,
            revoked: false,
            launch_svn: 5,
            current_svn: 5,
            levels: vec![Level::rated("UpToDate")],
            tcb_evaluation: 17,
        }
    }
}

impl Machine {
    /// A machine of one rating.
    pub fn rated(status: &'static str) -> Self {
        Machine { levels: vec![Level::rated(status)], ..Machine::default() }
    }
}

impl Level {
    /// A level that every machine reaches.
    pub fn rated(status: &'static str) -> Self {
        Level { svn: 0, status, date: "2026-01-01T00:00:00Z", advisories: Vec::new() }
    }
}

/// A machine with its keys and certificates.
pub struct Installed<'a> {
    pub(crate) forge: &'a Forge,
    pub(crate) machine: Machine,
    /// The key of the PCK certificate, which signs the QE's report.
    pub(crate) pck: Key,
    /// The key of the quoting enclave, which signs quotes.
    pub(crate) attestation: Key,
    /// PCK certificate, PCK CA and root as PEM, as a quote carries them.
    pub(crate) chain: String,
    /// What vouches for the attestation key, of SGX and of TDX: a platform makes it once for each key.
    pub(crate) certification: [OnceLock<Vec<u8>>; 2],
}

impl<'a> Installed<'a> {
    pub(crate) fn new(forge: &'a Forge, machine: Machine, pck: Key, certificate: &Certificate) -> Self {
        let chain = [certificate.pem(), forge.pck_ca.pem(), forge.root.pem()].map(|pem| pem.replace("\r\n", "\n"));
        Installed {
            forge,
            machine,
            pck,
            attestation: Key::generate(),
            chain: chain.concat(),
            certification: Default::default(),
        }
    }

    /// What Intel would publish for machines of this kind: the JSON that
    /// [`attest::collateral::IntelCollateral::from_json`] reads.
    pub fn collateral(&self, platform: Platform) -> Vec<u8> {
        let revoked = self.machine.revoked.then_some(PCK_SERIAL);
        collateral::json(self.forge, &self.machine, platform, revoked)
    }

    /// A quote of version 3.
    pub fn sgx_quote(&self, enclave: &Enclave) -> Vec<u8> {
        quote::sgx(self, enclave)
    }

    /// A quote of version 4 or 5.
    pub fn tdx_quote(&self, domain: &Domain) -> Vec<u8> {
        quote::tdx(self, domain)
    }
}
