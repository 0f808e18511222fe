//! Price books: read, check, show, and quote from them.

use std::path::Path;

use counterfoil::answer::Hash;
use counterfoil::pricing::{PriceBook, PricingFault, ServiceRule};
use counterfoil::{Error, Question, Quote};
use serde::Serialize;

use super::Session;
use crate::args::{CheckArgs, Format, PricingCommand, QuoteArgs, UsageArgs};
use crate::exit::{Failure, Outcome};
use crate::output::{Block, PriceFault, Shown};

/// Reads a price book, whole or not at all.
pub(super) fn read(path: &Path) -> Result<PriceBook, Failure> {
    Ok(PriceBook::read(path)?.map_err(Error::from)?)
}

pub(super) fn run(session: &mut Session, command: &PricingCommand) -> Result<Outcome, Failure> {
    match command {
        PricingCommand::Check(args) => check(session, args),
        PricingCommand::Show => show(session),
    }
}

/// What a good price book says of itself.
#[derive(Serialize)]
struct Good {
    ok: bool,
    price_book: Hash,
    services: usize,
    expiration_days: u32,
}

impl Shown for Good {
    const CSV: &'static [&'static str] = &["ok", "price_book", "services", "expiration_days"];

    fn block(&self) -> Block {
        let mut block = Block::default();
        block.add("ok", format!("{} services", self.services));
        block.add("price book", self.price_book.to_string());
        block.add("expiry", format!("{} days after a recharge", self.expiration_days));
        block
    }
}

/// What is wrong with a price book.
#[derive(Serialize)]
struct Bad<'f> {
    ok: bool,
    file: &'f str,
    faults: &'f [PricingFault],
}

fn check(session: &mut Session, args: &CheckArgs) -> Result<Outcome, Failure> {
    let path = args.path.as_ref().or(session.common.pricing.as_ref());
    let path = path.ok_or_else(|| Failure::usage("no price book is named", "name the file: pricing check FILE"))?;
    let faults = match PriceBook::read(path)? {
        Ok(book) => {
            let services = book.services().count();
            let (price_book, expiration_days) = (book.hash(), book.expiration_days());
            session.out.one(&Good { ok: true, price_book, services, expiration_days })?;
            return Ok(Outcome::Done);
        }
        Err(faults) => faults,
    };
    let pretty = match session.out.format() {
        Format::Table => return Err(Error::from(faults).into()),
        Format::Csv => {
            let lines: Vec<PriceFault> = faults.faults().iter().cloned().map(PriceFault).collect();
            session.out.all(&lines)?;
            return Ok(Outcome::Unusable);
        }
        Format::Json => true,
        Format::Jsonl => false,
    };
    session.out.json(&Bad { ok: false, file: faults.file(), faults: faults.faults() }, pretty)?;
    session.out.flush()?;
    Ok(Outcome::Unusable)
}

/// The price book named, else the newest one stored in the ledger.
fn book(session: &Session) -> Result<PriceBook, Failure> {
    if let Some(book) = session.named_book()? {
        return Ok(book);
    }
    if session.common.file.is_none() {
        return Err(Failure::usage(
            "neither a price book nor a ledger file is named",
            "name a price book with --pricing FILE, or a ledger with -f FILE",
        ));
    }
    session.look()?.newest_pricing()?.ok_or_else(|| {
        let message = "nothing has been booked under a price book yet".into();
        Error::Pricing { message, help: "name a price book with --pricing FILE".into(), faults: Vec::new() }.into()
    })
}

fn show(session: &mut Session) -> Result<Outcome, Failure> {
    let book = book(session)?;
    let services: Vec<ServiceRule> = book.services().collect();
    if !session.out.all(&services)? {
        session.notes.note("the price book has no services");
    }
    if session.out.format() == Format::Table {
        session.notes.note(&format!(
            "price book {}; points expire {} days after a recharge that names no expiry",
            book.hash(),
            book.expiration_days()
        ));
    }
    Ok(Outcome::Done)
}

impl Shown for Quote {
    const CSV: &'static [&'static str] = &["service", "points", "rule", "price_book"];

    fn block(&self) -> Block {
        let mut block = Block::default();
        block.add("points", self.points.to_string());
        block.add("service", self.service.as_str());
        block.add("rule", self.rule.as_str());
        block.add("price book", self.price_book.to_string());
        block
    }
}

/// What a use costs, or can cost at most.
pub(super) fn quote(session: &mut Session, args: &QuoteArgs, at_most: bool) -> Result<Outcome, Failure> {
    let UsageArgs { seconds, quantity, unit, chars, input_seconds } = &args.usage;
    let service = args.service.as_ref().or(args.service_flag.as_ref());
    let fields = [
        ("service", service.map(|service| service.as_str().into())),
        ("seconds", seconds.clone()),
        ("quantity", quantity.clone()),
        ("unit", unit.as_ref().map(|unit| unit.as_str().into())),
        ("chars", chars.clone()),
        ("input_seconds", input_seconds.clone()),
    ];
    let question = Question::new(if at_most { "estimate" } else { "price" });
    let question = fields.into_iter().fold(question, |question, (name, value)| question.with(name, value));
    session.out.one(&question.quote(book(session)?)?)?;
    Ok(Outcome::Done)
}
