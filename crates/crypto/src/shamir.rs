//! Shamir's secret sharing (Communications of the ACM 22, 1979) of 32 bytes, over GF(2⁸) modulo x⁸+x⁴+x³+x²+1.
//!
//! Each byte of the secret is the value at 0 of a polynomial of degree k − 1 with random coefficients; share x is the
//! value of all 32 polynomials at x. Any k shares give the secret, fewer say nothing about it. A share of another
//! secret, or a changed one, gives a wrong secret and no error: who combines must be able to tell.
//!
//! Arithmetic takes the same time and touches the same memory whatever the secret is, which is why this is not a
//! crate: those look logarithms up in tables by secret bytes, and a host can watch an enclave's memory accesses. The
//! field and the shares' bytes (`x ‖ y`) are those of the crates `sharks` and `blahaj`, so that theirs combine ours.

use std::fmt;

use zeroize::Zeroizing;

use crate::random;

/// Length of a shared secret, in bytes.
pub const SECRET_LEN: usize = 32;

/// Length of a share as bytes.
pub const SHARE_LEN: usize = 1 + SECRET_LEN;

/// One share: a point's x, from 1 to 255, and its 32 values.
pub struct Share {
    x: u8,
    y: Zeroizing<[u8; SECRET_LEN]>,
}

impl Share {
    /// Which share it is.
    pub fn x(&self) -> u8 {
        self.x
    }

    /// The share as it is kept: `x ‖ y`.
    pub fn danger_to_bytes(&self) -> Zeroizing<[u8; SHARE_LEN]> {
        let mut bytes = Zeroizing::new([self.x; SHARE_LEN]);
        bytes[1..].copy_from_slice(&*self.y);
        bytes
    }

    /// Reads what [`Share::danger_to_bytes`] gave; `None` for another length or for x = 0, which is the secret's place.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&x, y) = bytes.split_first().filter(|(x, _)| **x != 0)?;
        Some(Self { x, y: Zeroizing::new(y.try_into().ok()?) })
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({}, [redacted])", self.x)
    }
}

/// Shares can't be made or combined in this way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadShares {
    /// A threshold of 0, or above the number of shares.
    #[error("{threshold} of {shares} shares is no threshold")]
    Threshold {
        /// How many shares are to give the secret.
        threshold: u8,
        /// How many shares there are.
        shares: u8,
    },
    /// One share twice.
    #[error("share {0} is there twice")]
    Twice(u8),
    /// No share.
    #[error("no share is there")]
    None,
}

/// Splits a secret into `shares` shares, any `threshold` of which give it back.
///
/// # Errors
/// [`BadShares::Threshold`].
pub fn split(secret: &[u8; SECRET_LEN], threshold: u8, shares: u8) -> Result<Vec<Share>, BadShares> {
    if threshold == 0 || threshold > shares {
        return Err(BadShares::Threshold { threshold, shares });
    }
    let mut coefficients = Zeroizing::new(vec![[0; SECRET_LEN]; usize::from(threshold) - 1]);
    coefficients.iter_mut().for_each(|coefficient| random::fill(coefficient));
    Ok((1..=shares).map(|x| Share { x, y: evaluate(secret, &coefficients, x) }).collect())
}

/// The secret that these shares give together, which is the right one only if enough of one splitting are there.
///
/// # Errors
/// [`BadShares::Twice`] and [`BadShares::None`].
pub fn combine(shares: &[Share]) -> Result<Zeroizing<[u8; SECRET_LEN]>, BadShares> {
    if shares.is_empty() {
        return Err(BadShares::None);
    }
    let mut secret = Zeroizing::new([0; SECRET_LEN]);
    for share in shares {
        let weight = weight(share.x, shares)?;
        secret.iter_mut().zip(share.y.iter()).for_each(|(byte, y)| *byte ^= multiply(*y, weight));
    }
    Ok(secret)
}

/// Lagrange's coefficient of share `x` for the value at 0. In this field subtracting is adding, which is XOR.
fn weight(x: u8, shares: &[Share]) -> Result<u8, BadShares> {
    if shares.iter().filter(|share| share.x == x).count() > 1 {
        return Err(BadShares::Twice(x));
    }
    let others = shares.iter().map(|share| share.x).filter(|other| *other != x);
    Ok(others.fold(1, |weight, other| multiply(weight, multiply(other, invert(other ^ x)))))
}

/// The polynomials' values at `x`: Horner's rule from the highest coefficient down to the secret.
fn evaluate(secret: &[u8; SECRET_LEN], coefficients: &[[u8; SECRET_LEN]], x: u8) -> Zeroizing<[u8; SECRET_LEN]> {
    let mut y = Zeroizing::new([0; SECRET_LEN]);
    for coefficient in coefficients.iter().rev().chain([secret]) {
        y.iter_mut().zip(coefficient).for_each(|(value, next)| *value = multiply(*value, x) ^ next);
    }
    y
}

/// Multiplies in GF(2⁸), without a branch or an index that depends on a factor.
fn multiply(a: u8, b: u8) -> u8 {
    let (mut a, mut product) = (a, 0);
    for bit in 0..8 {
        product ^= a & (b >> bit & 1).wrapping_neg();
        a = a << 1 ^ (0x1d & (a >> 7).wrapping_neg());
    }
    product
}

