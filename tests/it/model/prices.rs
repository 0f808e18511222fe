//! A tiny price table, computed exactly.

use std::collections::BTreeMap;

/// The same rules as [`Prices::sample`], for the library under test.
pub const SAMPLE_TOML: &str = r#"
expiration_days = 30
promo_sources = ["invite", "gift"]
free_services = ["preview"]

[fixed_costs]
script = 4

[duration_based_costs.tts]
divisor = 3
min_points = 1
estimation = { seconds_per_char = 0.25 }

[duration_based_costs.fine]
divisor = 0.3
min_points = 2

[duration_based_costs.video]
multiplier = 1.5
min_points = 3
estimation = { use_input_seconds = true }

[duration_based_costs.dub]
per = 5
points = 2

[metered_costs.speech]
unit = "second"
package = 2
points = 1
included = 4
estimation = { seconds_per_char = 0.5 }

[metered_costs.text]
unit = "char"
package = 10
points = 1

[metered_costs.tokens]
unit = "token"
package = 1000
points = 3
included = 200
min_points = 1
max_points = 12
"#;

/// The sample's hash, in a line; any other is of a book nobody knows.
pub const SAMPLE_BOOK: &str = "book:sample";

/// units / 10^scale, never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dec {
    pub units: i128,
    pub scale: u32,
}

impl Dec {
    pub fn parse(text: &str) -> Option<Dec> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{whole}{part}");
        if digits.is_empty() || digits.len() > 25 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut units: i128 = digits.parse().ok()?;
        let mut scale = part.len() as u32;
        while scale > 0 && units % 10 == 0 {
            units /= 10;
            scale -= 1;
        }
        Some(Dec { units, scale })
    }

    pub fn whole(n: i64) -> Dec {
        Dec { units: i128::from(n), scale: 0 }
    }

    /// The shortest decimal text.
    pub fn text(self) -> String {
        if self.scale == 0 {
            return self.units.to_string();
        }
        let ten = 10_i128.pow(self.scale);
        let part = self.units % ten;
        let width = self.scale as usize;
        format!("{}.{part:0width$}", self.units / ten)
    }

    fn times(self, other: Dec) -> Dec {
        Dec { units: self.units * other.units, scale: self.scale + other.scale }
    }

    /// ceil(self / other).
    fn over(self, other: Dec) -> i128 {
        let top = self.units * 10_i128.pow(other.scale);
        let bottom = other.units * 10_i128.pow(self.scale);
        (top + bottom - 1) / bottom
    }

    fn ceil(self) -> i128 {
        self.over(Dec::whole(1))
    }
}

#[derive(Clone, Debug)]
pub enum Rule {
    Fixed(i64),
    Free,
    Seconds {
        divisor: Option<Dec>,
        multiplier: Option<Dec>,
        min: i64,
        per_char: Option<Dec>,
        input_seconds: bool,
    },
    /// So many points for each five seconds begun, at least one point.
    Dub {
        per: Dec,
        points: i64,
    },
    Metered {
        unit: String,
        package: i64,
        points: i64,
        included: i64,
        min: i64,
        max: Option<i64>,
        per_char: Option<Dec>,
    },
}

/// What a request says about how much was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Usage {
    None,
    Seconds(Dec),
    Chars(Dec),
    InputSeconds(Dec),
    Quantity(Dec, Option<String>),
}

#[derive(Clone, Debug)]
pub struct Prices {
    /// Without a book every service to be priced is refused with `pricing`.
    pub loaded: bool,
    pub services: BTreeMap<String, Rule>,
    pub expiration_days: i64,
    pub promo_sources: Vec<String>,
}

impl Prices {
    pub fn none() -> Prices {
        Prices { loaded: false, services: BTreeMap::new(), expiration_days: 180, promo_sources: Vec::new() }
    }

    pub fn sample() -> Prices {
        let seconds = |divisor: Option<&str>, multiplier: Option<&str>, min| Rule::Seconds {
            divisor: divisor.and_then(Dec::parse),
            multiplier: multiplier.and_then(Dec::parse),
            min,
            per_char: if divisor == Some("3") { Dec::parse("0.25") } else { None },
            input_seconds: multiplier.is_some(),
        };
        let metered = |unit: &str, package, included, per_char: Option<&str>| Rule::Metered {
            unit: unit.into(),
            package,
            points: 1,
            included,
            min: 0,
            max: None,
            per_char: per_char.and_then(Dec::parse),
        };
        let tokens = Rule::Metered {
            unit: "token".into(),
            package: 1_000,
            points: 3,
            included: 200,
            min: 1,
            max: Some(12),
            per_char: None,
        };
        let services = [
            ("preview", Rule::Free),
            ("script", Rule::Fixed(4)),
            ("tts", seconds(Some("3"), None, 1)),
            ("fine", seconds(Some("0.3"), None, 2)),
            ("video", seconds(None, Some("1.5"), 3)),
            ("dub", Rule::Dub { per: Dec::whole(5), points: 2 }),
            ("speech", metered("second", 2, 4, Some("0.5"))),
            ("text", metered("char", 10, 0, None)),
            ("tokens", tokens),
        ];
        Prices {
            loaded: true,
            services: services.map(|(name, rule)| (name.to_string(), rule)).into(),
            expiration_days: 30,
            promo_sources: vec!["invite".into(), "gift".into()],
        }
    }

