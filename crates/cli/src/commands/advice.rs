//! Refusals in the terms of what was typed; what may have been meant where nothing was found, or too much done.

use std::collections::BTreeSet;

use counterfoil::schema::nearest;
use counterfoil::{AccountId, Error, Ledger, OpKind, Query, Receipt, Request};
use serde_json::Value;

use super::Session;
use crate::args::HistoryArgs;
use crate::exit::Failure;
use crate::ids::{self, Whose};
use crate::output::time;

/// What a refusal of an operation says; `typed` is the hold, batch or operation as it was named, `points` those asked for.
pub(super) fn refused(
    ledger: &Ledger,
    whose: &Whose,
    typed: Option<&str>,
    points: Option<i64>,
    error: Error,
) -> Failure {
    let help = error.help();
    let advised = |error: Error| match typed.and_then(|text| operation(ledger, whose, text)) {
        Some(told) => Failure::advised(error, format!("{told}; {help}")),
        None => error.into(),
    };
    match (error, typed) {
        (Error::UnknownAccount { account }, _) => refused_account(ledger, account),
        (Error::UnknownOperation { wanted, .. }, Some(text)) => {
            let error = Error::UnknownOperation { operation: text.into(), wanted };
            match points.filter(|number| operation(ledger, whose, text).is_none() && is_charge(ledger, *number)) {
                Some(number) => {
                    Failure::advised(error, format!("the operation comes first, then the points: {number} {text}"))
                }
                None => advised(error),
            }
        }
        (error @ (Error::UnknownHold { .. } | Error::UnknownBatch { .. } | Error::UnknownPlan { .. }), _) => {
            advised(error)
        }
        (Error::HoldClosed { state, .. }, Some(text)) => Error::HoldClosed { hold: text.into(), state }.into(),
        (error, _) => match meant(ledger, &error) {
            Some((account, near)) => {
                Failure::advised(error, format!("there is no account `{account}`; did you mean `{near}`? Else {help}"))
            }
            None => error.into(),
        },
    }
}

/// Where nobody has opened the account that cannot pay: it, and the one that was perhaps meant.
fn meant(ledger: &Ledger, error: &Error) -> Option<(AccountId, AccountId)> {
    let Error::InsufficientPoints { account, .. } = error else { return None };
    let account = AccountId::new(account).ok()?;
    if ledger.balance(&account).ok()?.exists {
        return None;
    }
    let near = near(ledger, account.as_str())?;
    Some((account, near))
}

/// What a refusal to tell of an account says.
pub(super) fn nearly(ledger: &Ledger, failure: Failure) -> Failure {
    match failure {
        Failure::Ledger { error, .. } if matches!(*error, Error::UnknownAccount { .. }) => match *error {
            Error::UnknownAccount { account } => refused_account(ledger, account),
            error => error.into(),
        },
        other => other,
    }
}

/// An account nobody has opened, and perhaps the one that was meant.
fn refused_account(ledger: &Ledger, account: String) -> Failure {
    match near(ledger, &account) {
        Some(near) => Failure::advised(Error::UnknownAccount { account }, format!("did you mean `{near}`?")),
        None => Error::UnknownAccount { account }.into(),
    }
}

/// Whether the operation with this number is one that is refunded.
fn is_charge(ledger: &Ledger, number: i64) -> bool {
    let told = ledger.operation_id(number).and_then(|id| ledger.operation(&id));
    told.is_ok_and(|info| info.refundable.is_some())
}

/// What the operation with this number or key is, when it is one.
fn operation(ledger: &Ledger, whose: &Whose, typed: &str) -> Option<String> {
    let id = match typed.split('.').next().unwrap_or_default().parse() {
        Ok(number) => ledger.operation_id(number),
        Err(_) => ids::operation(ledger, whose, typed),
    };
    let id = id.ok()?;
    let number = id.sequence();
    let op = ledger.operation(&id).ok()?.receipt.op.as_str().replace('_', "-");
    let article = if op.starts_with('o') { "an" } else { "a" };
    Some(format!("operation {number} is {article} {op}"))
}

fn near(ledger: &Ledger, account: &str) -> Option<AccountId> {
    ledger.accounts_like(&AccountId::new(account).ok()?, 1).ok()?.into_iter().next()
}

