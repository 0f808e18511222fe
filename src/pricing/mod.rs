//! Price books: from a TOML file to points, without ever touching a binary fraction.
//!
//! A [`PriceBook`] is one text, whole or not at all. [`PriceBook::price`] says what a use costs, and
//! [`PriceBook::estimate`] what it can cost at most. Nothing here reads a file or a clock.

mod fields;
mod parse;
mod ratio;
mod report;
mod rule;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use report::PricingErrors;

use crate::error::Error;
pub use crate::error::PricingFault;
use crate::hash::Hash;
use crate::quantity::{Quantity, Usage};
use crate::spelling::nearest;
use crate::units::{MAX_POINTS, Points};
use rule::{Purpose, Refusal, Rule};

/// Days from when points become usable to their expiry where neither the caller nor a price book names any.
pub const DEFAULT_EXPIRATION_DAYS: u32 = 180;

/// The greatest price book, in bytes: 1 MiB.
pub const MAX_BOOK_BYTES: usize = 1 << 20;

/// Why a use cannot be priced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PriceError {
    /// The book has no price for the service.
    #[error("the price book has no service `{}`{}", report::shown(service), hint(did_you_mean))]
    UnknownService {
        /// The name as it was asked for.
        service: String,
        /// The name in the book that is nearly the same.
        did_you_mean: Option<String>,
    },
    /// The usage the rule needs is missing, of another kind or in another unit. The text says what to do.
    #[error("{0}")]
    Usage(String),
    /// The quantity or the points would pass 9 000 000 000 000 000, or the quantity has too many digits to be priced
    /// exactly.
    #[error("the price of `{}` for this quantity is out of range", report::shown(.0))]
    OutOfRange(String),
}

impl From<PriceError> for Error {
    fn from(error: PriceError) -> Self {
        match error {
            PriceError::UnknownService { service, did_you_mean } => Error::UnknownService { service, did_you_mean },
            PriceError::Usage(help) => Error::invalid("usage", "does not fit the service's rule", help),
            PriceError::OutOfRange(_) => {
                Error::out_of_range("points", format!("the price is past {MAX_POINTS} points"))
            }
        }
    }
}

fn hint(did_you_mean: &Option<String>) -> String {
    did_you_mean.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// A price, or the upper bound of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Priced {
    /// The service that is priced.
    pub service: String,
    /// What it costs; of an estimate, at most.
    pub points: Points,
    /// The rule in words, with the numbers of this case: `ceil(61.2 s / 3), at least 1`.
    pub rule: String,
    /// What was used, as it was given; a mere label for fixed and free services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// The unit of the quantity: `second`, `char`, the rule's, or the caller's where the rule has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// How a rule finds a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RuleKind {
    /// By use.
    Fixed,
    /// By time.
    Duration,
    /// By whatever is counted.
    Metered,
    /// Not at all.
    Free,
}

impl RuleKind {
    /// Its word, as in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            RuleKind::Fixed => "fixed",
            RuleKind::Duration => "duration",
            RuleKind::Metered => "metered",
            RuleKind::Free => "free",
        }
    }
}

/// One line of a table of prices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServiceRule {
    /// The name of the service.
    pub service: String,
    /// How the price is found.
    pub kind: RuleKind,
    /// The rule in words: `ceil(seconds / 3), at least 1`.
    pub rule: String,
    /// Where an estimate takes its seconds from: `chars * 0.25 s` or `input seconds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimation: Option<String>,
}

/// A price book: services, their rules, and what recharges need to know.
///
/// ```
/// use counterfoil::pricing::PriceBook;
/// use counterfoil::quantity::Usage;
///
/// let book = PriceBook::parse("[duration_based_costs.tts]\ndivisor = 0.3\n", "pricing.toml")?;
/// let priced = book.price("tts", &Usage::seconds("2.1")?)?;
/// assert_eq!(priced.points, 7);
/// assert_eq!(priced.rule, "ceil(2.1 s / 0.3), at least 1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceBook {
    text: String,
    hash: Hash,
    expiration_days: u32,
    promo_sources: BTreeSet<String>,
    rules: BTreeMap<String, Rule>,
}

impl PriceBook {
    /// Reads a price book. `file_name` only names the place of faults.
    ///
    /// Strict: an unknown key, a service priced twice, a number out of its range refuse the whole book.
    ///
    /// # Errors
    /// Every fault of the text at once, each with its place; of a text that is no TOML, every fault of syntax.
    ///
    /// ```
    /// use counterfoil::pricing::PriceBook;
    ///
    /// let faults = PriceBook::parse("[fixed_costs]\nscript = -1\nvideo = 1.5\n", "pricing.toml").unwrap_err();
    /// let places: Vec<_> = faults.faults().iter().map(|fault| (fault.line, fault.column)).collect();
    /// assert_eq!(places, [(2, 10), (3, 9)]);
    /// ```
    pub fn parse(text: &str, file_name: &str) -> Result<PriceBook, PricingErrors> {
        parse::parse(text, file_name)
    }

