//! Intel's SGX extension of a PCK certificate (Intel SGX PCK Certificate and CRL Profile, section 1.3.5).

use rcgen::CustomExtension;

use crate::der::{boolean, enumerated, integer, octets, oid, sequence};
use crate::machine::{CPU_SVN, Machine, PCE_SVN};

/// 1.2.840.113741.1.13.1, as arcs and as the bytes of its encoding.
const SGX_EXTENSIONS: [u64; 7] = [1, 2, 840, 113_741, 1, 13, 1];
const SGX_EXTENSIONS_DER: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01];

/// `SGXType` 1: Scalable, as on every server.
const SCALABLE: u8 = 1;

pub(crate) fn sgx(machine: &Machine) -> CustomExtension {
    let configuration = sequence(&[
        entry(&[7, 1], boolean(machine.dynamic_platform)),
        entry(&[7, 2], boolean(machine.cached_keys)),
        entry(&[7, 3], boolean(machine.simultaneous_multithreading)),
    ]);
    let content = sequence(&[
        entry(&[1], octets(&machine.ppid)),
        entry(&[2], tcb()),
        entry(&[3], octets(&machine.pce_id)),
        entry(&[4], octets(&machine.fmspc)),
        entry(&[5], enumerated(SCALABLE)),
        entry(&[6], octets(&machine.piid)),
        entry(&[7], configuration),
    ]);
    CustomExtension::from_oid_content(&SGX_EXTENSIONS, content)
}

/// The sixteen component SVNs, PCESVN and CPUSVN.
fn tcb() -> Vec<u8> {
    let components = (1..=16).map(|number: u8| entry(&[2, number], integer(CPU_SVN)));
    let last = [entry(&[2, 17], integer(PCE_SVN)), entry(&[2, 18], octets(&[CPU_SVN; 16]))];
    sequence(&components.chain(last).collect::<Vec<_>>())
}

fn entry(arcs: &[u8], value: Vec<u8>) -> Vec<u8> {
    sequence(&[oid(&SGX_EXTENSIONS_DER, arcs), value])
}
