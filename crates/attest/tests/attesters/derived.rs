//! Keys that a processor derives, here one in software.

use std::io;

use attest::attester::{DerivedKeyRequest, DerivedKeySource, Sealer, SnpSealer};
use attest::platform::Platform;
use crypto::hash::Sha256;
use types::service::Role;

/// Mixes what is asked for into a key of its own, as firmware does.
struct Processor {
    secret: [u8; 32],
    measurement: [u8; 48],
    committed_tcb: u64,
}

impl DerivedKeySource for Processor {
    fn derived_key(&self, request: &DerivedKeyRequest) -> io::Result<[u8; 32]> {
        if request.tcb_version > self.committed_tcb {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        assert_eq!(request.guest_field_select & 1 << 3, 1 << 3, "the measurement is mixed in");
        let tcb = request.tcb_version.to_le_bytes();
        Ok(Sha256::digest(&[&self.secret[..], &self.measurement, &tcb].concat()))
    }
}

fn key(secret: u8, measurement: u8, tcb: u64, role: Role) -> [u8; 32] {
    let source = Processor { secret: [secret; 32], measurement: [measurement; 48], committed_tcb: 9 };
    let sealer = SnpSealer::new(source, DerivedKeyRequest::bound_to_measurement(tcb));
    *sealer.sealing_key(role).unwrap().danger_expose()
}

#[test]
fn a_key_is_of_one_chip_one_guest_one_firmware_and_one_role() {
    let first = key(1, 2, 3, Role::Kms);
    assert_eq!(key(1, 2, 3, Role::Kms), first);
    for other in [key(9, 2, 3, Role::Kms), key(1, 9, 3, Role::Kms), key(1, 2, 9, Role::Kms), key(1, 2, 3, Role::Tms)] {
        assert_ne!(other, first);
    }
}

/// As the firmware's `MSG_KEY_REQ` numbers them: bit 0 is the guest's policy, 3 its launch digest, 5 the TCB version.
#[test]
fn the_request_binds_policy_launch_digest_and_tcb() {
    let request = DerivedKeyRequest::bound_to_measurement(0xd318_0000_0000_000a);
    let DerivedKeyRequest { root_key_select, guest_field_select, vmpl, guest_svn, tcb_version } = request;
    assert_eq!((root_key_select, guest_field_select), (0, 0b10_1001), "of the VCEK");
    assert_eq!((vmpl, guest_svn, tcb_version), (0, 0, 0xd318_0000_0000_000a));
}

#[test]
fn firmware_that_refuses_is_reported() {
    let source = Processor { secret: [1; 32], measurement: [2; 48], committed_tcb: 2 };
    let sealer = SnpSealer::new(source, DerivedKeyRequest::bound_to_measurement(3));
    assert_eq!(sealer.platform(), Platform::SevSnp);
    let error = sealer.sealing_key(Role::Kms).unwrap_err();
    assert_eq!(error.to_string(), "the sev-snp platform could not give its sealing key");
}
