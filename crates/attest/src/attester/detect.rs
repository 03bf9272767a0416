//! Which platform this machine is, for `platform = "auto"`.

use std::path::Path;

use crate::attester::gramine::attestation_type;
use crate::attester::tsm::{self, Directories};
use crate::platform::Platform;

/// The platform whose interface is found below `root`, which is `/` but in tests: an enclave under Gramine, a TDX or
/// SEV-SNP machine, a machine with a TPM. None where there is nothing of that: nobody gets the simulated platform
/// without asking for it.
pub fn detect(root: &Path) -> Option<Platform> {
    detect_with(root, Directories::default())
}

/// The same where a test plays the kernel.
pub fn detect_with(root: &Path, directories: Directories) -> Option<Platform> {
    if attestation_type(&root.join("dev/attestation")).is_ok_and(|kind| kind == "dcap") {
        return Some(Platform::Sgx);
    }
    let report = root.join("sys/kernel/config/tsm/report");
    let provided = tsm::platform(&report, directories).ok().flatten();
    provided.or_else(|| root.join("dev/tpmrm0").exists().then_some(Platform::Tpm))
}