    /// What the use costs.
    ///
    /// A duration rule needs seconds, a metered rule a quantity; one that counts in `second` or `char` takes seconds or
    /// characters, as a duration rule takes a quantity in `second`. Fixed and free services need nothing and keep what is given as
    /// a label. Zero is a quantity.
    ///
    /// # Errors
    /// [`PriceError`]: an unknown service, a missing or wrong usage, a price out of range.
    ///
    /// ```
    /// use counterfoil::pricing::PriceBook;
    /// use counterfoil::quantity::Usage;
    ///
    /// let book = PriceBook::parse("[metered_costs.tokens]\npackage = 1000\npoints = 3\n", "pricing.toml")?;
    /// assert_eq!(book.price("tokens", &Usage::quantity(1_001_u64))?.points, 6);
    /// assert!(book.price("tokens", None).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn price<'u>(&self, service: &str, usage: impl Into<Option<&'u Usage>>) -> Result<Priced, PriceError> {
        self.charge(service, usage.into(), Purpose::Price)
    }

    /// What the use can cost at most, from what is known before it.
    ///
    /// A rule that counts seconds takes characters where it has `seconds_per_char`, input seconds where it has
    /// `use_input_seconds`, and known seconds always. The other rules are priced as by [`PriceBook::price`].
    ///
    /// # Errors
    /// [`PriceError`]: an unknown service, a missing or wrong hint, a price out of range.
    ///
    /// ```
    /// use counterfoil::pricing::PriceBook;
    /// use counterfoil::quantity::Usage;
    ///
    /// let text = "[duration_based_costs.tts]\ndivisor = 3\nestimation = { seconds_per_char = 0.25 }\n";
    /// let book = PriceBook::parse(text, "pricing.toml")?;
    /// assert_eq!(book.estimate("tts", &Usage::chars(1_200))?.points, 100);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn estimate<'u>(&self, service: &str, hint: impl Into<Option<&'u Usage>>) -> Result<Priced, PriceError> {
        self.charge(service, hint.into(), Purpose::Estimate)
    }

    /// The text this book was read from, unchanged.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// BLAKE3 of the bytes of the text: the name of this book.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Days from when points become usable to their expiry where the caller names none, 1 to 36 500.
    #[must_use]
    pub fn expiration_days(&self) -> u32 {
        self.expiration_days
    }

    /// Whether points from this source are promotional.
    #[must_use]
    pub fn is_promo(&self, source: &str) -> bool {
        self.promo_sources.contains(source)
    }

    /// Every service with its rule in words, in the order of the names.
    ///
    /// ```
    /// use counterfoil::pricing::PriceBook;
    ///
    /// let book = PriceBook::parse("[duration_based_costs.video]\nmultiplier = 2\n", "pricing.toml")?;
    /// let rules: Vec<_> = book.services().map(|line| line.rule).collect();
    /// assert_eq!(rules, ["ceil(ceil(seconds) * 2), at least 1"]);
    /// # Ok::<(), counterfoil::pricing::PricingErrors>(())
    /// ```
    pub fn services(&self) -> impl Iterator<Item = ServiceRule> + '_ {
        self.rules.iter().map(|(service, rule)| ServiceRule {
            service: service.clone(),
            kind: rule.kind(),
            rule: rule.words(),
            estimation: rule.estimation_words(),
        })
    }

    fn charge(&self, service: &str, usage: Option<&Usage>, purpose: Purpose) -> Result<Priced, PriceError> {
        let rule = self.rules.get(service).ok_or_else(|| PriceError::UnknownService {
            service: service.to_owned(),
            did_you_mean: nearest(service, self.rules.keys().map(String::as_str)),
        })?;
        let charge = rule.charge(usage, purpose).map_err(|refusal| match refusal {
            Refusal::Usage(advice) => PriceError::Usage(format!("for service `{service}` {advice}")),
            Refusal::OutOfRange => PriceError::OutOfRange(service.to_owned()),
        })?;
        let unit = usage.and_then(Usage::unit_name).or(rule.unit());
        Ok(Priced {
            service: service.to_owned(),
            points: Points::new(charge.points).map_err(|_| PriceError::OutOfRange(service.to_owned()))?,
            rule: charge.words,
            quantity: usage.map(Usage::value),
            unit: unit.filter(|_| usage.is_some()).map(str::to_owned),
        })
    }
}
