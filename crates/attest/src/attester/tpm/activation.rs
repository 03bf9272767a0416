//! Showing that the attestation key lives in the TPM of an endorsement key: TPM2_ActivateCredential.

use zeroize::Zeroizing;

use crate::attester::tpm::command::{Command, code, handle};
use crate::attester::tpm::device::{Loaded, TpmDevice};
use crate::attester::tpm::{TpmError, attestation_key};
use crate::refusal::Fault;
use crate::tpm::wire::{Reader, Writer};
use crate::tpm::{Challenge, EndorsementKey, endorsement_key};

/// `TPM_SE_POLICY`.
const POLICY: u8 = 1;

impl TpmDevice {
    /// The TPM's endorsement key of template L-1, which its maker's certificate is for.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn endorsement_key(&self) -> Result<EndorsementKey, TpmError> {
        let public = self.with_primary(handle::ENDORSEMENT, &endorsement_key(), |key| Ok(key.public.clone()))?;
        EndorsementKey::read(&public).map_err(TpmError::Form)
    }

    /// The secret of a challenge to this TPM and its attestation key.
    ///
    /// # Errors
    /// [`TpmError::Refused`] for a challenge to another TPM or key.
    pub fn activate(&self, challenge: &Challenge) -> Result<Zeroizing<[u8; 32]>, TpmError> {
        self.with_primary(handle::ENDORSEMENT, &endorsement_key(), |endorsement| {
            let (endorsing, session) = (endorsement.handle, endorsement.session(POLICY)?);
            let secret = endorsement.with_primary(handle::ENDORSEMENT, &attestation_key(), |key| {
                authorise(key, session)?;
                activate(key, endorsing, session, challenge)
            });
            if secret.is_err() {
                endorsement.flush(session)?;
            }
            secret
        })
    }
}

/// Has the session use the endorsement hierarchy's password, which is empty: TPM2_PolicySecret without limits.
fn authorise(loaded: &mut Loaded<'_>, session: u32) -> Result<(), TpmError> {
    let parameters = Writer::default().sized(&[]).sized(&[]).sized(&[]).u32(0).finish();
    let command = Command::new(code::POLICY_SECRET).owner(handle::ENDORSEMENT).about(session);
    loaded.run(&command.parameters(parameters)).map(|_| ())
}

fn activate(
    key: &mut Loaded<'_>,
    endorsing: u32,
    session: u32,
    challenge: &Challenge,
) -> Result<Zeroizing<[u8; 32]>, TpmError> {
    let parameters = Writer::default().sized(&challenge.credential).sized(&challenge.seed).finish();
    let command = Command::new(code::ACTIVATE_CREDENTIAL).owner(key.handle).by(endorsing, session);
    let answer = Zeroizing::new(key.run(&command.parameters(parameters))?.parameters);
    let secret = Reader::new(&answer).sized()?.try_into().map_err(|_| Fault::Expected("32 bytes"))?;
    Ok(Zeroizing::new(secret))
}