    /// Points for a known usage, or the refusal's code.
    pub fn price(&self, service: &str, usage: &Usage) -> Result<i64, &'static str> {
        match (self.rule(service)?, usage) {
            (Rule::Fixed(_) | Rule::Free, _) => self.estimate(service, usage),
            (Rule::Metered { unit, .. }, Usage::Chars(_)) if unit == "char" => self.estimate(service, usage),
            (_, Usage::Chars(_) | Usage::InputSeconds(_)) => Err("invalid_argument"),
            _ => self.estimate(service, usage),
        }
    }

    /// Points for a usage or an estimate of one.
    pub fn estimate(&self, service: &str, usage: &Usage) -> Result<i64, &'static str> {
        let points = match self.rule(service)? {
            Rule::Fixed(points) => i128::from(*points),
            Rule::Free => 0,
            Rule::Seconds { divisor, multiplier, min, per_char, input_seconds } => {
                let seconds = in_seconds(usage, *per_char, *input_seconds)?;
                by_seconds(seconds, *divisor, *multiplier).max(i128::from(*min))
            }
            Rule::Dub { per, points } => {
                let seconds = in_seconds(usage, None, false)?;
                (seconds.over(*per) * i128::from(*points)).max(1)
            }
            Rule::Metered { unit, package, points, included, min, max, per_char } => {
                let quantity = match (usage, unit.as_str()) {
                    (Usage::Quantity(_, Some(given)), _) if given != unit => return Err("invalid_argument"),
                    (Usage::Quantity(quantity, _), _) => *quantity,
                    (Usage::Chars(chars), "char") => *chars,
                    (_, "second") => in_seconds(usage, *per_char, false)?,
                    _ => return Err("invalid_argument"),
                };
                metered(quantity, (*package, *points, *included), *min, *max)
            }
        };
        i64::try_from(points).ok().filter(|points| *points <= super::books::MAX_POINTS).ok_or("out_of_range")
    }

    /// The unit a receipt names beside the quantity.
    pub fn unit(&self, service: Option<&str>, usage: &Usage) -> Option<String> {
        match usage {
            Usage::None => None,
            Usage::Seconds(_) | Usage::InputSeconds(_) => Some("second".into()),
            Usage::Chars(_) => Some("char".into()),
            Usage::Quantity(_, Some(unit)) => Some(unit.clone()),
            Usage::Quantity(_, None) => match service.and_then(|name| self.services.get(name)) {
                Some(Rule::Metered { unit, .. }) => Some(unit.clone()),
                _ => None,
            },
        }
    }

    fn rule(&self, service: &str) -> Result<&Rule, &'static str> {
        if !self.loaded {
            return Err("pricing");
        }
        self.services.get(service).ok_or("unknown_service")
    }
}

/// The seconds of a usage, where it tells them or they can be estimated from it.
fn in_seconds(usage: &Usage, per_char: Option<Dec>, input_seconds: bool) -> Result<Dec, &'static str> {
    match usage {
        Usage::Seconds(seconds) => Ok(*seconds),
        Usage::Quantity(seconds, Some(unit)) if unit == "second" => Ok(*seconds),
        Usage::InputSeconds(seconds) if input_seconds => Ok(*seconds),
        Usage::Chars(chars) => Ok(per_char.ok_or("invalid_argument")?.times(*chars)),
        _ => Err("invalid_argument"),
    }
}

fn by_seconds(seconds: Dec, divisor: Option<Dec>, multiplier: Option<Dec>) -> i128 {
    match (divisor, multiplier) {
        (Some(divisor), _) => seconds.over(divisor),
        (_, Some(multiplier)) => {
            let whole = Dec { units: seconds.ceil(), scale: 0 };
            whole.times(multiplier).ceil()
        }
        _ => seconds.ceil(),
    }
}

fn metered(quantity: Dec, (package, points, included): (i64, i64, i64), min: i64, max: Option<i64>) -> i128 {
    let free = i128::from(included) * 10_i128.pow(quantity.scale);
    if quantity.units <= free {
        return 0;
    }
    let beyond = Dec { units: quantity.units - free, scale: quantity.scale };
    let cost = beyond.over(Dec::whole(package)) * i128::from(points);
    let cost = cost.max(i128::from(min));
    max.map_or(cost, |max| cost.min(i128::from(max)))
}
