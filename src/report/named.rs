//! What a name means: the operation, batch, hold or plan that somebody names by number, id or key. A name that could mean two
//! things is refused, and told how to say which.

use super::Look;
use crate::engine::{Source, source::OperationHead};
use crate::error::{Error, Result};
use crate::model::{AccountId, BatchId, HoldId, Key, MAX_INDEX, Name, OpKind, OperationId, PlanId, Reading, batch_no};
use crate::store;

/// Uses of a key that are read at once, and the most that are looked through for one that fits.
const READ: usize = 256;
const MOST_USES: usize = 10_000;
/// Operations that are listed where several could be meant.
const LISTED: usize = 10;

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Operation,
    /// An operation that charged.
    Charge,
    Batch,
    Hold,
    Plan,
}

impl Sort {
    /// The field it is named in, and what several of it are.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Sort::Operation | Sort::Charge => ("operation", "operations"),
            Sort::Batch => ("batch", "batches"),
            Sort::Hold => ("hold", "holds"),
            Sort::Plan => ("plan", "plans"),
        }
    }

    /// Whether an operation of this kind is one, or makes one: of those of a key, as a hold and its capture, only these are
    /// meant.
    fn fits(self, kind: OpKind) -> bool {
        match self {
            Sort::Operation => true,
            Sort::Charge => matches!(kind, OpKind::Consume | OpKind::Capture),
            Sort::Batch => matches!(kind, OpKind::Recharge | OpKind::Plan | OpKind::Transfer),
            Sort::Hold => kind == OpKind::Hold,
            Sort::Plan => kind == OpKind::Plan,
        }
    }

    fn unknown(self, text: &str, wanted: &'static str) -> Error {
        match self {
            Sort::Operation | Sort::Charge => Error::UnknownOperation { operation: text.into(), wanted },
            Sort::Batch => Error::UnknownBatch { batch: text.into() },
            Sort::Hold => Error::UnknownHold { hold: text.into() },
            Sort::Plan => Error::UnknownPlan { plan: text.into() },
        }
    }
}

/// An operation that a name can mean, or the one that made what it means.
struct Candidate {
    head: OperationHead,
    /// Which of the batches it made.
    index: Option<i64>,
    /// What names it and nothing else.
    spelling: String,
}

/// What was found on the way, for whoever hears that there is no such thing.
#[derive(Default)]
struct Passed {
    /// Something of another kind.
    other: bool,
    /// The account of one that would fit, where another account was given.
    elsewhere: Option<i64>,
}

impl Look<'_, '_> {
    pub(crate) fn operation_named(&self, text: &str, account: Option<&AccountId>) -> Result<OperationId> {
        self.one_operation(Sort::Operation, text, account)
    }

    pub(crate) fn charge_named(&self, text: &str, account: Option<&AccountId>) -> Result<OperationId> {
        self.one_operation(Sort::Charge, text, account)
    }

    fn one_operation(&self, sort: Sort, text: &str, account: Option<&AccountId>) -> Result<OperationId> {
        let name = Name::new(text);
        let found = self.named(sort, &name, account)?;
        Ok(found.head.writer.operation(found.head.seq))
    }

    pub(crate) fn hold_named(&self, text: &str, account: Option<&AccountId>) -> Result<HoldId> {
        let found = self.named(Sort::Hold, &Name::new(text), account)?;
        Ok(found.head.writer.hold(found.head.seq))
    }

    pub(crate) fn plan_named(&self, text: &str, account: Option<&AccountId>) -> Result<PlanId> {
        let found = self.named(Sort::Plan, &Name::new(text), account)?;
        Ok(found.head.writer.plan(found.head.seq))
    }

    pub(crate) fn batch_named(&self, text: &str, account: Option<&AccountId>) -> Result<BatchId> {
        let Candidate { head, index, .. } = self.named(Sort::Batch, &Name::new(text), account)?;
        let id = |index| head.writer.batch(batch_no(head.seq, index));
        if let Some(index) = index {
            return Ok(id(index));
        }
        if head.kind == OpKind::Plan {
            let message = format!("operation {} is a plan, which makes a batch for each period", head.seq);
            return Err(Error::invalid("batch", message, "name the batch as the account's batches show it"));
        }
        if head.kind == OpKind::Recharge {
            // What rolled out of it has a place of its own.
            return Ok(id(1));
        }
        let mut made = 0;
        for index in 1..=MAX_INDEX {
            match self.source.batch(batch_no(head.seq, index))? {
                Some(_) => made = index,
                None => break,
            }
        }
        if made == 1 {
            return Ok(id(1));
        }
        let message = format!("operation {} made {made} batches", head.seq);
        Err(Error::invalid("batch", message, format!("say which: {0}.1 to {0}.{made}", head.seq)))
    }

