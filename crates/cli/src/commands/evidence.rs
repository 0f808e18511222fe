//! What devices were told, for a hub that was set back.

use std::path::PathBuf;

use chrono::{DateTime, SecondsFormat, Utc};
use counterfoil::exchange::{LostAccount, LostBatch, open_file};
use counterfoil::sync::EvidenceReport;
use serde::Serialize;

use super::Session;
use super::hub::must_be_folder;
use crate::args::{EvidenceArgs, SendArgs};
use crate::exit::{Failure, Outcome};
use crate::shell::word;

/// A file that was written.
#[derive(Serialize)]
struct Wrote {
    file: PathBuf,
}

pub(super) fn write(session: &mut Session, args: &SendArgs) -> Result<Outcome, Failure> {
    must_be_folder(&args.out)?;
    let files = session.look()?.exchange().write_evidence(&args.out, !args.plain)?;
    if files.is_empty() {
        session.notes.note("its hub has told it nothing yet");
    }
    for file in files {
        session.out.told(&Wrote { file }, |wrote| format!("{}: written", wrote.file.display()))?;
    }
    Ok(Outcome::Done)
}

/// What a file shows.
#[derive(Serialize)]
struct Shown<'f> {
    file: &'f PathBuf,
    #[serde(flatten)]
    report: EvidenceReport,
}

pub(super) fn read(session: &mut Session, args: &EvidenceArgs) -> Result<Outcome, Failure> {
    let ledger = session.look()?;
    let now = ledger.clock()?.reading;
    let mut attention = false;
    for file in &args.paths {
        let report = ledger.exchange().read_evidence(open_file(file)?)?;
        attention |= report.needs_attention();
        session.out.told(&Shown { file, report }, |shown| {
            let report = &shown.report;
            let what = match (report.is_own_past, report.accounts.as_slice()) {
                (true, _) => "this hub was not set back behind it".to_string(),
                (false, []) => "no batch of it is missing, and no sum is less".to_string(),
                (false, accounts) => accounts.iter().map(|lost| account(lost, now)).collect(),
            };
            format!("{}: {what}", shown.file.display())
        })?;
    }
    Ok(if attention { Outcome::Attention } else { Outcome::Done })
}

fn account(lost: &LostAccount, now: DateTime<Utc>) -> String {
    let mut text = format!("\n{}", lost.account);
    for total in &lost.totals {
        text.push_str(&format!("\n  {}: {} were told of, {} are known", total.what, total.told, total.known));
    }
    if let Some(state) = lost.state {
        text.push_str(&format!("\n  it was {}", state.as_str()));
    }
    if let Some(limit) = lost.credit_limit {
        text.push_str(&format!("\n  its credit limit was {limit}"));
    }
    for batch in &lost.batches {
        text.push_str(&format!("\n  {}: {} points of {}", batch.batch, batch.points, batch.source));
        match batch.like {
            _ if batch.expires_at.is_some_and(|end| end <= now) => text.push_str("; expired meanwhile"),
            like => {
                let doubt =
                    like.map(|like| format!(", unless batch {like}, which a device has sent again, is the same"));
                let (doubt, enter) = (doubt.unwrap_or_default(), enter(lost, batch, now));
                text.push_str(&format!("; to enter it again{doubt}:\n    {enter}"));
                if batch.rolls_over {
                    text.push_str("\n    it was to roll over: add --rollover-cap and its life");
                }
            }
        }
    }
    text
}

/// The command that enters a batch again.
fn enter(lost: &LostAccount, batch: &LostBatch, now: DateTime<Utc>) -> String {
    let (account, source) = (word(lost.account.as_str()), word(&batch.source));
    let end = batch.expires_at.map_or_else(|| "never".into(), |at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    let mut command =
        format!("counterfoil recharge -a {account} {} --source {source} --expires-at {end}", batch.points);
    if batch.priority != 50 {
        command.push_str(&format!(" --priority {}", batch.priority));
    }
    if batch.effective_at > now {
        let at = batch.effective_at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        command.push_str(&format!(" --effective-at {at}"));
    }
    command.push_str(&format!(" --promo={} --key lost:{}", batch.promo, batch.batch));
    command
}
