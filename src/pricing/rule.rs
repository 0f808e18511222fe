//! Rules: from what was used to points, and to the words that explain it.

use super::RuleKind;
use super::ratio::Ratio;
use crate::quantity::{Quantity, Usage, UsageKind};
use crate::units::MAX_POINTS;

/// The units in which a usage can say itself.
pub(super) const SECOND: &str = "second";
const CHAR: &str = "char";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Free,
    Fixed { points: i64 },
    Duration(Duration),
    Metered(Metered),
}

/// Points by seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Duration {
    pub(super) rate: Rate,
    pub(super) min_points: i64,
    pub(super) estimation: Option<Estimation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rate {
    Divisor(Quantity),
    Multiplier(Quantity),
    /// So many points for each so many seconds that are begun.
    Per(Quantity, i64),
}

/// Where the seconds of an estimate come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Estimation {
    SecondsPerChar(Quantity),
    InputSeconds,
}

/// Points by packages of anything counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metered {
    pub(super) unit: Option<String>,
    pub(super) package: Quantity,
    pub(super) points: i64,
    pub(super) included: Quantity,
    pub(super) min_points: i64,
    pub(super) max_points: Option<i64>,
    /// Only of one that counts seconds.
    pub(super) estimation: Option<Estimation>,
}

/// What a rule makes of a usage.
pub(super) struct Charge {
    pub(super) points: i64,
    pub(super) words: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The usage is missing or of the wrong kind: what to do.
    Usage(String),
    OutOfRange,
}

/// Whether the work is done, or to be bounded from above.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Price,
    Estimate,
}

impl Rule {
    pub(super) fn kind(&self) -> RuleKind {
        match self {
            Self::Free => RuleKind::Free,
            Self::Fixed { .. } => RuleKind::Fixed,
            Self::Duration(_) => RuleKind::Duration,
            Self::Metered(_) => RuleKind::Metered,
        }
    }

    pub(super) fn charge(&self, usage: Option<&Usage>, purpose: Purpose) -> Result<Charge, Refusal> {
        if usage.is_some_and(|usage| !usage.value().in_range()) {
            return Err(Refusal::OutOfRange);
        }
        match self {
            Self::Free => Ok(Charge { points: 0, words: self.words() }),
            Self::Fixed { points } => Ok(Charge { points: *points, words: self.words() }),
            Self::Duration(rule) => rule.charge(usage, purpose),
            Self::Metered(rule) => rule.charge(usage, purpose),
        }
    }

    /// The unit of a usage that names none.
    pub(super) fn unit(&self) -> Option<&str> {
        match self {
            Self::Metered(rule) => rule.unit.as_deref(),
            _ => None,
        }
    }

    /// The formula with names in the place of numbers.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Free => "free".to_owned(),
            Self::Fixed { points } => format!("{points} per use"),
            Self::Duration(rule) => rule.formula("seconds"),
            Self::Metered(rule) => rule.formula(rule.unit.as_deref().unwrap_or("quantity")),
        }
    }

    /// Where the seconds of an estimate come from.
    pub(super) fn estimation_words(&self) -> Option<String> {
        let estimation = match self {
            Self::Duration(rule) => rule.estimation,
            Self::Metered(rule) => rule.estimation,
            Self::Free | Self::Fixed { .. } => None,
        };
        estimation.map(|estimation| match estimation {
            Estimation::SecondsPerChar(each) => format!("chars * {each} s"),
            Estimation::InputSeconds => "input seconds".to_owned(),
        })
    }
}

/// What a rule counts in a usage, and its words. Which kind of rule a service has is the book's business: each takes every usage
/// in which it finds its unit.
struct Counted {
    amount: Ratio,
    words: String,
}

/// Counts a usage in a rule's unit; none where it cannot.
fn count(
    usage: &Usage,
    unit: &str,
    estimation: Option<Estimation>,
    purpose: Purpose,
) -> Result<Option<Counted>, Refusal> {
    let value = usage.value();
    let plain = |words| Ok(Some(Counted { amount: value.into(), words }));
    // A kind that says its unit may be given it once more.
    let says = |natural| match_units(usage, Some(natural));
    match (usage.kind(), unit, purpose, estimation) {
        (UsageKind::Seconds, SECOND, _, _)
        | (UsageKind::InputSeconds, SECOND, Purpose::Estimate, Some(Estimation::InputSeconds)) => {
            says(SECOND)?;
            plain(format!("{value} s"))
        }
        (UsageKind::Quantity, SECOND, _, _) if usage.unit_name() == Some(SECOND) => plain(format!("{value} s")),
        (UsageKind::Chars, CHAR, _, _) => {
            says(CHAR)?;
            plain(format!("{value} char"))
        }
        (UsageKind::Chars, SECOND, Purpose::Estimate, Some(Estimation::SecondsPerChar(each))) => {
            says(CHAR)?;
            let amount = Ratio::from(value).mul(each.into()).ok_or(Refusal::OutOfRange)?;
            Ok(Some(Counted { amount, words: format!("{value} char * {each} s") }))
        }
        _ => Ok(None),
    }
}

