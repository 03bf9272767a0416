//! From when until when a statement holds.

use std::time::Duration;

use types::time::UnixMillis;

use crate::refusal::Refusal;

/// How far statements are dated back, so that a reader whose clock is a little slow accepts a fresh one.
///
/// Five minutes is the skew that Kerberos (RFC 4120, section 8.2) made customary.
pub const BACKDATE: Duration = Duration::from_secs(300);

/// The first and the last instant at which a statement holds; both are inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first instant.
    pub not_before: UnixMillis,
    /// The last instant.
    pub not_after: UnixMillis,
}

impl Validity {
    /// From [`BACKDATE`] before `now` until `lifetime` after it.
    pub fn starting(now: UnixMillis, lifetime: Duration) -> Self {
        let back = u64::try_from(BACKDATE.as_millis()).expect("five minutes fit");
        Validity { not_before: UnixMillis(now.0.saturating_sub(back)), not_after: now.plus(lifetime) }
    }

    /// When both hold.
    pub(crate) fn and(self, other: Self) -> Self {
        Validity { not_before: self.not_before.max(other.not_before), not_after: self.not_after.min(other.not_after) }
    }

    /// Refuses an instant outside.
    ///
    /// # Errors
    /// [`Refusal::NotYetValid`] or [`Refusal::Expired`], naming `what` is dated so.
    pub fn check(&self, what: &'static str, now: UnixMillis) -> Result<(), Refusal> {
        if now < self.not_before {
            return Err(Refusal::NotYetValid { what, not_before: self.not_before });
        }
        if now > self.not_after {
            return Err(Refusal::Expired { what, not_after: self.not_after });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_inside() {
        let validity = Validity { not_before: UnixMillis(10), not_after: UnixMillis(20) };
        for (now, ok) in [(9, false), (10, true), (20, true), (21, false)] {
            assert_eq!(validity.check("test", UnixMillis(now)).is_ok(), ok, "{now}");
        }
    }

    #[test]
    fn a_clock_at_its_ends_overflows_nothing() {
        let validity = Validity::starting(UnixMillis(0), Duration::MAX);
        assert_eq!(validity, Validity { not_before: UnixMillis(0), not_after: UnixMillis(u64::MAX) });
    }
}
