//! How much of a service: a quantity and its unit, the same wherever somebody reads them.

/// A quantity with its unit: `61.2 seconds`, `1 second`, `59650 tokens`, `20 MB`.
///
/// A word for a unit gets its plural; a sign of one or two letters, or with capitals, stays as the price book writes it.
///
/// ```
/// use counterfoil_report::quantity::amount;
/// assert_eq!(amount("61.2", Some("second")), "61.2 seconds");
/// assert_eq!((amount("1", Some("token")), amount("20", Some("MB"))), ("1 token".into(), "20 MB".into()));
/// assert_eq!(amount("7", None), "7");
/// ```
#[must_use]
pub fn amount(quantity: &str, unit: Option<&str>) -> String {
    match unit {
        None => quantity.into(),
        Some(unit) => format!("{quantity} {}", named(unit, quantity)),
    }
}

/// A number, or a text that begins with one, with its thousands apart: `1,234,567`, `+1,000`, `59,650.5 tokens`. Any other text is
/// as it was.
///
/// ```
/// use counterfoil_report::quantity::grouped;
/// assert_eq!((grouped("-1234567").as_str(), grouped("59650 tokens").as_str()), ("-1,234,567", "59,650 tokens"));
/// assert_eq!((grouped("2026-11-22").as_str(), grouped("27.1").as_str()), ("2026-11-22", "27.1"));
/// ```
#[must_use]
pub fn grouped(text: &str) -> String {
    let begin = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let (sign, number) = text.split_at(begin);
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    let (whole, rest) = number.split_at(end);
    let is_number = ["", "+", "-", "= "].contains(&sign) && (rest.is_empty() || rest.starts_with(['.', ' ']));
    if !is_number {
        return text.into();
    }
    let mut parts: Vec<&str> = Vec::new();
    let mut left = whole;
    while let Some((before, three)) =
        left.len().checked_sub(3).filter(|place| *place > 0).and_then(|p| left.split_at_checked(p))
    {
        parts.push(three);
        left = before;
    }
    parts.push(left);
    parts.reverse();
    format!("{sign}{}{rest}", parts.join(","))
}

/// A unit after so many of it.
pub(crate) fn named(unit: &str, quantity: &str) -> String {
    let is_word = unit.len() > 2 && unit.bytes().all(|byte| byte.is_ascii_lowercase());
    if quantity == "1" || !is_word || unit.ends_with('s') && !unit.ends_with("ss") {
        return unit.into();
    }
    let vowel_before = |end: &str| unit.strip_suffix(end).is_some_and(|rest| rest.ends_with(['a', 'e', 'i', 'o', 'u']));
    match unit.strip_suffix('y') {
        Some(stem) if !vowel_before("y") => format!("{stem}ies"),
        _ if ["ss", "x", "z", "ch", "sh"].iter().any(|end| unit.ends_with(end)) => format!("{unit}es"),
        _ => format!("{unit}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (text, told) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("-123456", "-123,456"),
            ("+9000000000000000", "+9,000,000,000,000,000"),
            ("= 1234", "= 1,234"),
            ("12345.6789 seconds", "12,345.6789 seconds"),
            ("", ""),
            ("-", "-"),
            ("27.1", "27.1"),
            ("12345abc", "12345abc"),
            ("2026-11-22 18:10:47Z", "2026-11-22 18:10:47Z"),
        ] {
            assert_eq!(grouped(text), told);
        }
    }

    /// A statement read "61.2 seconds" beside "59,650 token".
    #[test]
    fn every_unit_has_its_plural() {
        for (unit, many) in [
            ("second", "seconds"),
            ("char", "chars"),
            ("token", "tokens"),
            ("tokens", "tokens"),
            ("query", "queries"),
            ("day", "days"),
            ("pass", "passes"),
            ("box", "boxes"),
            ("batch", "batches"),
            ("MB", "MB"),
            ("px", "px"),
            ("kWh", "kWh"),
            ("次", "次"),
        ] {
            assert_eq!(
                (named(unit, "2.5"), named(unit, "0"), named(unit, "1")),
                (many.into(), many.into(), unit.into())
            );
        }
    }
}