    fn named(&self, sort: Sort, name: &Name<'_>, account: Option<&AccountId>) -> Result<Candidate> {
        let of = match account {
            // Nobody's account has no operations.
            Some(id) => Some(self.source.account_by_id(id)?.map_or(-1, |row| row.no)),
            None => None,
        };
        let (mut found, mut passed) = (Vec::from_iter(self.by_id(sort, name)?), Passed::default());
        let readings = if found.is_empty() { name.readings.as_slice() } else { &[] };
        for reading in readings {
            match reading {
                Reading::Number(number, index) => {
                    found.extend(self.by_number(sort, name, (*number, *index), &mut passed)?);
                }
                Reading::Key(key) => self.by_key(sort, name, key, of, &mut found, &mut passed)?,
            }
        }
        let mut here = Vec::new();
        for one in found {
            if of.is_none() || one.head.account == of || of == self.owner(sort, &one)? {
                here.push(one);
            } else {
                passed.elsewhere = one.head.account;
            }
        }
        here.sort_by_key(|one| (one.head.seq, one.index));
        here.dedup_by_key(|one| (one.head.seq, one.index));
        match (here.pop(), here.is_empty()) {
            (None, _) => Err(self.nothing(sort, name, &passed, account)?),
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                here.push(last);
                Err(self.several(sort, name, &here)?)
            }
        }
    }

    /// Whose batch it is: of a transfer not the account that paid.
    fn owner(&self, sort: Sort, one: &Candidate) -> Result<Option<i64>> {
        match (sort, one.index) {
            (Sort::Batch, Some(index)) => {
                Ok(self.source.batch(batch_no(one.head.seq, index))?.map(|batch| batch.account))
            }
            _ => Ok(None),
        }
    }

    fn by_id(&self, sort: Sort, name: &Name<'_>) -> Result<Option<Candidate>> {
        let Some(id) = name.id else { return Ok(None) };
        let same = |head: &OperationHead, sequence, batch: BatchId| match sort {
            Sort::Operation | Sort::Charge | Sort::Plan => head.writer.operation(sequence).uuid() == id,
            Sort::Batch => batch.index() > 0 && head.writer.batch(batch.no()) == batch,
            Sort::Hold => head.writer.hold(sequence).uuid() == id,
        };
        let batch = name.text.parse::<BatchId>()?;
        let head = self.source.operation(batch.sequence())?;
        let head = head.filter(|head| same(head, batch.sequence(), batch) && sort.fits(head.kind));
        let index = (sort == Sort::Batch).then(|| batch.index());
        Ok(head.map(|head| Candidate { head, index, spelling: name.text.into() }))
    }

    fn by_number(
        &self,
        sort: Sort,
        name: &Name<'_>,
        (number, index): (i64, Option<i64>),
        passed: &mut Passed,
    ) -> Result<Option<Candidate>> {
        if index.is_some() && sort != Sort::Batch {
            return Ok(None);
        }
        let Some(head) = self.source.operation(number)? else { return Ok(None) };
        let made = match index {
            Some(index) => (1..=MAX_INDEX).contains(&index) && self.source.batch(batch_no(number, index))?.is_some(),
            None => true,
        };
        if !sort.fits(head.kind) || !made {
            passed.other = true;
            return Ok(None);
        }
        // Where that is a key as well, nothing but the id is left.
        let spelling = match (name.text.starts_with("number:"), index) {
            (true, Some(index)) => head.writer.batch(batch_no(number, index)).to_string(),
            (true, None) if sort == Sort::Hold => head.writer.hold(number).to_string(),
            (true, None) => head.writer.operation(number).to_string(),
            (false, _) => format!("number:{}", name.text),
        };
        Ok(Some(Candidate { head, index, spelling }))
    }

    /// Those booked under a key, of one account or of all.
    fn by_key(
        &self,
        sort: Sort,
        name: &Name<'_>,
        key: &Key,
        of: Option<i64>,
        found: &mut Vec<Candidate>,
        passed: &mut Passed,
    ) -> Result<()> {
        let first = found.len();
        let after = (of.unwrap_or(-1), if of.is_some() { -1 } else { i64::MAX });
        let read = |after, page| store::key_uses(self.session, key, after, page);
        for (uses, used) in store::pages(after, READ, read, |(account, kind, _)| (*account, *kind)).enumerate() {
            let (account, kind, seq) = used?;
            if of.is_some_and(|of| of != account) || found.len() > LISTED {
                break;
            }
            if uses >= MOST_USES {
                let message = format!("`{}` is the key of more than {MOST_USES} operations", name.text);
                return Err(Error::invalid(sort.words().0, message, "name the account as well, or give the number"));
            }
            if !OpKind::from_code(kind).is_some_and(|kind| sort.fits(kind)) {
                passed.other = true;
            } else if let Some(head) = self.source.operation(seq)? {
                found.push(Candidate { head, index: None, spelling: format!("number:{seq}") });
            }
        }
        // One that a prefix leads to is told by its number: the whole text may be a key too.
        if let ([only], true) = (found.get_mut(first..).unwrap_or_default(), key.as_str() == name.text) {
            only.spelling = format!("key:{key}");
        }
        // Of another account it is found where none is given.
        if of.is_some() && found.len() == first && passed.elsewhere.is_none() {
            let uses = store::key_uses(self.session, key, (-1, i64::MAX), LISTED)?;
            let fits = |kind| OpKind::from_code(kind).is_some_and(|kind| sort.fits(kind));
            passed.elsewhere = uses.iter().find(|(_, kind, _)| fits(*kind)).map(|(account, ..)| *account);
        }
        Ok(())
    }

    fn nothing(&self, sort: Sort, name: &Name<'_>, passed: &Passed, account: Option<&AccountId>) -> Result<Error> {
        let (text, (field, _)) = (name.text, sort.words());
        if let (Some(no), Some(account)) = (passed.elsewhere.filter(|no| *no > 0), account) {
            let message = format!("`{text}` names nothing of `{account}`; it is of `{}`", self.account_row(no)?.id);
            return Ok(Error::invalid(field, message, "name that account, or none"));
        }
        let made_by = name.made_by().map(|number| self.source.operation(number)).transpose()?.flatten();
        if let (Sort::Operation | Sort::Charge, Some(head)) = (sort, made_by) {
            let operation = head.seq;
            return Ok(Error::invalid(
                field,
                format!("`{text}` names a batch, which operation {operation} made, and no operation"),
                "give the number or id of an operation, as the account's history shows them",
            ));
        }
        if passed.other && sort != Sort::Operation {
            return Ok(sort.unknown(text, "consume or capture"));
        }
        if name.id.is_some() || name.is_number() || name.made_by().is_some() {
            return Ok(sort.unknown(text, "booked"));
        }
        Ok(Error::invalid(
            field,
            format!("`{text}` is not an id, nor the key of an operation"),
            "name it by its number or id, which history shows, or by its key",
        ))
    }

    fn several(&self, sort: Sort, name: &Name<'_>, found: &[Candidate]) -> Result<Error> {
        let (field, things) = sort.words();
        let mut listed = Vec::new();
        for one in found.iter().take(LISTED) {
            let of = match one.head.account {
                Some(no) => format!(" of {}", self.account_row(no)?.id),
                None => String::new(),
            };
            // What has several words is easier to read where a name ends.
            listed.push(format!("`{}` ({}{of})", one.spelling, one.head.kind.as_str().replace('_', "-")));
        }
        let more = if found.len() > LISTED { ", \u{2026}" } else { "" };
        let accounts = found.iter().any(|one| found.iter().any(|other| other.head.account != one.head.account));
        let or = if accounts { "; or name the account" } else { "" };
        let message = format!("`{}` could mean several {things}", name.text);
        Ok(Error::invalid(field, message, format!("say which: {}{more}{or}", listed.join(" or "))))
    }
}
