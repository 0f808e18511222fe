//! What is written down and what travels: operations, links, exchange files.

use super::account::{Account, Id, Ms};
use super::decide::Key;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

pub const NO_ACCOUNT: u8 = u8::MAX;

pub fn hash_of(what: impl Hash) -> Id {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// How many epochs a file goes on that begins a new one, beside the one: chance, and the same whenever a schedule is played.
pub fn chance(salt: u64) -> u32 {
    (hash_of(("chance", salt)) % 65_536) as u32
}

/// The link before a device's first.
pub fn genesis(device: u8) -> Place {
    Place { seq: 0, hash: hash_of(("genesis", device)) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    Postpaid,
    Strict,
    UpTo,
}

/// What was decided: complete, so that replay decides nothing again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    Open { limit: i64 },
    Consume { asked: i64, points: i64, policy: Policy, allotted: Vec<(Id, i64)> },
    Hold { points: i64, lasts: Ms, deadline: Ms, allotted: Vec<(Id, i64)> },
    Capture { hold: Id, asked: i64, points: i64, allotted: Vec<(Id, i64)> },
    Release { hold: Id },
    RenewHold { hold: Id, lasts: Ms, deadline: Ms },
    Refund { of: Id, asked: i64, points: i64 },
    Recharge { points: i64, life: Option<Ms>, expires_at: Ms, starts: Option<Ms>, priority: i64, promo: bool },
    Return { allotment: Id, points: i64 },
    ConfirmClock,
    Expire,
    Enrol(Terms),
    Restore { epoch: u32 },
    Renew { epoch: u32 },
    Reconcile(Rc<Reconcile>),
    Revoke { batch: Id, points: i64, clamp: bool },
    Transfer { to: u8, points: i64 },
    WriteOff { points: i64 },
    Freeze { frozen: bool },
    Close,
    SetLimit { limit: i64 },
    Allot { device: u8, epoch: u32, points: i64, spend_until: Ms },
    Recall { allotment: Id },
    AllotWriteOff { allotment: Id },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Consume,
    Capture,
    Hold,
    Refund,
    Recharge,
    Other,
}

impl Act {
    pub fn kind(&self) -> Kind {
        match self {
            Act::Consume { .. } => Kind::Consume,
            Act::Capture { .. } => Kind::Capture,
            Act::Hold { .. } => Kind::Hold,
            Act::Refund { .. } => Kind::Refund,
            Act::Recharge { .. } => Kind::Recharge,
            _ => Kind::Other,
        }
    }

    /// What a key stands for: what was asked, not what came of it.
    pub fn inputs(&self, occurred: Option<Ms>) -> Id {
        match self {
            Act::Consume { asked, policy, .. } => hash_of((1, asked, policy, occurred)),
            Act::Capture { hold, asked, .. } => hash_of((2, hold, asked)),
            Act::Hold { points, lasts, .. } => hash_of((3, points, lasts)),
            Act::Refund { of, asked, .. } => hash_of((4, of, asked)),
            Act::Recharge { points, life, starts, priority, promo, .. } => {
                hash_of((5, points, life, starts, priority, promo))
            }
            _ => 0,
        }
    }

    /// Whether it moves points at the hub: what a device's guess puts back.
    pub fn moves(&self) -> bool {
        matches!(self, Act::Consume { .. } | Act::Capture { .. } | Act::Return { .. }) || self.is_credit()
    }

    pub fn is_credit(&self) -> bool {
        matches!(self, Act::Refund { .. } | Act::Recharge { .. } | Act::Return { .. })
    }
}

/// What the hub settles for a device; in force from the operation that writes it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// Strict spending from allotments alone.
    pub allotted: bool,
    /// The most points of one recharge; 0: no right to.
    pub recharge: i64,
    pub refund: bool,
    pub late_window: Ms,
    /// 0: never.
    pub max_offline: Ms,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fact {
    pub account: u8,
    pub key: Key,
    /// The raw reading.
    pub recorded: Ms,
    pub now: Ms,
    pub occurred: Option<Ms>,
    pub act: Act,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub seq: u32,
    pub hash: Id,
}

/// One operation of a device.
#[derive(Clone, Debug)]
pub struct Link {
    pub device: u8,
    pub epoch: u32,
    pub prev: Id,
    pub place: Place,
    /// The version of the rules it was decided by.
    pub rules: u8,
    /// What its body says cannot be.
    pub broken: bool,
    pub base_at: Option<Ms>,
    pub fact: Fact,
}

impl Link {
    pub fn sealed(mut self) -> Rc<Link> {
        let body = (self.device, self.epoch, self.prev, self.place.seq, self.rules, self.broken, self.base_at);
        self.place.hash = hash_of((body, &self.fact));
        Rc::new(self)
    }
}

/// Of the hub, in a single shard. Compared by epoch and number; the hash tells one past from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    pub epoch: u32,
    pub seq: u32,
    pub hash: Id,
}

impl Position {
    pub fn order(&self) -> (u32, u32) {
        (self.epoch, self.seq)
    }
}

#[derive(Clone, Debug)]
pub struct Reconcile {
    pub position: Position,
    pub as_of: Ms,
    pub ack: Place,
    pub since: Option<Position>,
    pub part: (u8, u8),
    pub terms: Terms,
    pub lines: Vec<Rc<Line>>,
    /// For the test alone: the links of this device that the hub held.
    pub held: Rc<Vec<Id>>,
}

impl Hash for Reconcile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.position, self.as_of, self.ack, self.since, self.part, self.lines.len()).hash(state);
    }
}

impl PartialEq for Reconcile {
    fn eq(&self, other: &Reconcile) -> bool {
        hash_of(self) == hash_of(other)
    }
}

impl Eq for Reconcile {}

/// An account as the hub has it: what a device needs to go on.
#[derive(Clone, Debug)]
pub struct Line {
    pub account: u8,
    pub rows: Account,
}

#[derive(Clone, Debug)]
pub struct Up {
    pub device: u8,
    pub base: Place,
    pub links: Vec<Rc<Link>>,
    pub head: Place,
    pub exported_at: Ms,
    pub seen: Option<Position>,
    pub newest: Option<Position>,
    /// Places at distance 0, 1, 2, 4 … back from the base.
    pub marks: Vec<Place>,
    /// Cut, or a bit of it flipped.
    pub damaged: bool,
}

#[derive(Clone, Debug)]
pub struct Down {
    pub device: u8,
    pub position: Position,
    pub as_of: Ms,
    pub ack: Option<Place>,
    pub leaves: Vec<(Place, u32)>,
    /// First links of branches whose parent is not held.
    pub gaps: Vec<Place>,
    pub need: Option<Place>,
    pub since: Option<Position>,
    /// As the file said that is answered.
    pub newest: Option<Position>,
    pub part: (u8, u8),
    pub terms: Terms,
    pub expelled: bool,
    /// None: an answer without lines.
    pub lines: Option<Vec<Rc<Line>>>,
    pub damaged: bool,
    pub held: Rc<Vec<Id>>,
}