/// What to give a rule that counts seconds.
fn wanted_seconds(purpose: Purpose, estimation: Option<Estimation>) -> String {
    match (purpose, estimation) {
        (Purpose::Price, _) => "give the seconds that were used",
        (_, Some(Estimation::SecondsPerChar(_))) => "give the number of characters, or the seconds when they are known",
        (_, Some(Estimation::InputSeconds)) => "give the input seconds, or the seconds when they are known",
        (_, None) => "give the seconds: its price names no estimation",
    }
    .to_owned()
}

impl Duration {
    fn charge(&self, usage: Option<&Usage>, purpose: Purpose) -> Result<Charge, Refusal> {
        let wanted = || Refusal::Usage(wanted_seconds(purpose, self.estimation));
        let usage = usage.ok_or_else(wanted)?;
        let seconds = count(usage, SECOND, self.estimation, purpose)?.ok_or_else(wanted)?;
        let points = match self.rate {
            Rate::Divisor(divisor) => seconds.amount.div(divisor.into()).map(Ratio::ceil),
            Rate::Multiplier(multiplier) => Ratio::whole(seconds.amount.ceil()).mul(multiplier.into()).map(Ratio::ceil),
            Rate::Per(per, points) => packages(seconds.amount, per, points),
        };
        let points = to_points(points.ok_or(Refusal::OutOfRange)?)?;
        Ok(Charge { points: points.max(self.min_points), words: self.formula(&seconds.words) })
    }

    fn formula(&self, seconds: &str) -> String {
        let mut words = match self.rate {
            Rate::Divisor(divisor) => format!("ceil({seconds} / {divisor})"),
            Rate::Multiplier(multiplier) => format!("ceil(ceil({seconds}) * {multiplier})"),
            Rate::Per(per, points) => format!("ceil({seconds} / {per}) * {points}"),
        };
        if self.min_points > 0 {
            words.push_str(&format!(", at least {}", self.min_points));
        }
        words
    }
}

/// What packages cost, each that is begun; none past what can be told.
fn packages(amount: Ratio, package: Quantity, points: i64) -> Option<u128> {
    // Saturating is exact enough: what saturates is above every cap and above the range.
    Some(amount.div(package.into())?.ceil().saturating_mul(points.unsigned_abs().into()))
}

impl Metered {
    fn charge(&self, usage: Option<&Usage>, purpose: Purpose) -> Result<Charge, Refusal> {
        let wanted = || self.wanted(purpose);
        let usage = usage.ok_or_else(wanted)?;
        let Counted { amount, words } = self.count(usage, purpose)?.ok_or_else(wanted)?;
        if amount <= self.included.into() {
            return Ok(Charge { points: 0, words: format!("{words}, {} included", self.included) });
        }
        let beyond = amount.sub(self.included.into());
        let points = beyond.and_then(|beyond| packages(beyond, self.package, self.points));
        let points = points.ok_or(Refusal::OutOfRange)?;
        let points = match self.max_points {
            Some(most) => points.min(most.unsigned_abs().into()),
            None => points,
        };
        Ok(Charge { points: to_points(points)?.max(self.min_points), words: self.formula(&words) })
    }

    fn count(&self, usage: &Usage, purpose: Purpose) -> Result<Option<Counted>, Refusal> {
        let unit = self.unit.as_deref();
        if usage.kind() != UsageKind::Quantity {
            return count(usage, unit.unwrap_or_default(), self.estimation, purpose);
        }
        match_units(usage, unit)?;
        let quantity = usage.value();
        let words = match usage.unit_name().or(unit) {
            Some(unit) => format!("{quantity} {unit}"),
            None => quantity.to_string(),
        };
        Ok(Some(Counted { amount: quantity.into(), words }))
    }

    fn wanted(&self, purpose: Purpose) -> Refusal {
        Refusal::Usage(match self.unit.as_deref() {
            Some(SECOND) => wanted_seconds(purpose, self.estimation),
            Some(CHAR) => "give the number of characters".to_owned(),
            Some(unit) => format!("give the quantity, counted in `{unit}`"),
            None => "give the quantity".to_owned(),
        })
    }

    fn formula(&self, quantity: &str) -> String {
        let beyond =
            if self.included.is_zero() { quantity.to_owned() } else { format!("({quantity} - {})", self.included) };
        let mut words = format!("ceil({beyond} / {}) * {}", self.package, self.points);
        if self.min_points > 0 {
            words.push_str(&format!(", at least {}", self.min_points));
        }
        if let Some(most) = self.max_points {
            words.push_str(&format!(", at most {most}"));
        }
        words
    }
}

/// A unit that was given must be the rule's; a rule without one takes any.
fn match_units(usage: &Usage, expected: Option<&str>) -> Result<(), Refusal> {
    match (usage.unit_name(), expected) {
        (Some(given), Some(expected)) if given != expected => {
            Err(Refusal::Usage(format!("the price counts in `{expected}`, not in `{}`", super::report::shown(given))))
        }
        _ => Ok(()),
    }
}

fn to_points(points: u128) -> Result<i64, Refusal> {
    i64::try_from(points).ok().filter(|points| *points <= MAX_POINTS).ok_or(Refusal::OutOfRange)
}
