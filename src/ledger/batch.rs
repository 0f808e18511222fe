//! A run of operations given as lines: each may point at what an earlier line of the same run made.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use serde_json::Value;
use uuid::Uuid;

use super::Ledger;
use crate::error::{Error, Result};
use crate::model::operations::TARGETS;
use crate::model::{BatchId, Command, HoldId, OpKind, OperationId, PlanId, Receipt, Request};

/// Each line with its outcome.
type Answers = Vec<(u64, Result<Receipt>)>;

/// About as many lines as one short transaction takes.
const USUAL: usize = 1_000;

/// How a run is booked as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Whole {
    /// All lines in one transaction; the first refusal ends it and nothing is booked.
    Atomic,
    /// Every line is tried in one transaction, which is rolled back: what would happen.
    DryRun,
    /// As `Atomic`, and rolled back.
    AtomicDryRun,
}

/// A run of operations: `{"ref_line": n}` in place of an id stands for the one thing of the wanted kind that line `n` made.
///
/// ```
/// use counterfoil::{Ledger, Request};
/// # let folder = tempfile::tempdir()?;
/// # let ledger = Ledger::create(folder.path().join("points.ledger"))?;
/// let mut run = ledger.batch_run();
/// run.apply(1, &Request::parse(r#"{"op":"recharge","account":"a","key":"1","points":50,"source":"wxpay"}"#)?)?;
/// run.apply(2, &Request::parse(r#"{"op":"hold","account":"a","key":"2","points":40,"deadline_seconds":60}"#)?)?;
/// let receipt = run.apply(3, &Request::parse(r#"{"op":"capture","hold":{"ref_line":2},"key":"3","points":25}"#)?)?;
/// assert_eq!(receipt.balance.available, 25);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct BatchRun {
    ledger: Ledger,
    historic: bool,
    made: HashMap<u64, Things>,
}

impl BatchRun {
    pub(crate) fn new(ledger: Ledger) -> Self {
        BatchRun { ledger, historic: false, made: HashMap::new() }
    }

    /// Lets lines carry `at` and be booked at that instant: for loading history.
    #[must_use]
    pub fn historic(mut self, historic: bool) -> Self {
        self.historic = historic;
        self
    }

    /// Books one line, durable when this returns.
    ///
    /// # Errors
    /// As for [`Ledger::apply`]; `unknown_operation`, `unknown_batch` or `unknown_hold` for a `ref_line` that names no such thing.
    pub fn apply(&mut self, line: u64, request: &Request) -> Result<Receipt> {
        let request = resolve(&[&self.made], request)?;
        let receipt = self.ledger.apply_as(&request, self.historic)?;
        self.made.insert(line, Things::of(&receipt));
        Ok(receipt)
    }

