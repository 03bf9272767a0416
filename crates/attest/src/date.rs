//! The one form in which Intel and manifests write dates: RFC 3339 in whole seconds of UTC.

use types::time::UnixMillis;

/// Reads `2025-06-19T10:56:11Z`; a date before 1970, or in any other form, is none.
pub fn parse(text: &str) -> Option<UnixMillis> {
    let [year, month, day, hour, minute, second] = fields(text.as_bytes())?;
    let in_range = year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let seconds = || ((days_before(year, month) + day - 1) * 24 + hour) * 3600 + minute * 60 + second;
    in_range.then(|| UnixMillis(seconds() * 1000))
}

/// Writes a date as [`parse`] reads it; what is less than a second is dropped, and years end with 9999.
pub fn format(date: UnixMillis) -> String {
    /// 9999-12-31T23:59:59Z.
    const LAST_SECOND: u64 = 253_402_300_799;
    let seconds = (date.0 / 1000).min(LAST_SECOND);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let year = (1970..=1970 + days / 365).rfind(|year| days_before(*year, 1) <= days).expect("1970 began at day 0");
    let month = (1..=12).rfind(|month| days_before(year, *month) <= days).expect("each year begins with its January");
    let day = days - days_before(year, month) + 1;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The numbers between the separators, each of which is in its place.
fn fields(text: &[u8]) -> Option<[u64; 6]> {
    const SEPARATORS: [(usize, u8); 6] = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'Z')];
    let in_place = text.len() == 20 && SEPARATORS.iter().all(|(at, separator)| text[*at] == *separator);
    if !in_place {
        return None;
    }
    let mut fields = [0; 6];
    for (field, digits) in fields.iter_mut().zip(text.split(|byte| !byte.is_ascii_digit())) {
        *field = digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    }
    text.iter().enumerate().all(|(at, byte)| is_separator(at) || byte.is_ascii_digit()).then_some(fields)
}

const fn is_separator(at: usize) -> bool {
    matches!(at, 4 | 7 | 10 | 13 | 16 | 19)
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u64::from(is_leap(year)),
        _ => 31,
    }
}

/// Days from 1970 to the first of a month, in 1970 or later.
fn days_before(year: u64, month: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    years + (1..month).map(|month| days_in(year, month)).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds computed with Python's `datetime`.
    #[test]
    fn known_dates() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2025-06-19T10:56:11Z", 1_750_330_571),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse(text), Some(UnixMillis(seconds * 1000)), "{text}");
            assert_eq!(format(UnixMillis(seconds * 1000 + 999)), text);
        }
    }

    #[test]
    fn every_day_of_four_centuries_reads_back() {
        for day in 0..146_097 {
            let date = UnixMillis(day * 86_400_000);
            assert_eq!(parse(&format(date)), Some(date));
        }
        assert_eq!(format(UnixMillis(u64::MAX)), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn other_forms_and_days_that_never_were_are_refused() {
        let others = [
            "",
            "1969-12-31T23:59:59Z",
            "2025-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-00-01T00:00:00Z",
            "2025-01-00T00:00:00Z",
            "2025-04-31T00:00:00Z",
            "2025-01-01T24:00:00Z",
            "2025-01-01T00:60:00Z",
            "2025-01-01T00:00:60Z",
            "2025-01-01T00:00:00",
            "2025-01-01T00:00:00+",
            "2025-01-01 00:00:00Z",
            "2025-01-01t00:00:00z",
            "2025-01-01T00:00:0ZZ",
            "-025-01-01T00:00:00Z",
            "2025-01-01T00:00:00.0Z",
            "2025-01-01T00:00:0é",
        ];
        for text in others {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
