//! Links at a hub: where one belongs in its device's tree, what it refers to there, and when it occurred.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::source::Source;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::{
    BASE_AT, ChainRow, Command, DeviceRow, HoldId, Line, LinkRow, LinkVerdict, OpKind, OperationId, Request,
    StageReason, StageState, StagedRow, Subject, Writer,
};
use crate::units::{Instant, add, sub};

/// A link that has come.
#[derive(Clone, Copy)]
pub(crate) struct Incoming<'a> {
    pub(crate) device: &'a DeviceRow,
    pub(crate) epoch: i64,
    /// The hash of the link before it, and that link where it has just been taken.
    pub(crate) prev: &'a Hash,
    pub(crate) after: Option<Tip>,
    pub(crate) hash: &'a Hash,
    pub(crate) line: &'a Line<'a>,
    /// As it came.
    pub(crate) text: &'a str,
    pub(crate) price_book: Option<(i64, Hash)>,
    /// When its file was made, by the device's clock.
    pub(crate) exported_at: Instant,
}

/// The newest link of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tip {
    pub(crate) chain: i64,
    pub(crate) seq: i64,
    pub(crate) occurred: Instant,
    /// Its caller said when it occurred.
    pub(crate) named: bool,
}

/// Where a link belongs.
pub(super) struct Place {
    pub(super) chain: i64,
    /// It begins this one.
    pub(super) new: Option<ChainRow>,
    /// Another goes on after the same link, in the same epoch.
    pub(super) fork: bool,
    pub(super) before: Option<Tip>,
}

/// The operation of a device with this id, if the ids of that device and epoch begin so.
fn number_of(id: Id, writer: Writer) -> Option<i64> {
    let (same, seq) = match id {
        Id::Operation(id) => (writer.operation(id.sequence()) == id, id.sequence()),
        Id::Hold(id) => (writer.hold(id.sequence()) == id, id.sequence()),
    };
    same.then_some(seq)
}

#[derive(Clone, Copy)]
enum Id {
    Operation(OperationId),
    Hold(HoldId),
}

impl Id {
    fn sequence(self) -> i64 {
        match self {
            Id::Operation(id) => id.sequence(),
            Id::Hold(id) => id.sequence(),
        }
    }
}

/// Finds where a link belongs.
pub(super) fn place(source: &dyn Source, incoming: &Incoming<'_>) -> Result<Place> {
    if let Some(tip) = incoming.after {
        return Ok(Place { chain: tip.chain, new: None, fork: false, before: Some(tip) });
    }
    let first = incoming.line.seq;
    let before = source.link_by_hash(incoming.prev)?;
    let mut siblings = source.chains_after(incoming.prev)?;
    siblings.retain(|chain| chain.epoch == incoming.epoch && chain.device == incoming.device.no);
    let mut goes_on = false;
    if let Some(before) = &before {
        let same_epoch = chain(source, before.chain)?.epoch == incoming.epoch;
        goes_on = same_epoch && source.link(before.chain, first)?.is_some();
        if same_epoch && !goes_on && siblings.is_empty() {
            let tip = tip_of(source, before)?;
            return Ok(Place { chain: before.chain, new: None, fork: false, before: Some(tip) });
        }
    }
    let no = source.next_chain_no()?;
    let new = ChainRow { no, device: incoming.device.no, epoch: incoming.epoch, first, prev: *incoming.prev };
    let before = before.map(|before| tip_of(source, &before)).transpose()?;
    Ok(Place { chain: no, new: Some(new), fork: goes_on || !siblings.is_empty(), before })
}

pub(super) fn chain(source: &dyn Source, no: i64) -> Result<ChainRow> {
    source.chain(no)?.ok_or_else(|| Error::corrupt(format!("chain {no} is not there")))
}

fn tip_of(source: &dyn Source, link: &LinkRow) -> Result<Tip> {
    let text = line_text(source, link)?;
    let named = Request::parse(Line::stored(&text)?.body).is_ok_and(|body| Said::of(&body).occurred_at.is_some());
    Ok(Tip { chain: link.chain, seq: link.seq, occurred: link.occurred, named })
}

