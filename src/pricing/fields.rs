//! Typed values out of TOML, collecting faults instead of stopping at the first.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::report::{Fault, shown};
use crate::quantity::{Quantity, QuantityError};
use crate::spelling::nearest;
use crate::units::MAX_POINTS;

/// Decimal places in a price book: enough for any price, and few enough to compute exactly with.
const MAX_DECIMALS: u32 = 18;

/// The greatest `expiration_days`: a century.
const MAX_DAYS: i128 = 36_500;

/// Bytes of a service or source name, as of an account id.
const MAX_NAME: usize = 128;

pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// The fields of a table by name, each with its place.
pub(super) type Fields<'t> = BTreeMap<&'t str, (Range<usize>, &'t Value<'t>)>;

/// The faults found so far.
#[derive(Debug, Default)]
pub(super) struct Faults {
    list: Vec<Fault>,
    /// Where the parts of a name begin that was taken apart at its dots: said once.
    taken_apart: BTreeSet<usize>,
}

impl Faults {
    pub(super) fn into_list(self) -> Vec<Fault> {
        self.list
    }

    pub(super) fn add(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.list.push(Fault { span, message: message.into(), help: None });
    }

    pub(super) fn add_with_help(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.list.push(Fault { span, message: message.into(), help: Some(help.into()) });
    }

