//! Points in time for people to read.

use time::{Date, Month, OffsetDateTime};
use types::time::UnixMillis;

/// To the second, as in RFC 3339; a point beyond the year 9999 as its milliseconds.
pub(crate) fn utc(at: UnixMillis) -> String {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    match OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(at) => {
            let ((year, month, day), (hour, minute, second)) = (at.to_calendar_date(), at.to_hms());
            format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", u8::from(month))
        }
        Err(_) => format!("{} ms", at.0),
    }
}

/// Reads a moment for which something is allowed: to the second as RFC 3339 has it in UTC, or a day, to its end.
pub(crate) fn until(text: &str) -> Result<UnixMillis, &'static str> {
    const EXPECTED: &str = "expected a day (2027-01-31) or a moment (2027-01-31T12:00:00Z), in UTC";
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let [year, month, day] = numbers(date, '-', [4, 2, 2]).ok_or(EXPECTED)?;
    let month = u8::try_from(month).ok().and_then(|month| Month::try_from(month).ok()).ok_or(EXPECTED)?;
    let (year, day) = (i32::try_from(year), u8::try_from(day));
    let date = Date::from_calendar_date(year.map_err(|_| EXPECTED)?, month, day.map_err(|_| EXPECTED)?);
    let midnight = date.map_err(|_| EXPECTED)?.midnight().assume_utc().unix_timestamp();
    let (seconds, millis) = match time {
        None => (DAY - 1, 999),
        Some(time) => (second_of_day(time).ok_or(EXPECTED)?, 0),
    };
    let midnight = u64::try_from(midnight).map_err(|_| "expected a time after 1970")?;
    Ok(UnixMillis((midnight + seconds) * 1000 + millis))
}

/// Seconds in a day: POSIX time knows no leap seconds.
const DAY: u64 = 24 * 3600;

fn second_of_day(time: &str) -> Option<u64> {
    let [hour, minute, second] = numbers(time.strip_suffix('Z')?, ':', [2, 2, 2])?;
    (hour < 24 && minute < 60 && second < 60).then_some((hour * 60 + minute) * 60 + second)
}

/// Three numbers of so many digits.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(between);
    let mut number = |digits: usize| {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse().ok()
    };
    let found = [number(digits[0])?, number(digits[1])?, number(digits[2])?];
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_lasts_to_its_end() {
        for (text, expected) in [
            ("2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z"),
            ("2024-02-29", "2024-02-29T23:59:59Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(utc(until(text).expect(text)), expected);
        }
        for text in [
            "",
            "2023",
            "2023-02-29",
            "2023-13-01",
            "2023-00-01",
            "23-01-01",
            "2023-01-01T",
            "2023-01-01T24:00:00Z",
            "2023-01-01T12:00:00",
            "2023-01-01T12:00:00+01:00",
            "2023-01-01-01",
            "1969-12-31",
            "+023-01-01",
        ] {
            assert!(until(text).is_err(), "{text}");
        }
    }

    #[test]
    fn to_the_second() {
        assert_eq!(utc(UnixMillis(1_700_000_000_999)), "2023-11-14T22:13:20Z");
        assert_eq!(utc(UnixMillis(u64::MAX)), format!("{} ms", u64::MAX));
    }
}