/// Notes that the operation opened an account (or would, when it was only tried) whose name is nearly that of another.
pub(super) fn opened(session: &Session, ledger: &Ledger, request: &Request, receipt: &Receipt, tried: bool) {
    let account = match (receipt.op, &receipt.account) {
        (OpKind::Recharge | OpKind::Plan | OpKind::Consume | OpKind::Hold, Some(account)) => account.to_string(),
        (OpKind::Transfer, _) => request.get("to").and_then(Value::as_str).unwrap_or_default().into(),
        _ => return,
    };
    // What is booked is booked: nothing that goes wrong here may look as if it were not.
    let Ok(id) = AccountId::new(account.as_str()) else { return };
    let query = Query::new().kind("open").operation(receipt.operation).limit(1);
    let opened = match tried {
        true => ledger.balance(&id).is_ok_and(|balance| !balance.exists),
        false => !receipt.replayed && ledger.history(&id, &query).is_ok_and(|lines| !lines.items.is_empty()),
    };
    // Looked for only then: it goes through the accounts there are.
    if opened && let Some(near) = near(ledger, &account) {
        let opens = if tried { "would open" } else { "opened" };
        session.notes.note(&format!("this {opens} account `{account}`; did you mean `{near}`?"));
    }
}

/// Notes that the key of a recharge was used for one of another account: an order's callback may have come twice. A fair key
/// for everybody, like `monthly:2026-11`, is told of too.
pub(super) fn shared_key(session: &Session, ledger: &Ledger, receipt: &Receipt) {
    if receipt.op != OpKind::Recharge || receipt.replayed {
        return;
    }
    let others = ledger.operations_by_key(&receipt.key).unwrap_or_default();
    let other = others
        .iter()
        .filter_map(|id| ledger.operation(id).ok())
        .find(|other| other.receipt.op == OpKind::Recharge && other.receipt.account != receipt.account);
    if let Some((other, account)) = other.and_then(|other| Some((other.sequence, other.receipt.account?))) {
        session.notes.note(&format!(
            "the key `{}` was also used to recharge account `{account}` (operation {other}); a key is an account's own",
            receipt.key
        ));
    }
}

/// Warns that something was said to have happened later than now.
pub(super) fn brought_to_now(session: &Session, receipt: &Receipt) {
    if let Some(given) = receipt.occurred_at_given {
        let (given, now) = (time(given), time(receipt.booked_at));
        session.notes.warning(&format!("occurred_at {given} is later than now; it counts as {now}"));
    }
}

/// What can be done about points of a refund that came back to a batch whose time is over.
pub(super) fn lapsed(session: &Session, receipt: &Receipt) {
    if receipt.op == "refund" && receipt.lapsed > 0 {
        session.notes.help(
            "the points lapsed because their batch has expired: to make it good, recharge as compensation, or give the \
             batch a later end with set-expiry, which brings back all that expired of it",
        );
    }
}

/// No line fits: perhaps because a name in the filter is misspelt.
pub(super) fn no_entries(ledger: &Ledger, account: &AccountId, args: &HistoryArgs) -> Result<String, Failure> {
    if let Some(service) = &args.service
        && let Some(near) = service_like(ledger, Some(account), service)?
    {
        return Ok(format!("no entries for service `{service}`; did you mean `{near}`?"));
    }
    if let Some(source) = &args.source
        && let Some(near) = source_like(ledger, account, source)?
    {
        return Ok(format!("no entries for source `{source}`; did you mean `{near}`?"));
    }
    Ok("no entries".into())
}

/// The service in use that is nearly this one.
pub(super) fn service_like(
    ledger: &Ledger,
    account: Option<&AccountId>,
    service: &str,
) -> Result<Option<String>, Failure> {
    let used = ledger.usage(&account.into_iter().fold(Query::new(), Query::account))?.items;
    Ok(nearest(service, used.iter().filter_map(|line| line.service.as_deref())).filter(|near| near != service))
}

/// The source of a batch of the account that is nearly this one.
fn source_like(ledger: &Ledger, account: &AccountId, source: &str) -> Result<Option<String>, Failure> {
    let batches = Query::new().all(true).limit(500).each(|query| ledger.batches(account, query));
    let sources = batches.map(|batch| Ok(batch?.source)).collect::<counterfoil::Result<BTreeSet<String>>>()?;
    Ok(nearest(source, sources.iter().map(String::as_str)).filter(|near| near != source))
}
