//! Payloads: structures whose members all have defaults, and their ranges.

use std::fmt::Display;
use std::ops::RangeInclusive;

use executor::Failure;
use serde::Deserialize;

/// Declares a payload: `member: type = default`. Members that are not declared are refused. One of `labelled` tables says
/// besides how they are read, the same for all functions that learn.
macro_rules! parameters {
    (labelled $name:ident { $($members:tt)* }) => {
        $crate::parameters::parameters!($name {
            $($members)*
            feature_size: Option<usize> = None,
            header: Option<bool> = None,
            label_column: Option<$crate::parameters::Column> = None,
        });

        impl $name {
            /// What is read out of the tables, whose labels are this.
            fn wanted(&self, target: $crate::table::Target) -> $crate::table::Wanted<'_> {
                let (header, features, label) = (self.header, self.feature_size, self.label_column.as_ref());
                $crate::table::Wanted { header, features, label, target }
            }
        }
    };
    ($(#[$meta:meta])* $name:ident { $($(#[$member_meta:meta])* $member:ident: $type:ty = $default:expr,)* }) => {
        $(#[$meta])*
        #[derive(Debug, serde::Deserialize)]
        #[serde(default, deny_unknown_fields, expecting = "an object")]
        struct $name { $($(#[$member_meta])* $member: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($member: $default,)* }
            }
        }
    };
}

pub(crate) use parameters;

/// A column by its number from 0 or by its name.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Column {
    Number(usize),
    Name(String),
}

/// Refuses a member outside its range, NaN included.
pub(crate) fn within<T: PartialOrd + Display>(member: &str, value: T, range: RangeInclusive<T>) -> Result<T, Failure> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(Failure::payload(member, &format!("must be from {} to {}", range.start(), range.end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_their_ends_and_no_nan() {
        assert!(within("k", 1, 1..=3).is_ok() && within("k", 3, 1..=3).is_ok());
        assert_eq!(within("k", 4, 1..=3).unwrap_err().to_string(), "payload: k: must be from 1 to 3");
        assert!(within("eps", f64::NAN, 0.0..=1.0).is_err());
    }
}
