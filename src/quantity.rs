//! Exact quantities, and what was used of a service.
//!
//! A price must not depend on how a binary computer rounds 0.3, so everything between the caller's text and the points
//! is a whole number with a decimal scale.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::error::Error;
use crate::units::json_schema;

/// The greatest quantity, and the greatest number of points: 9 000 000 000 000 000, safe in a JSON number.
const LIMIT: u128 = 9_000_000_000_000_000;

/// Significant digits, and also digits after the point: 10^38 is the greatest power of ten below 2^128.
const MAX_DIGITS: u32 = 38;

/// Why a text or number is not a [`Quantity`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantityError {
    /// There is no text at all.
    #[error("a quantity is missing: write a decimal number such as 61.2")]
    Empty,
    /// Not a decimal number: spaces, a plus sign, a missing digit, NaN, infinity, thousands separators …
    #[error("`{0}` is not a decimal number such as 61.2")]
    Malformed(String),
    /// Below zero.
    #[error("a quantity cannot be negative")]
    Negative,
    /// A float that is NaN or infinite.
    #[error("a quantity must be a finite number")]
    NotFinite,
    /// More than 38 significant digits, or more than 38 after the point.
    #[error("a quantity has at most 38 digits")]
    TooManyDigits,
    /// Greater than 9 000 000 000 000 000.
    #[error("a quantity is at most 9000000000000000")]
    TooLarge,
}

impl From<QuantityError> for Error {
    fn from(error: QuantityError) -> Self {
        match error {
            QuantityError::TooLarge => Error::out_of_range("quantity", error.to_string()),
            _ => Error::invalid("quantity", error.to_string(), "give 0 or more, like 61.2"),
        }
    }
}

/// An exact, non-negative decimal number: seconds, tokens, megabytes.
///
/// Read from text or JSON it has at most 38 digits and is at most 9 000 000 000 000 000. Equal values are equal
/// whatever their spelling, and [`Display`](fmt::Display) writes the one canonical text: no exponent, no zeros at the
/// end.
///
/// ```
/// use counterfoil::quantity::Quantity;
///
/// let seconds = Quantity::parse("61.20")?;
/// assert_eq!(seconds, Quantity::parse("612e-1")?);
/// assert_eq!(seconds.to_string(), "61.2");
/// # Ok::<(), counterfoil::quantity::QuantityError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quantity {
    // The value is mantissa / 10^scale. Normalised: scale <= 38, and no trailing zero in the mantissa unless scale is 0.
    mantissa: u128,
    scale: u32,
}

impl Quantity {
    /// Zero, which is a quantity like any other.
    pub const ZERO: Quantity = Quantity { mantissa: 0, scale: 0 };