    fn wrong_type(&mut self, value: &Value<'_>, what: &str, expected: &str) {
        let found = match value.get_ref() {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a decimal number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.add(value.span(), format!("{what} must be {expected}, not {found}"));
    }

    pub(super) fn table<'t>(&mut self, value: &'t Value<'t>, what: &str) -> Option<&'t DeTable<'t>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, what, "a table");
        }
        table
    }

    /// The known fields of a table; every other key is a fault.
    pub(super) fn known<'t>(&mut self, table: &'t DeTable<'t>, place: &str, keys: &[&'static str]) -> Fields<'t> {
        let mut fields = Fields::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if keys.contains(&name) {
                fields.insert(name, (key.span(), value));
                continue;
            }
            if self.taken_apart.contains(&key.span().start) {
                continue;
            }
            let help = match nearest(name, keys.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", keys.join(", ")),
            };
            let message = format!("unknown key `{}` {place}", shown(name));
            self.add_with_help(key.span(), message, help);
        }
        fields
    }

    /// Finds services whose name TOML has taken apart at its dots (`gpt-4.1` without quotes is `1` in `gpt-4`); `known` are the
    /// fields of a service here. Whether the table is nothing else.
    pub(super) fn dotted(&mut self, section: &str, name: &str, value: &Value<'_>, known: &[&str]) -> bool {
        let Some(table) = value.get_ref().as_table() else { return false };
        let (mut parts, mut others) = (0_usize, table.is_empty());
        for (key, inner) in table {
            let part = key.get_ref().as_ref();
            // A field of no service, with more in it; a fixed price has no fields at all.
            if known.contains(&part) || !(known.is_empty() || inner.get_ref().is_table()) {
                others = true;
                continue;
            }
            parts = parts.saturating_add(1);
            self.taken_apart.insert(key.span().start);
            let whole = format!("{name}.{part}");
            if whole.len() > MAX_NAME || !self.dotted(section, &whole, inner, known) {
                let whole = shown(&whole);
                let message = format!("`{whole}` is not in quotes, so its dot takes the name apart");
                let help = match known {
                    [] => format!("a name with a dot needs quotes: \"{whole}\" = …; a fixed price is one number"),
                    _ => format!("a name with a dot needs quotes: [{section}.\"{whole}\"]"),
                };
                self.add_with_help(key.span(), message, help);
            }
        }
        parts > 0 && !others
    }

    pub(super) fn points(&mut self, value: &Value<'_>, what: &str) -> Option<i64> {
        let points = self.integer(value, what)?;
        if points < 0 {
            self.add(value.span(), format!("{what} cannot be negative"));
            return None;
        }
        let points = i64::try_from(points).ok().filter(|it| *it <= MAX_POINTS);
        if points.is_none() {
            self.add(value.span(), format!("{what} is at most {MAX_POINTS} points"));
        }
        points
    }

    pub(super) fn days(&mut self, value: &Value<'_>, what: &str) -> Option<u32> {
        let days = self.integer(value, what)?;
        let days = u32::try_from(days).ok().filter(|it| (1..=MAX_DAYS).contains(&i128::from(*it)));
        if days.is_none() {
            self.add(value.span(), format!("{what} must be from 1 to {MAX_DAYS} days"));
        }
        days
    }

    /// A whole number; one beyond 128 bits comes back as the nearest there is, which no range allows.
    fn integer(&mut self, value: &Value<'_>, what: &str) -> Option<i128> {
        let DeValue::Integer(number) = value.get_ref() else {
            self.wrong_type(value, what, "a whole number");
            return None;
        };
        let (negative, _) = sign(number.as_str());
        let nearest = if negative { i128::MIN } else { i128::MAX };
        Some(i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(nearest))
    }

    /// An exact decimal above zero.
    pub(super) fn positive(&mut self, value: &Value<'_>, what: &str) -> Option<Quantity> {
        let number = self.decimal(value, what, "must be more than 0")?;
        if number.is_zero() {
            self.add(value.span(), format!("{what} must be more than 0"));
            return None;
        }
        Some(number)
    }

    /// An exact decimal from zero up, taken from its text: a float would already have been rounded.
    pub(super) fn decimal(&mut self, value: &Value<'_>, what: &str, negative_is: &str) -> Option<Quantity> {
        let parsed = match value.get_ref() {
            DeValue::Integer(number) => whole(number),
            DeValue::Float(number) => match sign(number.as_str()) {
                (_, text) if text == "nan" || text == "inf" => Err(QuantityError::NotFinite),
                (true, text) => Quantity::parse(text)
                    .and_then(|number| if number.is_zero() { Ok(number) } else { Err(QuantityError::Negative) }),
                (false, text) => Quantity::parse(text),
            },
            _ => {
                self.wrong_type(value, what, "a number");
                return None;
            }
        };
        let problem = match parsed {
            Ok(number) if number.decimals() <= MAX_DECIMALS => return Some(number),
            Ok(_) | Err(QuantityError::TooManyDigits) => {
                format!("has at most {MAX_DECIMALS} digits after the point")
            }
            Err(QuantityError::Negative) => negative_is.to_owned(),
            Err(QuantityError::NotFinite) => "must be a finite number".to_owned(),
            Err(_) => format!("is at most {MAX_POINTS}"),
        };
        self.add(value.span(), format!("{what} {problem}"));
        None
    }

    pub(super) fn text<'t>(&mut self, value: &'t Value<'t>, what: &str) -> Option<&'t str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(value, what, "text");
        }
        text
    }

    /// A list of different names, each with its place.
    pub(super) fn names<'t>(&mut self, value: &'t Value<'t>, what: &str) -> BTreeMap<&'t str, Range<usize>> {
        let mut names = BTreeMap::new();
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type(value, what, "a list of names");
            return names;
        };
        for item in list {
            let Some(name) = self.text(item, &format!("a name in {what}")) else {
                continue;
            };
            if !self.name(name, item.span()) {
                continue;
            }
            if names.contains_key(name) {
                let message = format!("`{}` stands twice in {what}", shown(name));
                self.add(item.span(), message);
            } else {
                names.insert(name, item.span());
            }
        }
        names
    }

    /// Whether a name may be stored: 1 to 128 bytes, no control characters.
    pub(super) fn name(&mut self, name: &str, span: Range<usize>) -> bool {
        let problem = if name.is_empty() {
            "a name cannot be empty".to_owned()
        } else if name.len() > MAX_NAME {
            format!("a name is at most {MAX_NAME} bytes, this one has {}", name.len())
        } else if name.chars().any(char::is_control) {
            "a name cannot contain control characters".to_owned()
        } else {
            return true;
        };
        self.add(span, problem);
        false
    }
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn whole(number: &DeInteger<'_>) -> Result<Quantity, QuantityError> {
    let (negative, digits) = sign(number.as_str());
    let value = u64::from_str_radix(digits, number.radix());
    match value.map(Quantity::from) {
        Ok(value) if negative && !value.is_zero() => Err(QuantityError::Negative),
        Ok(value) if value.in_range() => Ok(value),
        _ if negative => Err(QuantityError::Negative),
        _ => Err(QuantityError::TooLarge),
    }
}
