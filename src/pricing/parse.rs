//! TOML text to a price book, or to every fault in it.
//!
//! Walks the parsed document by hand: serde would stop at the first fault, lose the places of most, and turn 0.28 into
//! a float.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::de::DeTable;

use super::fields::{Faults, Fields, Value};
use super::report::{Fault, Places, PricingErrors, shown};
use super::rule::{Duration, Estimation, Metered, Rate, Rule, SECOND};
use super::{DEFAULT_EXPIRATION_DAYS, MAX_BOOK_BYTES, PriceBook};
use crate::hash::Hash;
use crate::quantity::Quantity;

const TOP: [&str; 6] =
    ["expiration_days", "promo_sources", "free_services", "fixed_costs", "duration_based_costs", "metered_costs"];
const DURATION: [&str; 6] = ["divisor", "multiplier", "per", "points", "min_points", "estimation"];
const ESTIMATION: [&str; 2] = ["seconds_per_char", "use_input_seconds"];
const METERED: [&str; 7] = ["unit", "package", "points", "included", "min_points", "max_points", "estimation"];
/// Each says by itself how seconds become points.
const RATES: [&str; 3] = ["divisor", "multiplier", "per"];

pub(super) fn parse(text: &str, file_name: &str) -> Result<PriceBook, PricingErrors> {
    if text.len() > MAX_BOOK_BYTES {
        let fault = Fault {
            span: 0..0,
            message: format!("a price book is at most {MAX_BOOK_BYTES} bytes, this one has {}", text.len()),
            help: None,
        };
        return Err(PricingErrors::new("", file_name, vec![fault]));
    }
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (document, mistakes) = DeTable::parse_recoverable(body);
    let mut reader = Reader::default();
    // A key given twice leaves the rest readable; after other mistakes of syntax the rest would be guesswork.
    if mistakes.iter().all(|it| it.message() == "duplicate key") {
        reader.document(document.get_ref());
    }
    for mistake in mistakes {
        let span = mistake.span().unwrap_or(body.len()..body.len());
        reader.faults.add(span, mistake.message());
    }
    reader.finish(text, body, file_name)
}

/// The book as far as it has been read.
#[derive(Default)]
struct Reader<'t> {
    faults: Faults,
    expiration_days: Option<u32>,
    promo_sources: BTreeSet<String>,
    /// Every place that prices a service; the rule is missing where it was faulty.
    services: Vec<Service<'t>>,
}

struct Service<'t> {
    name: &'t str,
    span: Range<usize>,
    section: &'static str,
    rule: Option<Rule>,
}

impl<'t> Reader<'t> {
    fn finish(mut self, text: &str, body: &str, file_name: &str) -> Result<PriceBook, PricingErrors> {
        let rules = self.unique_rules(body);
        let faults = self.faults.into_list();
        if !faults.is_empty() {
            return Err(PricingErrors::new(body, file_name, faults));
        }
        Ok(PriceBook {
            text: text.to_owned(),
            hash: Hash::of(text.as_bytes()),
            expiration_days: self.expiration_days.unwrap_or(DEFAULT_EXPIRATION_DAYS),
            promo_sources: self.promo_sources,
            rules,
        })
    }

    /// One rule per service; the later of two places is the fault, and names the earlier.
    fn unique_rules(&mut self, body: &str) -> BTreeMap<String, Rule> {
        let mut places = Places::new(body);
        let mut first: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
        let mut rules = BTreeMap::new();
        self.services.sort_by_key(|service| service.span.start);
        for service in &mut self.services {
            let place = places.at(service.span.start);
            if let Some((section, line)) = first.get(service.name) {
                self.faults.add_with_help(
                    service.span.clone(),
                    format!("`{}` has two prices", shown(service.name)),
                    format!("it is also in {section}, line {line}; keep one of them"),
                );
                continue;
            }
            first.insert(service.name, (service.section, place.line));
            if let Some(rule) = service.rule.take() {
                rules.insert(service.name.to_owned(), rule);
            }
        }
        rules
    }