    /// Books the first of these lines, as many as one short transaction takes (about 20 ms of work, at least one line),
    /// and answers them, durable when this returns. The rest is for the next call. Each line has its own outcome, the one
    /// it would have had alone; the answers end with the first failure of the file ([`Error::is_failure`]).
    ///
    /// ```
    /// use counterfoil::{Ledger, Request};
    /// # let folder = tempfile::tempdir()?;
    /// # let ledger = Ledger::create(folder.path().join("points.ledger"))?;
    /// let lines = [
    ///     (1, Request::parse(r#"{"op":"recharge","account":"a","key":"1","points":50,"source":"wxpay"}"#)?),
    ///     (2, Request::parse(r#"{"op":"consume","account":"a","key":"2","points":80,"policy":"strict"}"#)?),
    /// ];
    /// let answers = ledger.batch_run().apply_group(&lines);
    /// assert_eq!(answers[0].1.as_ref().map(|receipt| receipt.points.get()).ok(), Some(50));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply_group(&mut self, lines: &[(u64, Request)]) -> Vec<(u64, Result<Receipt>)> {
        let lines: Vec<(u64, &Request)> = lines.iter().map(|(line, request)| (*line, request)).collect();
        self.group(&lines)
    }

    pub(super) fn group(&mut self, lines: &[(u64, &Request)]) -> Answers {
        if let [(line, request)] = lines {
            return vec![(*line, self.apply(*line, request))];
        }
        let (answers, made, done) = self.together(lines, true, false, false);
        if done.is_ok() && !answers.is_empty() {
            self.remember(made);
            return answers;
        }
        // Each alone, as far as the transaction had come, or until the file fails again.
        let mut alone = Answers::new();
        for (line, request) in lines.iter().take(answers.len().saturating_add(1)) {
            let answer = self.apply(*line, request);
            let failed = answer.as_ref().is_err_and(Error::is_failure);
            alone.push((*line, answer));
            if failed {
                break;
            }
        }
        let unknown = done.err().filter(|error| matches!(error, Error::OutcomeUnknown { .. }));
        for ((_, now), (_, before)) in alone.iter_mut().zip(&answers) {
            match (now, before, &unknown) {
                // What a failed commit had booked all the same was booked by this call.
                (Ok(now), Ok(before), _) => now.replayed &= before.replayed,
                // It may have been, and could not be looked up.
                (now @ Err(_), Ok(_), Some(unknown)) if now.as_ref().is_err_and(Error::is_failure) => {
                    *now = Err(unknown.clone());
                }
                _ => {}
            }
        }
        alone
    }

    /// A line with ids in place of what it points at, for a line that is kept to be given in another run, where its
    /// `ref_line` would mean another line.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// let mut run = ledger.batch_run();
    /// let hold = run.apply(1, &Request::parse(r#"{"op":"hold","account":"alice","key":"1","points":4,"deadline_seconds":60}"#)?)?;
    /// let line = Request::parse(r#"{"op":"release","hold":{"ref_line":1},"key":"2"}"#)?;
    /// assert_eq!(run.aimed(&line)?.get("hold"), Some(&hold.hold.unwrap().id.to_string().into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `unknown_operation`, `unknown_batch` or `unknown_hold` when no earlier line made what it points at; `invalid_argument` when
    /// it points in no such way.
    pub fn aimed(&self, request: &Request) -> Result<Request> {
        aim(&[&self.made], request)
    }

    fn remember(&mut self, made: HashMap<u64, Things>) {
        if self.made.is_empty() {
            self.made = made;
        } else {
            self.made.extend(made);
        }
    }

    /// Tries all lines in one transaction. The answers come in order; an atomic run answers with the one refusal alone.
    ///
    /// # Errors
    /// Failures of the file as a whole (`busy`, `disk_full`, `outcome_unknown`, `storage`, `read_only`, `closed`): nothing is booked.
    pub fn apply_whole(&mut self, lines: &[(u64, Request)], whole: Whole) -> Result<Vec<(u64, Result<Receipt>)>> {
        let lines: Vec<(u64, &Request)> = lines.iter().map(|(line, request)| (*line, request)).collect();
        let dry_run = whole != Whole::Atomic;
        let (answers, made, done) = self.together(&lines, false, whole != Whole::DryRun, dry_run);
        match done {
            Err(error) if error.is_failure() => return Err(error),
            Err(_) => return Ok(answers),
            Ok(()) => {}
        }
        if !dry_run {
            self.remember(made);
            return Ok(answers);
        }
        let new = answers.iter().filter_map(|(_, answer)| answer.as_ref().ok()).filter(|receipt| !receipt.replayed);
        let from = new.map(|receipt| receipt.operation.sequence()).min().unwrap_or(i64::MAX);
        Ok(answers.into_iter().map(|(line, answer)| (line, answer.map(|receipt| receipt.tried(from)))).collect())
    }

    /// Tries lines in one transaction, which ends at a failure of the file, when its time is up (`bounded`), and at a
    /// refusal, which is then the one answer (`atomic`). The answers, what the lines made, and how the transaction ended.
    fn together(
        &self,
        lines: &[(u64, &Request)],
        bounded: bool,
        atomic: bool,
        dry_run: bool,
    ) -> (Answers, HashMap<u64, Things>, Result<()>) {
        let usual = lines.len().min(USUAL);
        let came_to = RefCell::new((Vec::new(), HashMap::new()));
        let done = self.ledger.apply_together(bounded, self.historic, dry_run, &|book| {
            let (answers, made) = &mut *came_to.borrow_mut();
            // It may be run again.
            (*answers, *made) = (Vec::with_capacity(usual), HashMap::with_capacity(usual));
            for (line, request) in lines {
                self.ledger.keep_quoted(request);
                match resolve(&[&self.made, &*made], request).and_then(|request| book(&request)) {
                    Ok(Some(receipt)) => {
                        made.insert(*line, Things::of(&receipt));
                        answers.push((*line, Ok(receipt)));
                    }
                    Ok(None) => break,
                    Err(error) if error.is_failure() => return Err(error),
                    Err(error) if atomic => {
                        *answers = vec![(*line, Err(error.clone()))];
                        return Err(error);
                    }
                    Err(error) => answers.push((*line, Err(error))),
                }
            }
            Ok(())
        });
        let (answers, made) = came_to.into_inner();
        (answers, made, done)
    }
}

