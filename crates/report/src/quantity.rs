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
