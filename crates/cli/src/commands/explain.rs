//! `explain`: sentences and sums for people, the library's whole answer for programs.

use counterfoil::report::{BatchLife, Calendar, Explanation, Missing};
use counterfoil::{Error, Period, Query, Question};

use super::Session;
use crate::args::{ExplainArgs, Format};
use crate::exit::{Failure, Outcome};
use crate::ids;
use crate::output::explained;

pub(super) fn run(session: &mut Session, args: &ExplainArgs) -> Result<Outcome, Failure> {
    if session.common.format() == Format::Csv {
        let help = "use --format json; for rows use history, batches or statement with --format csv";
        return Err(Failure::usage("an explanation is no table, so there is no CSV of it", help));
    }
    let period = args.period.period()?;
    if !args.missing && (args.period.from.is_some() || args.period.to.is_some() || args.period.month.is_some()) {
        return Err(Failure::usage(
            "a period is for --missing",
            "leave --from, --to and --month out, or add --missing",
        ));
    }
    let calendar = &args.period.calendar();
    session.out.clock(calendar.clone());
    match (&args.operation, &args.batch) {
        (Some(operation), _) => one(session, operation, calendar)?,
        (None, Some(batch)) => life(session, batch, calendar)?,
        (None, None) => missing(session, &period, calendar, args.all)?,
    }
    Ok(Outcome::Done)
}

fn one(session: &mut Session, text: &str, calendar: &Calendar) -> Result<(), Failure> {
    let ledger = session.look()?;
    let id = ids::operation(&ledger, &session.whose()?, text).map_err(|error| pointed(error, text))?;
    let question = Question::new("explain").with("operation", id.to_string());
    let told: Explanation = ledger.ask(&question)?.try_into()?;
    session.out.told(&told, |told| explained::operation(told, calendar))
}

fn life(session: &mut Session, text: &str, calendar: &Calendar) -> Result<(), Failure> {
    let ledger = session.look()?;
    let whose = session.whose()?;
    let named = ids::batch(&ledger, &whose, text);
    let id =
        named.map_err(|error| match ids::operation(&ledger, &whose, text).and_then(|id| ledger.operation(&id)) {
            Ok(info) => made_none(text, &info),
            Err(_) => error,
        })?;
    let told: BatchLife = ledger.ask(&Question::new("explain").with("batch", id.to_string()))?.try_into()?;
    session.out.told(&told, |told| explained::life(told, calendar))
}

fn missing(session: &mut Session, period: &Period, calendar: &Calendar, all: bool) -> Result<(), Failure> {
    let (account, ledger) = (session.account()?, session.look()?);
    let asked = Query::new().within(*period);
    let asked = match session.common.format() {
        _ if all => asked.limit(usize::MAX),
        Format::Table => asked.limit(explained::LINES),
        _ => asked,
    };
    let told: Missing = ledger.ask(&asked.question("missing").with("account", account.as_str()))?.try_into()?;
    session.out.told(&told, |told| explained::missing(told, calendar))?;
    if !told.exists {
        session.notes.note(&session.nobody(&ledger, &account)?);
    }
    Ok(())
}

/// An operation where a batch is wanted.
fn made_none(text: &str, info: &counterfoil::report::OperationInfo) -> Error {
    if info.receipt.batches.len() > 1 {
        let help = format!("say which: {0}.1 to {0}.{1}", info.sequence, info.receipt.batches.len());
        let message = format!("operation {} made {} batches", info.sequence, info.receipt.batches.len());
        return Error::InvalidArgument { field: "batch".into(), message, help };
    }
    Error::InvalidArgument {
        field: "batch".into(),
        message: format!("`{text}` is operation {}, a {}, not a batch", info.sequence, info.receipt.op),
        help: format!("for what it did: explain {}; batches -a ACCOUNT --all lists batches", info.sequence),
    }
}

/// An id of a batch where an operation is wanted is an easy mistake: both look alike.
fn pointed(error: Error, text: &str) -> Failure {
    let like_a_batch = text.split_once('.').is_some_and(|(number, index)| {
        [number, index].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let made = text.parse::<counterfoil::BatchId>().ok().filter(|id| id.index() > 0);
    if like_a_batch || made.is_some() {
        let number =
            made.map_or_else(|| text.split('.').next().unwrap_or_default().into(), |id| id.sequence().to_string());
        let help = format!(
            "for the life of the batch: explain --batch {text}; for what operation {number} did: explain {number}"
        );
        return Error::InvalidArgument {
            field: "operation".into(),
            message: format!("`{text}` names a batch or a hold, not an operation"),
            help,
        }
        .into();
    }
    error.into()
}
