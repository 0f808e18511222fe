//! Rules: from what was used to points, and to the words that explain it.

use super::ratio::Ratio;
use crate::quantity::{Quantity, Usage, UsageKind};
use crate::units::MAX_POINTS;

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
}

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
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Fixed { .. } => "fixed",
            Self::Duration(_) => "duration",
            Self::Metered(_) => "metered",
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
            Self::Metered(rule) => rule.charge(usage),
        }
    }

    /// The unit to record: the rule's own before the caller's.
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
        match self {
            Self::Duration(rule) => rule.estimation.map(|estimation| match estimation {
                Estimation::SecondsPerChar(each) => format!("chars * {each} s"),
                Estimation::InputSeconds => "input seconds".to_owned(),
            }),
            _ => None,
        }
    }
}

impl Duration {
    fn charge(&self, usage: Option<&Usage>, purpose: Purpose) -> Result<Charge, Refusal> {
        let usage = usage.ok_or_else(|| Refusal::Usage(self.wanted(purpose)))?;
        let value = usage.value();
        let (seconds, words) = match (usage.kind(), purpose, self.estimation) {
            (UsageKind::Seconds, _, _) => (Ratio::from(value), format!("{value} s")),
            (UsageKind::Chars, Purpose::Estimate, Some(Estimation::SecondsPerChar(each))) => {
                let seconds = Ratio::from(value).mul(each.into());
                let words = format!("{value} char * {each} s");
                (seconds.ok_or(Refusal::OutOfRange)?, words)
            }
            (UsageKind::InputSeconds, Purpose::Estimate, Some(Estimation::InputSeconds)) => {
                (Ratio::from(value), format!("{value} s"))
            }
            _ => return Err(Refusal::Usage(self.wanted(purpose))),
        };
        let natural = match usage.kind() {
            UsageKind::Chars => "char",
            _ => "second",
        };
        match_units(usage, Some(natural))?;
        let points = match self.rate {
            Rate::Divisor(divisor) => seconds.div(divisor.into()),
            Rate::Multiplier(multiplier) => Ratio::whole(seconds.ceil()).mul(multiplier.into()),
        };
        let points = points.ok_or(Refusal::OutOfRange)?.ceil();
        Ok(Charge { points: to_points(points)?.max(self.min_points), words: self.formula(&words) })
    }

    fn wanted(&self, purpose: Purpose) -> String {
        match (purpose, self.estimation) {
            (Purpose::Price, _) => "give the seconds that were used",
            (_, Some(Estimation::SecondsPerChar(_))) => {
                "give the number of characters, or the seconds when they are known"
            }
            (_, Some(Estimation::InputSeconds)) => "give the input seconds, or the seconds when they are known",
            (_, None) => "give the seconds: its price names no estimation",
        }
        .to_owned()
    }

    fn formula(&self, seconds: &str) -> String {
        let mut words = match self.rate {
            Rate::Divisor(divisor) => format!("ceil({seconds} / {divisor})"),
            Rate::Multiplier(multiplier) => format!("ceil(ceil({seconds}) * {multiplier})"),
        };
        if self.min_points > 0 {
            words.push_str(&format!(", at least {}", self.min_points));
        }
        words
    }
}

impl Metered {
    fn charge(&self, usage: Option<&Usage>) -> Result<Charge, Refusal> {
        let usage = usage.filter(|usage| usage.kind() == UsageKind::Quantity).ok_or_else(|| {
            Refusal::Usage(match &self.unit {
                Some(unit) => format!("give the quantity, counted in `{unit}`"),
                None => "give the quantity".to_owned(),
            })
        })?;
        match_units(usage, self.unit.as_deref())?;
        let quantity = usage.value();
        let shown = match usage.unit_name().or(self.unit.as_deref()) {
            Some(unit) => format!("{quantity} {unit}"),
            None => quantity.to_string(),
        };
        if quantity <= self.included {
            let words = format!("{shown}, {} included", self.included);
            return Ok(Charge { points: 0, words });
        }
        let packages = Ratio::from(quantity)
            .sub(self.included.into())
            .and_then(|beyond| beyond.div(self.package.into()))
            .ok_or(Refusal::OutOfRange)?
            .ceil();
        // Saturating is exact enough: what saturates is above every cap and above the range.
        let points = packages.saturating_mul(self.points.unsigned_abs().into());
        let points = match self.max_points {
            Some(most) => points.min(most.unsigned_abs().into()),
            None => points,
        };
        Ok(Charge { points: to_points(points)?.max(self.min_points), words: self.formula(&shown) })
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