    /// Reads decimal text: `61.2`, `0`, `1200`, `1.5e-3`. No sign, no spaces, no separators.
    ///
    /// # Errors
    /// A [`QuantityError`] that says what is wrong with the text.
    ///
    /// ```
    /// use counterfoil::quantity::{Quantity, QuantityError};
    ///
    /// assert_eq!(Quantity::parse("2.5e3")?.to_string(), "2500");
    /// assert_eq!(Quantity::parse("-1"), Err(QuantityError::Negative));
    /// # Ok::<(), QuantityError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Quantity, QuantityError> {
        if text.is_empty() {
            return Err(QuantityError::Empty);
        }
        let malformed = || QuantityError::Malformed(shown(text));
        if let Some(rest) = text.strip_prefix('-') {
            // Only a number can be negative: "-x" is no number at all.
            return Err(if split(rest).is_some() { QuantityError::Negative } else { malformed() });
        }
        let (whole, fraction, exponent) = split(text).ok_or_else(malformed)?;
        let digits = whole.bytes().chain(fraction.bytes());
        let (mantissa, zeros) = significant(digits).ok_or(QuantityError::TooManyDigits)?;
        let exponent = exponent.saturating_sub(length(fraction)).saturating_add(zeros);
        let value = Self::scaled(mantissa, exponent)?;
        if value.in_range() { Ok(value) } else { Err(QuantityError::TooLarge) }
    }

    /// Reads a float of seconds as its shortest decimal text, so that 2.1 means 2.1 and not the binary number beside it.
    ///
    /// This is the one place where a float is accepted, for callers that have nothing better.
    ///
    /// # Errors
    /// Negative, NaN and infinite numbers, and numbers outside the bounds of [`Quantity`].
    ///
    /// ```
    /// use counterfoil::quantity::Quantity;
    ///
    /// assert_eq!(Quantity::from_f64_seconds(2.1)?, Quantity::parse("2.1")?);
    /// assert!(Quantity::from_f64_seconds(f64::NAN).is_err());
    /// # Ok::<(), counterfoil::quantity::QuantityError>(())
    /// ```
    pub fn from_f64_seconds(seconds: f64) -> Result<Quantity, QuantityError> {
        if !seconds.is_finite() {
            return Err(QuantityError::NotFinite);
        }
        if seconds == 0.0 {
            // Also minus zero, whose text has a sign.
            return Ok(Self::ZERO);
        }
        Self::parse(&format!("{seconds:?}"))
    }

    /// Whether this is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.mantissa == 0
    }

    /// Digits after the point in the canonical text, 0 to 38.
    #[must_use]
    pub fn decimals(&self) -> u32 {
        self.scale
    }

    /// Whether the value is at most 9 000 000 000 000 000. Only one made from a `u64` or a
    /// [`Duration`] can fail this; pricing refuses it.
    #[must_use]
    pub fn in_range(&self) -> bool {
        self.parts() <= (LIMIT, 0)
    }

    /// Numerator and denominator, not reduced.
    pub(crate) fn fraction(&self) -> (u128, u128) {
        (self.mantissa, power_of_ten(self.scale))
    }

    /// mantissa × 10^exponent, where the mantissa does not end in zero unless it is zero.
    fn scaled(mantissa: u128, exponent: i64) -> Result<Quantity, QuantityError> {
        if mantissa == 0 {
            return Ok(Self::ZERO);
        }
        if exponent < 0 {
            return match u32::try_from(exponent.unsigned_abs()) {
                Ok(scale) if scale <= MAX_DIGITS => Ok(Self { mantissa, scale }),
                _ => Err(QuantityError::TooManyDigits),
            };
        }
        u32::try_from(exponent)
            .ok()
            .and_then(|exponent| 10_u128.checked_pow(exponent))
            .and_then(|power| mantissa.checked_mul(power))
            .map(|mantissa| Self { mantissa, scale: 0 })
            .ok_or(QuantityError::TooLarge)
    }

    /// The whole part, and the fraction in units of 10^-38, so that they compare as they are.
    fn parts(&self) -> (u128, u128) {
        let one = power_of_ten(self.scale);
        let whole = self.mantissa.checked_div(one).unwrap_or(0);
        let rest = self.mantissa.checked_rem(one).unwrap_or(0);
        let missing = power_of_ten(MAX_DIGITS.saturating_sub(self.scale));
        (whole, rest.saturating_mul(missing))
    }
}

/// A sum of quantities: exact, however many digits they have after the point.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct QuantitySum {
    whole: u128,
    /// In units of 10^-38.
    rest: u128,
}

impl QuantitySum {
    /// With one more; `None` past 2^128.
    pub(crate) fn plus(self, more: Quantity) -> Option<Self> {
        let (whole, rest) = more.parts();
        let (whole, rest) = (self.whole.checked_add(whole)?, self.rest.checked_add(rest)?);
        let one = power_of_ten(MAX_DIGITS);
        // Two fractions are less than two.
        let carry = u128::from(rest >= one);
        Some(Self { whole: whole.checked_add(carry)?, rest: if carry == 0 { rest } else { rest.checked_sub(one)? } })
    }
}

impl fmt::Display for QuantitySum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:038}", self.rest);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{}", self.whole),
            digits => write!(f, "{}.{digits}", self.whole),
        }
    }
}

/// 10^exponent for exponents up to 38, which all callers keep to.
fn power_of_ten(exponent: u32) -> u128 {
    10_u128.saturating_pow(exponent)
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

/// Cuts decimal text into whole digits, fraction digits and exponent; None when it is not such a text.
fn split(text: &str) -> Option<(&str, &str, i64)> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, parse_exponent(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(both) => both,
        None => (number, ""),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    (!whole.is_empty() && digits(whole) && digits(fraction)).then_some((whole, fraction, exponent))
}

fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // An exponent too long to read is out of bounds either way.
    let size: i64 = digits.parse().unwrap_or(i64::MAX);
    Some(if negative { size.saturating_neg() } else { size })
}

/// The digits without zeros at either end, as a number, and how many zeros stood at the end.
fn significant(digits: impl Iterator<Item = u8>) -> Option<(u128, i64)> {
    let mut mantissa: u128 = 0;
    let mut zeros: u32 = 0;
    for digit in digits.map(|byte| byte.saturating_sub(b'0')) {
        if digit == 0 {
            zeros = zeros.saturating_add(u32::from(mantissa != 0));
            continue;
        }
        let shift = 10_u128.checked_pow(zeros.saturating_add(1))?;
        mantissa = mantissa.checked_mul(shift)?.checked_add(digit.into())?;
        if mantissa >= power_of_ten(MAX_DIGITS) {
            return None;
        }
        zeros = 0;
    }
    Some((mantissa, zeros.into()))
}

