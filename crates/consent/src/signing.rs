//! A service's statement key for as long as the service lives: derived from its sealing key, attested anew each day.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use attest::attester::{AttestError, Attester};
use attest::identity::Deployment;
use crypto::{Label, SealingKey};
use types::time::UnixMillis;

use crate::statement::StatementKey;

/// How old the evidence in new statements may be. Collateral and microcode change now and then; a day shows it in time.
pub const EVIDENCE_AGE: Duration = Duration::from_secs(24 * 3600);

/// What signs a service's statements.
pub struct Statements {
    deployment: Deployment,
    attester: Arc<dyn Attester>,
    current: RwLock<Arc<StatementKey>>,
}

impl Statements {
    /// The key that follows from a service's sealing key, attested now. May take a second and block on hardware.
    ///
    /// # Errors
    /// What the platform says.
    pub fn new(
        deployment: Deployment,
        sealing_key: &SealingKey,
        attester: Arc<dyn Attester>,
        now: UnixMillis,
    ) -> Result<Self, AttestError> {
        let pair = sealing_key.derive(Label::StatementKey, b"");
        let key = StatementKey::attested(pair, &*attester, now)?;
        Ok(Statements { deployment, attester, current: RwLock::new(Arc::new(key)) })
    }

    /// Whose service makes the statements.
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The key with its newest evidence.
    pub fn key(&self) -> Arc<StatementKey> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the evidence should be replaced.
    pub fn is_due(&self, now: UnixMillis) -> bool {
        let age_ms = now.0.saturating_sub(self.key().signer().at_ms.0);
        u128::from(age_ms) >= EVIDENCE_AGE.as_millis()
    }

    /// Replaces the evidence. May take a second and block on hardware.
    ///
    /// # Errors
    /// What the platform says; the evidence that there was stays.
    pub fn renew(&self, now: UnixMillis) -> Result<(), AttestError> {
        let renewed = Arc::new(self.key().attested_again(&*self.attester, now)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }
}

impl fmt::Debug for Statements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Statements([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use attest::appraise::Verifier;
    use attest::collateral::Collateral;
    use attest::reference::{Policy, ReferenceValues};
    use attest::simulated::{SimulatedAttester, SimulatedRoot};
    use types::service::Role;

    use super::*;
    use crate::statement;

    const DAY_MS: u64 = 24 * 3600 * 1000;
    const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

    fn statements(sealing: [u8; 32]) -> (Statements, Policy) {
        let root = Arc::new(SimulatedRoot::generate());
        let attester = SimulatedAttester::new(root.clone(), Role::Tms, b"build");
        let values = ReferenceValues::exactly([attester.measurement()]);
        let policy = Policy::default().danger_allow_simulated(root.public()).with_role(Role::Tms, values);
        let deployment = "house".parse().expect("a name");
        let sealing_key = SealingKey::from_bytes(sealing);
        (Statements::new(deployment, &sealing_key, Arc::new(attester), NOW).expect("a key in memory"), policy)
    }

    #[test]
    fn the_key_outlives_its_evidence() {
        let (statements, policy) = statements([7; 32]);
        let verifier = Verifier { policy: &policy, collateral: &Collateral::default() };
        let first = statements.key();
        assert!(!statements.is_due(UnixMillis(NOW.0 + DAY_MS - 1)));
        let later = UnixMillis(NOW.0 + DAY_MS);
        assert!(statements.is_due(later));
        statements.renew(later).expect("a key in memory");
        let renewed = statements.key();
        assert!(!statements.is_due(later));
        assert_eq!(first.signer().key, renewed.signer().key);
        assert_ne!(first.signer(), renewed.signer());
        for key in [first, renewed] {
            statement::appraise(key.signer(), &verifier, Role::Tms).expect("accepted code");
            assert!(statement::appraise(key.signer(), &verifier, Role::Kms).is_err());
        }
    }

    #[test]
    fn evidence_for_one_key_is_none_for_another() {
        let ((ours, policy), (other, _)) = (statements([7; 32]), statements([8; 32]));
        let verifier = Verifier { policy: &policy, collateral: &Collateral::default() };
        let mut signer = ours.key().signer().clone();
        signer.key = other.key().signer().key.clone();
        assert!(statement::appraise(&signer, &verifier, Role::Tms).is_err());
    }
}
