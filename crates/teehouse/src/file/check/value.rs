//! What kind of value a piece of text is.

use std::fmt;
use std::str::FromStr;

use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime};

/// Characters of a value that a message shows at most: enough to find it, and not a person's whole record.
const SHOWN_CHARS: usize = 40;

/// A kind of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A 64-bit integer with sign.
    Int,
    /// A finite 64-bit floating point number, in decimal notation.
    Float,
    /// `true` or `false`, in any case.
    Bool,
    /// YYYY-MM-DD.
    Date,
    /// RFC 3339.
    Timestamp,
    /// UTF-8.
    Text,
}

/// The kinds, from narrow to wide: a value's own is the first that holds it.
pub(super) const KINDS: [Kind; 6] = [Kind::Int, Kind::Float, Kind::Bool, Kind::Date, Kind::Timestamp, Kind::Text];

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Int => "int",
            Kind::Float => "float",
            Kind::Bool => "bool",
            Kind::Date => "date",
            Kind::Timestamp => "timestamp",
            Kind::Text => "text",
        }
    }

    /// Whether a value, which is not empty, is of this kind.
    pub(super) fn holds(self, value: &str) -> bool {
        match self {
            Kind::Int => value.parse::<i64>().is_ok(),
            Kind::Float => is_number(value),
            Kind::Bool => ["true", "false"].iter().any(|name| value.eq_ignore_ascii_case(name)),
            Kind::Date => is_date(value.as_bytes()),
            Kind::Timestamp => OffsetDateTime::parse(value, &Rfc3339).is_ok(),
            Kind::Text => true,
        }
    }

    /// The narrowest kind of a value that is not empty.
    fn of(value: &str) -> Kind {
        KINDS.into_iter().find(|kind| kind.holds(value)).unwrap_or(Kind::Text)
    }
}

/// Not the name of a kind.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no type; there are int, float, bool, date, timestamp and text")]
pub(crate) struct NoKind(String);

impl FromStr for Kind {
    type Err = NoKind;

    fn from_str(text: &str) -> Result<Self, NoKind> {
        KINDS.into_iter().find(|kind| kind.name() == text).ok_or_else(|| NoKind(text.to_owned()))
    }
}

/// Rust's own notation without the names of what is no number.
fn is_number(value: &str) -> bool {
    let is_plain = value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'+' | b'-' | b'e' | b'E'));
    is_plain && value.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_date(value: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = value else { return false };
    let number = |digits: &[&u8]| {
        digits.iter().try_fold(0_u16, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u16::from(**digit - b'0')))
    };
    let date = || {
        let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?);
        let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
        Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()
    };
    date().is_some()
}

/// What was found in place of what was expected, for a person: its kind, and its beginning.
pub(super) fn found(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok("") => "nothing".to_owned(),
        Ok(text) => format!("{} {}", Kind::of(text).name(), Shown(text)),
        Err(_) => "bytes that are no UTF-8".to_owned(),
    }
}

/// The beginning of a text, in quotes.
pub(super) struct Shown<'a>(pub(super) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.char_indices().nth(SHOWN_CHARS).map_or(self.0.len(), |(end, _)| end);
        let more = if end < self.0.len() { "…" } else { "" };
        write!(f, "{:?}{more}", &self.0[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_of_their_kind() {
        let check = |kind: Kind, values: &[&str]| {
            for value in values {
                assert_eq!(Kind::of(value), kind, "{value}");
            }
        };
        check(Kind::Int, &["0", "-1", "+7", "007", "9223372036854775807", "-9223372036854775808"]);
        check(Kind::Float, &["9223372036854775808", "1.5", "-1e-3", ".5", "5.", "1E300"]);
        check(Kind::Bool, &["true", "False", "TRUE"]);
        check(Kind::Date, &["2024-02-29", "0001-01-01", "9999-12-31"]);
        check(Kind::Timestamp, &["2024-02-29T23:59:59Z", "2024-02-29T23:59:59.123456789+02:00"]);
        check(Kind::Text, &["1,5", "1e999", "inf", "NaN", "e", "0x10", " 1", "1 ", "yes", "2023-02-29", "24-1-1"]);
        check(Kind::Text, &["2024-02-29T23:59:59", "2024-02-29T25:00:00Z", "2024-13-01", "2024-0a-01", "grün"]);
    }

    #[test]
    fn a_wide_kind_holds_what_narrow_ones_do() {
        assert!(Kind::Float.holds("7") && Kind::Text.holds("7") && !Kind::Int.holds("7.0"));
    }

    #[test]
    fn what_was_found_is_told_briefly() {
        assert_eq!(found(b""), "nothing");
        assert_eq!(found(b"\xff"), "bytes that are no UTF-8");
        assert_eq!(found(b"12,50"), r#"text "12,50""#);
        assert_eq!(found(b"a\n\x1b"), r#"text "a\n\u{1b}""#);
        assert_eq!(found("ü".repeat(40).as_bytes()), format!("text \"{}\"", "ü".repeat(40)));
        assert_eq!(found("ü".repeat(41).as_bytes()), format!("text \"{}\"…", "ü".repeat(40)));
    }

    #[test]
    fn kinds_have_names() {
        for kind in KINDS {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("integer".parse::<Kind>().is_err());
    }
}