/// The device's line of a link, as it came.
pub(crate) fn line_text(source: &dyn Source, link: &LinkRow) -> Result<String> {
    if let Some(line) = &link.line {
        return Ok(line.clone());
    }
    let lost = || Error::corrupt(format!("link {}/{} has no line", link.chain, link.seq));
    let row = source.stored_row(link.operation.ok_or_else(lost)?)?.ok_or_else(lost)?;
    match row.kind {
        OpKind::Stage => staged_line(&row.body),
        _ => Ok(row.body),
    }
}

/// The body of an operation that sets a link aside.
#[derive(Serialize, Deserialize)]
pub(super) struct StageBody<'t> {
    pub(super) reason: StageReason,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) other: Option<i64>,
    #[serde(borrow)]
    pub(super) line: &'t RawValue,
}

pub(super) fn stage_body(text: &str) -> Result<StageBody<'_>> {
    serde_json::from_str(text).map_err(|error| Error::corrupt(format!("what was set aside cannot be read: {error}")))
}

/// The device's line in the body of an operation that set it aside.
pub(super) fn staged_line(body: &str) -> Result<String> {
    stage_body(body).map(|body| body.line.get().to_string())
}

/// Whether a chain came second where two went on after one link: its device's file was copied. So did what goes on after it in
/// the same epoch, and what nobody knows the beginning of.
pub(super) fn is_second(source: &dyn Source, place: &Place) -> Result<bool> {
    let mut row = match &place.new {
        Some(_) if place.fork => return Ok(true),
        Some(new) => new.clone(),
        None => chain(source, place.chain)?,
    };
    loop {
        let elder = source.chains_after(&row.prev)?;
        if elder.iter().any(|other| other.epoch == row.epoch && other.device == row.device && other.no < row.no) {
            return Ok(true);
        }
        if row.first == 1 {
            return Ok(false);
        }
        let Some(before) = source.link_by_hash(&row.prev)? else { return Ok(true) };
        let parent = chain(source, before.chain)?;
        if parent.epoch != row.epoch {
            return Ok(false);
        }
        if source.link(parent.no, row.first)?.is_some() {
            return Ok(true);
        }
        row = parent;
    }
}

/// The link of a device with this id, among those before one of its chain's.
fn ancestor(source: &dyn Source, place: &Place, device: &DeviceRow, id: Id) -> Result<Option<(ChainRow, LinkRow)>> {
    let seq = id.sequence();
    let mut row = match &place.new {
        Some(new) => new.clone(),
        None => chain(source, place.chain)?,
    };
    while seq < row.first {
        let Some(before) = source.link_by_hash(&row.prev)? else { return beyond_gap(source, device, id) };
        row = chain(source, before.chain)?;
    }
    match source.link(row.no, seq)? {
        Some(link) => Ok(Some((row, link))),
        // While it is proven: what was between came later.
        None => beyond_gap(source, device, id),
    }
}

/// What lies between is lost: it is the one that the device has sent, if it has sent but one.
fn beyond_gap(source: &dyn Source, device: &DeviceRow, id: Id) -> Result<Option<(ChainRow, LinkRow)>> {
    let mut found = None;
    for row in source.chains_of(device.no)? {
        let writer = Writer { device: device.device, epoch: row.epoch };
        let Some(seq) = number_of(id, writer) else { continue };
        // What an operation is wanted of was booked or set aside by one; of others the log does not tell when they came.
        let link = source.link(row.no, seq)?.filter(|link| matches!(id, Id::Hold(_)) || link.operation.is_some());
        if let Some(link) = link
            && found.replace((row, link)).is_some()
        {
            return Ok(None);
        }
    }
    Ok(found)
}

fn found(source: &dyn Source, place: &Place, device: &DeviceRow, id: Id) -> Result<Option<(OpKind, LinkRow, String)>> {
    let Some((row, link)) = ancestor(source, place, device, id)? else { return Ok(None) };
    let writer = Writer { device: device.device, epoch: row.epoch };
    if number_of(id, writer).is_none() {
        return Ok(None);
    }
    let text = line_text(source, &link)?;
    let kind = OpKind::from_text(&Line::stored(&text)?.kind);
    Ok(kind.map(|kind| (kind, link, text)))
}

