//! What a device does with the files of its hub.

use std::io::{Read, Seek};

use super::Ledger;
use super::down::at;
use crate::error::{Error, Result};
use crate::exchange::{Down, FileInfo, Header, HeardReport, Leaf, Link, Position, Up};
use crate::file::{Answer, Moved};
use crate::model::{Granted, HubPosition, Role};
use crate::report::Info;
use crate::units::Instant;

/// So much may a clock be behind what was accepted; more, and it was fast and is mended.
const FAST_MILLIS: i64 = 3_600_000;

pub(super) fn told(position: HubPosition) -> Position {
    let HubPosition { epoch, seq, hash } = position;
    Position { shard: 0, epoch, seq, hash }
}

/// Of a hub that is one file.
fn only(positions: &[Position]) -> Result<Option<HubPosition>> {
    match positions {
        [] => Ok(None),
        [Position { shard: 0, epoch, seq, hash }] => Ok(Some(HubPosition { epoch: *epoch, seq: *seq, hash: *hash })),
        _ => Err(Error::bad_file("format", "it has positions of several shards")),
    }
}

impl Ledger {
    /// What a file that goes up says of how far this device has heard. One whose clock was fast and is mended asks for everything
    /// again.
    pub(super) fn heard_by(&self, up: Up) -> Result<Up> {
        let (heard, accepted) = self.look(|look| Ok(look.heard()))?;
        let fast = accepted.since(self.reading().at) > FAST_MILLIS;
        let seen = heard.seen.filter(|_| !fast).map(told);
        Ok(Up { seen: seen.into_iter().collect(), newest: heard.furthest().map(told).into_iter().collect(), ..up })
    }

    /// Takes how accounts stand at the hub. The file is read twice, from its beginning: first it is proven, then its accounts are
    /// gone on with, some at a time. Taken again it changes nothing.
    pub(super) fn import_down(&self, mut file: FileInfo, reader: impl Read + Seek) -> Result<HeardReport> {
        let mut info = self.info()?;
        let Header::Down(down) = file.header.clone() else {
            return Err(Error::not_for_us("a device takes files that go down"));
        };
        let Some(hub) = info.hub.clone().filter(|_| info.role == Role::Device) else {
            let message = "this file is no device, and takes nothing of a hub".into();
            return Err(Error::RoleConflict {
                role: info.role.as_str(),
                message,
                help: "take it to the device".into(),
            });
        };
        file.concerns(hub.ledger, Some(info.device))?;
        file.signed_by(&hub.public_key)?;
        for link in down.ack.iter().chain(&down.need) {
            if !self.has(link.seq, link.hash)? {
                let message = format!("it acknowledges operation {}, which this file does not have so", link.seq);
                return Err(Error::not_for_us(message));
            }
        }
        let answer = answer(&down)?;
        let mut report = HeardReport {
            digest: file.digest,
            position: down.position.clone(),
            accounts: 0,
            known: 0,
            verdicts: Vec::new(),
            stale: false,
            whole: false,
            renewed: self.renew_if_strange(&down, &mut info)?,
            ack: down.ack,
            need: down.need,
            expelled: down.expelled,
        };
        let mut takes = down.need.is_none() && down.ack.is_some() && down.accounts;
        takes &= !self.goes_on_beyond(&down)?;
        let lines = file.told(reader)?;
        let moved = self.file.hear(&answer, takes, lines, &|| self.terms())?;
        let Moved { accounts, known, verdicts, stale, whole } = moved;
        (report.accounts, report.known, report.verdicts) = (accounts, known, verdicts);
        (report.stale, report.whole) = (stale, whole);
        Ok(report)
    }

    /// Whether an operation of this number is in the log, with this hash.
    pub(super) fn has(&self, seq: i64, hash: crate::hash::Hash) -> Result<bool> {
        Ok(self.look(|look| look.hash_of(seq))? == Some(hash))
    }

    /// Somebody else writes in this file's name when the hub has an operation of its epoch that it has not, or one after its
    /// newest: it begins a new epoch. So it does when the hub says so, and when it was set back.
    fn renew_if_strange(&self, down: &Down, info: &mut Info) -> Result<bool> {
        let signer = self.own_signer(info)?;
        let renewed = self.mind_mark(&signer, info)?;
        let mut strange = down.renew == info.epoch;
        for Leaf { seq, hash, epoch } in &down.leaves {
            strange |= *epoch == info.epoch && !self.has(*seq, *hash)?;
        }
        let at_head = down.ack == Some(Link { seq: info.operations, hash: info.head });
        strange |= at_head && !down.leaves.iter().any(|leaf| leaf.seq == info.operations && leaf.hash == info.head);
        if strange {
            self.renew_epoch()?;
            *info = self.info()?;
        }
        Ok(renewed || strange)
    }

    /// The hub holds operations of this file beyond a gap: what it says is not of the moment of its ack.
    fn goes_on_beyond(&self, down: &Down) -> Result<bool> {
        let acked = down.ack.map_or(0, |ack| ack.seq);
        for Link { seq, hash } in &down.gaps {
            if *seq > acked && self.has(*seq, *hash)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What is decided by of an answer.
fn answer(down: &Down) -> Result<Answer> {
    let position = only(&down.position)?;
    let position = position.ok_or_else(|| Error::bad_file("format", "it has no position"))?;
    let policy: serde_json::Result<Granted> = serde_json::from_str(down.policy.as_str());
    Ok(Answer {
        position,
        as_of: Instant::from_utc("as_of", down.as_of)?,
        ack: down.ack.map(at),
        need: down.need.map(at),
        since: match &down.since {
            Some(since) => only(since)?,
            None => None,
        },
        newest: only(&down.newest)?,
        part: down.part,
        granted: policy.map_err(|error| Error::bad_file("format", format!("policy: {error}")))?,
        expelled: down.expelled,
    })
}