/// Hostile text, cut and escaped for an error message.
fn shown(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_debug).collect()
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = power_of_ten(self.scale);
        let whole = self.mantissa.checked_div(one).unwrap_or(0);
        let rest = self.mantissa.checked_rem(one).unwrap_or(0);
        match usize::try_from(self.scale) {
            Ok(width) if width > 0 => write!(f, "{whole}.{rest:0>width$}"),
            _ => write!(f, "{whole}"),
        }
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quantity({self})")
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Exact. A number above 9 000 000 000 000 000 is taken as it is, and refused when it is priced.
impl From<u64> for Quantity {
    fn from(value: u64) -> Self {
        Self { mantissa: value.into(), scale: 0 }
    }
}

/// The duration in seconds, exact to the nanosecond.
impl From<Duration> for Quantity {
    fn from(value: Duration) -> Self {
        let mut mantissa = value.as_nanos();
        let mut scale = 9;
        while scale > 0 && mantissa.is_multiple_of(10) {
            mantissa = mantissa.checked_div(10).unwrap_or(0);
            scale = u32::saturating_sub(scale, 1);
        }
        Self { mantissa, scale }
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

json_schema!(Quantity as "Quantity", { "type": "string", "pattern": "^[0-9]+([.][0-9]+)?$" });

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor)
    }
}

/// Text or whole numbers: a JSON float has already been rounded when it arrives here, so it is refused.
struct QuantityVisitor;

impl Visitor<'_> for QuantityVisitor {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("decimal text such as \"61.2\", or a whole number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
        Quantity::parse(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Quantity, E> {
        let quantity = Quantity::from(value);
        if quantity.in_range() { Ok(quantity) } else { Err(E::custom(QuantityError::TooLarge)) }
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Quantity, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::custom(QuantityError::Negative)),
        }
    }
}

/// What a [`Usage`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UsageKind {
    /// Seconds that were used: what a duration rule, or a metered one in `second`, is priced by.
    Seconds,
    /// Characters of text: what a metered rule in `char` is priced by, and a hint for an estimate of speech.
    Chars,
    /// A counted quantity, for a metered rule.
    Quantity,
    /// Seconds of the material that goes in: a hint, for an estimate only.
    InputSeconds,
}

/// What was used of a service, or what is known of it beforehand.
///
/// ```
/// use counterfoil::quantity::Usage;
/// use std::time::Duration;
///
/// let speech = Usage::duration(Duration::from_millis(61_200));
/// assert_eq!(speech, Usage::seconds("61.2")?);
/// let tokens = Usage::quantity(1_500_u64).unit("token");
/// assert_eq!(tokens.unit_name(), Some("token"));
/// # Ok::<(), counterfoil::quantity::QuantityError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Usage {
    kind: UsageKind,
    value: Quantity,
    unit: Option<String>,
}

impl Usage {
    /// A usage of any kind, for values that are already exact.
    #[must_use]
    pub fn new(kind: UsageKind, value: impl Into<Quantity>) -> Self {
        Self { kind, value: value.into(), unit: None }
    }

    /// Seconds used, as decimal text.
    ///
    /// # Errors
    /// Text that is no [`Quantity`].
    pub fn seconds(text: &str) -> Result<Self, QuantityError> {
        Quantity::parse(text).map(|value| Self::new(UsageKind::Seconds, value))
    }

    /// Seconds used, exact to the nanosecond.
    #[must_use]
    pub fn duration(used: Duration) -> Self {
        Self::new(UsageKind::Seconds, used)
    }

    /// Characters of text, to be priced, or to estimate speech by. What a character is, the caller decides.
    #[must_use]
    pub fn chars(count: u64) -> Self {
        Self::new(UsageKind::Chars, count)
    }

    /// A counted quantity: tokens, images, megabytes, pages.
    #[must_use]
    pub fn quantity(value: impl Into<Quantity>) -> Self {
        Self::new(UsageKind::Quantity, value)
    }

    /// Seconds of the input material, as decimal text, to estimate by.
    ///
    /// # Errors
    /// Text that is no [`Quantity`].
    pub fn input_seconds(text: &str) -> Result<Self, QuantityError> {
        Quantity::parse(text).map(|value| Self::new(UsageKind::InputSeconds, value))
    }

    /// Length of the input material, exact to the nanosecond.
    #[must_use]
    pub fn input_duration(length: Duration) -> Self {
        Self::new(UsageKind::InputSeconds, length)
    }

    /// Names the unit, which must then be the one the rule counts in.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = Some(unit.into());
        self
    }

    /// What is counted.
    #[must_use]
    pub fn kind(&self) -> UsageKind {
        self.kind
    }

    /// How much of it.
    #[must_use]
    pub fn value(&self) -> Quantity {
        self.value
    }

    /// The unit: the one given, else `second` or `char` where the kind implies it.
    #[must_use]
    pub fn unit_name(&self) -> Option<&str> {
        self.unit.as_deref().or(match self.kind {
            UsageKind::Seconds | UsageKind::InputSeconds => Some("second"),
            UsageKind::Chars => Some("char"),
            UsageKind::Quantity => None,
        })
    }
}