    fn document(&mut self, table: &'t DeTable<'t>) {
        let fields = self.faults.known(table, "at the top of the file", &TOP);
        for (key, (_, value)) in fields {
            match key {
                "expiration_days" => {
                    self.expiration_days = self.faults.days(value, "`expiration_days`");
                }
                "promo_sources" => {
                    let names = self.faults.names(value, "`promo_sources`");
                    self.promo_sources = names.into_keys().map(str::to_owned).collect();
                }
                "free_services" => self.free(value),
                "fixed_costs" => self.section(value, "fixed_costs", &[], Self::fixed),
                "duration_based_costs" => {
                    self.section(value, "duration_based_costs", &DURATION, Self::duration);
                }
                _ => self.section(value, "metered_costs", &METERED, Self::metered),
            }
        }
    }

    fn free(&mut self, value: &'t Value<'t>) {
        for (name, span) in self.faults.names(value, "`free_services`") {
            self.services.push(Service { name, span, section: "free_services", rule: Some(Rule::Free) });
        }
    }

    fn section(
        &mut self,
        value: &'t Value<'t>,
        section: &'static str,
        known: &[&str],
        rule: fn(&mut Self, &str, Range<usize>, &'t Value<'t>) -> Option<Rule>,
    ) {
        let Some(table) = self.faults.table(value, &format!("`{section}`")) else {
            return;
        };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if self.faults.dotted(section, name, value, known) {
                continue;
            }
            let named = self.faults.name(name, key.span());
            let rule = rule(self, name, key.span(), value);
            if named {
                self.services.push(Service { name, span: key.span(), section, rule });
            }
        }
    }

    fn fixed(&mut self, name: &str, _: Range<usize>, value: &'t Value<'t>) -> Option<Rule> {
        let what = format!("the price of `{}`", shown(name));
        let points = self.faults.points(value, &what)?;
        Some(Rule::Fixed { points })
    }

    fn duration(&mut self, name: &str, at: Range<usize>, value: &'t Value<'t>) -> Option<Rule> {
        let what = format!("`{}`", shown(name));
        let table = self.faults.table(value, &what)?;
        let place = format!("in the duration price {what}");
        let fields = self.faults.known(table, &place, &DURATION);
        let rate = self.rate(&what, at, &fields);
        let min_points = self.field(&fields, "min_points", Some(1), Faults::points);
        let estimation = self.estimation(&what, &fields);
        Some(Rule::Duration(Duration { rate: rate?, min_points: min_points?, estimation: estimation? }))
    }

    fn rate(&mut self, what: &str, at: Range<usize>, fields: &Fields<'t>) -> Option<Rate> {
        let divisor = self.field(fields, "divisor", None, Faults::positive);
        let multiplier = self.field(fields, "multiplier", None, Faults::positive);
        let per = self.field(fields, "per", None, Faults::positive);
        let points = self.field(fields, "points", None, Faults::points);
        let mut given: Vec<(&str, &Range<usize>)> =
            RATES.into_iter().filter_map(|name| fields.get(name).map(|(key, _)| (name, key))).collect();
        given.sort_by_key(|(_, key)| key.start);
        let mut partner = |has: &str, lacks: &str, help: &str| {
            if let Some((key, _)) = fields.get(has).filter(|_| !fields.contains_key(lacks)) {
                self.faults.add_with_help(key.clone(), format!("{what} has `{has}` and no `{lacks}`"), help);
            }
        };
        partner("per", "points", "`points` is the price of each `per` seconds that are begun");
        partner("points", "per", "`per` says for how many seconds they are the price");
        match given.as_slice() {
            [] if fields.contains_key("points") => None,
            [] => {
                let message = format!("{what} has none of `divisor`, `multiplier` and `per`");
                self.faults.add_with_help(at, message, "one of them says how seconds become points");
                None
            }
            [_] => {
                let per = per.zip(points).map(|(per, points)| Rate::Per(per, points));
                divisor.map(Rate::Divisor).or(multiplier.map(Rate::Multiplier)).or(per)
            }
            [(first, _), others @ ..] => {
                for (name, key) in others {
                    let (one, other) = if name < first { (name, first) } else { (first, name) };
                    let message = format!("{what} has both `{one}` and `{other}`");
                    self.faults.add_with_help((*key).clone(), message, "keep one of them");
                }
                None
            }
        }
    }

    /// `Some(None)` where there is none.
    fn estimation(&mut self, what: &str, fields: &Fields<'t>) -> Option<Option<Estimation>> {
        match fields.get("estimation") {
            Some((key, value)) => self.estimate_from(what, key, value).map(Some),
            None => Some(None),
        }
    }

    fn estimate_from(&mut self, what: &str, key: &Range<usize>, value: &'t Value<'t>) -> Option<Estimation> {
        let table = self.faults.table(value, "`estimation`")?;
        let place = format!("in the estimation of {what}");
        let fields = self.faults.known(table, &place, &ESTIMATION);
        let per_char = self.field(&fields, "seconds_per_char", None, Faults::positive);
        let input = fields.get("use_input_seconds").map(|(_, value)| {
            let flag = value.get_ref().as_bool();
            if flag != Some(true) {
                let message = "`use_input_seconds` can only be true";
                let help = "leave `estimation` out where there is none";
                self.faults.add_with_help(value.span(), message, help);
            }
            flag == Some(true)
        });
        let names = "`seconds_per_char` or `use_input_seconds`";
        match (fields.contains_key("seconds_per_char"), input) {
            (true, Some(_)) => {
                let message = format!("the estimation of {what} takes {names}, not both");
                self.faults.add(key.clone(), message);
                None
            }
            (true, None) => per_char.map(Estimation::SecondsPerChar),
            (false, Some(flag)) => flag.then_some(Estimation::InputSeconds),
            (false, None) => {
                let message = format!("the estimation of {what} needs {names}");
                self.faults.add(key.clone(), message);
                None
            }
        }
    }

    fn metered(&mut self, name: &str, at: Range<usize>, value: &'t Value<'t>) -> Option<Rule> {
        let what = format!("`{}`", shown(name));
        let table = self.faults.table(value, &what)?;
        let place = format!("in the metered price {what}");
        let fields = self.faults.known(table, &place, &METERED);
        let unit = self.field(&fields, "unit", Some(None), |faults, value, what| {
            let unit = faults.text(value, what)?;
            faults.name(unit, value.span()).then(|| Some(unit.to_owned()))
        });
        let package = self.field(&fields, "package", Some(Quantity::from(1)), Faults::positive);
        if !fields.contains_key("points") {
            let message = format!("{what} has no `points`");
            self.faults.add_with_help(at, message, "`points` is the price of one package");
        }
        let points = self.field(&fields, "points", None, Faults::points);
        let included = self.field(&fields, "included", Some(Quantity::ZERO), |faults, value, what| {
            faults.decimal(value, what, "cannot be negative")
        });
        let min_points = self.field(&fields, "min_points", Some(0), Faults::points);
        let max_points =
            self.field(&fields, "max_points", Some(None), |faults, value, what| faults.points(value, what).map(Some));
        let estimation = self.estimation(&what, &fields);
        if let (Some((key, _)), Some(unit)) = (fields.get("estimation"), &unit)
            && unit.as_deref() != Some(SECOND)
        {
            let message = format!("{what} has an `estimation`, and does not count in `{SECOND}`");
            self.faults.add_with_help(key.clone(), message, "an estimation says how many seconds it can become");
        }
        let (min_points, max_points) = (min_points?, max_points?);
        if let (Some((key, _)), Some(most)) = (fields.get("max_points"), max_points)
            && min_points > most
        {
            let message = format!("`max_points` {most} is below `min_points` {min_points}");
            self.faults.add(key.clone(), message);
        }
        Some(Rule::Metered(Metered {
            unit: unit?,
            package: package?,
            points: points?,
            included: included?,
            min_points,
            max_points,
            estimation: estimation?,
        }))
    }

    /// A field's value; `None` when it is faulty. Where there is no such field, the default.
    fn field<T>(
        &mut self,
        fields: &Fields<'t>,
        key: &str,
        default: Option<T>,
        read: impl FnOnce(&mut Faults, &'t Value<'t>, &str) -> Option<T>,
    ) -> Option<T> {
        match fields.get(key) {
            Some((_, value)) => read(&mut self.faults, value, &format!("`{key}`")),
            None => default,
        }
    }
}