/// Puts ids in the place of `{"ref_line": n}`.
fn resolve<'r>(made: &[&HashMap<u64, Things>], request: &'r Request) -> Result<Cow<'r, Request>> {
    if pointing(request).next().is_none() {
        return Ok(Cow::Borrowed(request));
    }
    // The shape comes first, whatever the reference points at: so an id of nobody stands in for it.
    let nobody = Uuid::from_u128(8 << 76).to_string();
    Command::parse(&pointing(request).fold(request.clone(), |request, field| request.with(field, nobody.as_str())))?;
    aim(made, request).map(Cow::Owned)
}

/// The fields that point at an earlier line.
fn pointing(request: &Request) -> impl Iterator<Item = &'static str> {
    TARGETS.into_iter().filter(|field| matches!(request.get(field), Some(Value::Object(_))))
}

fn aim(made: &[&HashMap<u64, Things>], request: &Request) -> Result<Request> {
    pointing(request).try_fold(request.clone(), |aimed, field| {
        let reference = request.get(field).and_then(Value::as_object).filter(|reference| reference.len() == 1);
        let line = reference.and_then(|reference| reference.get("ref_line")?.as_u64()).ok_or_else(|| {
            Error::invalid(field, "is neither an id nor {\"ref_line\": n}", "give the id from the receipt")
        })?;
        let id = made.iter().find_map(|made| made.get(&line)).and_then(|things| things.named(field));
        Ok(aimed.with(field, id.ok_or_else(|| nothing_made(field, line))?))
    })
}

/// What one line made: all a later line may point at. A run of a million lines remembers no more than this of each.
#[derive(Debug, Clone, Copy)]
struct Things {
    operation: Option<OperationId>,
    batch: Option<BatchId>,
    hold: Option<HoldId>,
    plan: Option<PlanId>,
}

impl Things {
    fn of(receipt: &Receipt) -> Self {
        let made = match (receipt.op, receipt.batches.as_slice()) {
            (OpKind::Recharge, _) => receipt.batch.as_ref(),
            (OpKind::Transfer, [only]) => Some(only),
            _ => None,
        };
        Things {
            operation: matches!(receipt.op, OpKind::Consume | OpKind::Capture).then_some(receipt.operation),
            batch: made.map(|made| made.batch),
            hold: receipt.hold.as_ref().filter(|_| receipt.op == "hold").map(|hold| hold.id),
            plan: receipt.plan.as_ref().filter(|_| receipt.op == "plan").map(|plan| plan.id),
        }
    }

    fn named(&self, field: &str) -> Option<String> {
        match field {
            "hold" => self.hold.map(|id| id.to_string()),
            "batch" => self.batch.map(|id| id.to_string()),
            "plan" => self.plan.map(|id| id.to_string()),
            _ => self.operation.map(|id| id.to_string()),
        }
    }
}

fn nothing_made(field: &str, line: u64) -> Error {
    let what = format!("ref_line {line}");
    match field {
        "hold" => Error::UnknownHold { hold: what },
        "batch" => Error::UnknownBatch { batch: what },
        "plan" => Error::UnknownPlan { plan: what },
        _ => Error::UnknownOperation { operation: what, wanted: "consume or capture" },
    }
}
