//! One line: `identity : amount`.

use std::num::IntErrorKind;

/// A line's identity and amount, `None` if it is blank, or what is wrong with it.
pub(super) fn parse(line: &[u8]) -> Result<Option<(&str, i128)>, &'static str> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let colon = line.iter().rposition(|&byte| byte == b':').ok_or("expected `identity : amount`")?;
    let identity = str::from_utf8(&line[..colon]).map_err(|_| "the identity is not UTF-8")?.trim_ascii();
    if identity.is_empty() {
        return Err("the identity is empty");
    }
    Ok(Some((identity, parse_amount(&line[colon + 1..])?)))
}

fn parse_amount(text: &[u8]) -> Result<i128, &'static str> {
    const NOT_DECIMAL: &str = "the amount is not a decimal integer";
    let text = text.trim_ascii();
    if let Some(short) = parse_short(text) {
        return Ok(short.into());
    }
    let text = str::from_utf8(text).map_err(|_| NOT_DECIMAL)?;
    text.parse::<i128>().map_err(|error| match error.kind() {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "the amount leaves 128 bits",
        _ => NOT_DECIMAL,
    })
}

/// Digits that fit into 64 bits without looking.
fn parse_short(text: &[u8]) -> Option<i64> {
    const DIGITS: usize = 18;
    let (sign, digits) = text.strip_prefix(b"-").map_or((1, text), |digits| (-1, digits));
    if digits.is_empty() || digits.len() > DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(sign * digits.iter().fold(0, |number, digit| 10 * number + i64::from(digit - b'0')))
}