/// 1/a as a²⁵⁴; 0 for 0.
fn invert(a: u8) -> u8 {
    let mut power = a;
    for _ in 0..6 {
        power = multiply(multiply(power, power), a);
    }
    multiply(power, power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::parse_hex;

    #[test]
    fn the_field_is_a_field() {
        for a in 0..=255 {
            assert_eq!(multiply(a, 1), a);
            assert_eq!(multiply(a, invert(a)), u8::from(a != 0), "{a}");
            for b in 0..=255 {
                assert_eq!(multiply(a, b), multiply(b, a));
                assert_eq!(multiply(a, b ^ 0x53), multiply(a, b) ^ multiply(a, 0x53));
            }
        }
        // x · x⁷ = x⁸ = x⁴ + x³ + x² + 1.
        assert_eq!(multiply(2, 0x80), 0x1d);
    }

    /// 3x² + 2x + 5 at 1, 2 and 3, by hand: 3+2+5, 3·4+2·2+5 = 0x0c ^ 4 ^ 5, 3·5+2·3+5 = 0x0f ^ 6 ^ 5.
    #[test]
    fn a_polynomial_by_hand() {
        let at = |x| evaluate(&[5; 32], &[[2; 32], [3; 32]], x);
        assert_eq!((*at(1), *at(2), *at(3)), ([4; 32], [13; 32], [12; 32]));
    }

    /// Shares 2 to 4 that the crate `blahaj` 0.7.0 made of the bytes 0 to 31 with threshold 3.
    #[test]
    fn shares_of_another_implementation() {
        let shares = [
            "021b617df6eb0208b021c74b635425efcd2c21b11965119ec2a1ce37a4f952a571",
            "03b1371a46259ff12ed3090307e70ad729d47e52dce970b352f5038636e50be8a6",
            "0463d602ee628bb9163da9eb613098afca0b73b4493b22742733f7155a9850f190",
        ];
        let shares = shares.map(|share| Share::from_bytes(&parse_hex::<33>(share).unwrap()).unwrap());
        assert_eq!(*combine(&shares).unwrap(), std::array::from_fn(|i| u8::try_from(i).unwrap()));
    }

    fn some(shares: &[Share], which: &[usize]) -> Vec<Share> {
        which.iter().map(|i| Share::from_bytes(&*shares[*i].danger_to_bytes()).unwrap()).collect()
    }

    #[test]
    fn any_k_give_the_secret_and_fewer_do_not() {
        let secret: [u8; 32] = random::bytes();
        let shares = split(&secret, 3, 5).unwrap();
        assert_eq!(shares.iter().map(Share::x).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        for a in 0..5 {
            for b in 0..5 {
                for c in 0..5 {
                    if a != b && b != c && a != c {
                        assert_eq!(*combine(&some(&shares, &[a, b, c])).unwrap(), secret);
                    }
                }
                if a != b {
                    assert_ne!(*combine(&some(&shares, &[a, b])).unwrap(), secret);
                }
            }
        }
        assert_eq!(*combine(&shares).unwrap(), secret);
    }

    #[test]
    fn every_threshold_up_to_255() {
        let secret: [u8; 32] = random::bytes();
        for (threshold, count) in [(1, 1), (1, 255), (2, 2), (254, 255), (255, 255)] {
            let shares = split(&secret, threshold, count).unwrap();
            assert_eq!(*combine(&shares[shares.len() - usize::from(threshold)..]).unwrap(), secret);
        }
    }

    /// With one share fewer than the threshold, every secret is as likely as any other: for each there is one
    /// polynomial through the share that is known.
    #[test]
    fn one_share_of_two_fits_every_secret() {
        let known = Share { x: 7, y: Zeroizing::new([0x5a; 32]) };
        for secret in 0..=255 {
            // The slope that leads from the secret at 0 to the share at 7.
            let slope = multiply(0x5a ^ secret, invert(7));
            assert_eq!(*evaluate(&[secret; 32], &[[slope; 32]], 7), *known.y);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(split(&[0; 32], 0, 3).unwrap_err(), BadShares::Threshold { threshold: 0, shares: 3 });
        assert_eq!(split(&[0; 32], 4, 3).unwrap_err(), BadShares::Threshold { threshold: 4, shares: 3 });
        assert_eq!(combine(&[]).unwrap_err(), BadShares::None);
        let shares = split(&[0; 32], 2, 3).unwrap();
        assert_eq!(combine(&some(&shares, &[1, 1])).unwrap_err(), BadShares::Twice(2));
    }

    #[test]
    fn shares_are_read_strictly_and_never_printed() {
        for bad in [&[][..], &[1], &[1; 32], &[1; 34], &[0; 33]] {
            assert!(Share::from_bytes(bad).is_none());
        }
        let share = Share::from_bytes(&[9; 33]).unwrap();
        assert_eq!(*share.danger_to_bytes(), [9; 33]);
        assert_eq!(format!("{share:?}"), "Share(9, [redacted])");
    }
}