/// The hold that a capture charges, where it is known.
pub(super) fn hold_of(
    source: &dyn Source,
    place: &Place,
    device: &DeviceRow,
    command: &Command,
) -> Result<Option<(OpKind, LinkRow, String)>> {
    match command.subject {
        Subject::Hold(id) => found(source, place, device, Id::Hold(id)),
        _ => Ok(None),
    }
}

/// What a refund goes to.
pub(super) enum Refunded {
    /// A consume or capture that was booked here.
    Booked(i64),
    /// It waits: set aside by this operation.
    Waits(i64),
    Unknown,
    /// It is neither a consume nor a capture.
    Wrong,
}

/// Finds what a refund goes to.
pub(super) fn refunded(source: &dyn Source, place: &Place, device: &DeviceRow, command: &Command) -> Result<Refunded> {
    let Subject::Operation(id) = command.subject else { return Ok(Refunded::Wrong) };
    let Some((kind, link, _)) = found(source, place, device, Id::Operation(id))? else { return Ok(Refunded::Unknown) };
    if !matches!(kind, OpKind::Consume | OpKind::Capture) {
        return Ok(Refunded::Wrong);
    }
    let Some(operation) = link.operation else { return Ok(Refunded::Wrong) };
    if link.verdict == LinkVerdict::Booked {
        return Ok(Refunded::Booked(operation));
    }
    let row = staged(source, operation)?;
    Ok(match (row.state, row.reason, row.other) {
        (StageState::Approved, ..) => Refunded::Booked(booked_by(&row)?),
        (_, StageReason::DuplicateKey, Some(first)) => Refunded::Booked(first),
        (StageState::Open, ..) => Refunded::Waits(operation),
        (StageState::Dismissed, ..) => Refunded::Unknown,
    })
}

pub(super) fn staged(source: &dyn Source, operation: i64) -> Result<StagedRow> {
    source.staged(operation)?.ok_or_else(|| Error::corrupt(format!("operation {operation} set nothing aside")))
}

/// The operation that booked an approved link: the one after its approval.
pub(crate) fn booked_by(row: &StagedRow) -> Result<i64> {
    add(row.closed_by.ok_or_else(|| Error::corrupt("an approved link has no approval"))?, 1)
}

/// When a link occurred: as its device says, as far as that can be. Whether the device's clock was wrong.
pub(super) fn occurred(
    incoming: &Incoming<'_>,
    place: &Place,
    (what, hold): (Said, Option<&LinkRow>),
    (time, now): (Instant, Instant),
) -> Result<(Instant, bool)> {
    // What its device booked had occurred by then, whatever its caller said.
    let booked_at = incoming.line.booked_at;
    let said = what.occurred_at.map_or(booked_at, |at| at.min(booked_at));
    // Its clock was fast; a file may travel for weeks, so it was never slow.
    let fast = incoming.exported_at.since(time).max(0);
    let mut at = Instant::clamped(sub(said.millis(), fast)?.max(0));
    at = what.base_at.map_or(at, |base| at.max(base));
    if let Some(before) = place.before.filter(|before| !before.named && what.occurred_at.is_none()) {
        at = at.max(before.occurred);
    }
    at = hold.map_or(at, |hold| hold.occurred).min(now);
    Ok((at, at != said && hold.is_none()))
}

/// What a link's inputs say of when it occurred.
#[derive(Default, Clone, Copy)]
pub(super) struct Said {
    /// The caller's word.
    pub(super) occurred_at: Option<Instant>,
    /// When what its device knew of the account was put together.
    base_at: Option<Instant>,
}

impl Said {
    pub(super) fn of(body: &Request) -> Self {
        let text = body.get("occurred_at").and_then(Value::as_str);
        Said {
            occurred_at: text.and_then(|text| Instant::parse("occurred_at", text).ok()),
            base_at: body.get(BASE_AT).and_then(Value::as_i64).map(Instant::clamped),
        }
    }
}
