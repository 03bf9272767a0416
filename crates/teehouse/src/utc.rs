//! Points in time for people to read.

use time::OffsetDateTime;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_the_second() {
        assert_eq!(utc(UnixMillis(1_700_000_000_999)), "2023-11-14T22:13:20Z");
        assert_eq!(utc(UnixMillis(u64::MAX)), format!("{} ms", u64::MAX));
    }
}
