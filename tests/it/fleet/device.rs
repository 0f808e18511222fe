//! A device: its log, and what follows from it.

use super::account::{Account, HoldState, Id, Ms, UNACKNOWLEDGED};
use super::apply::Name;
use super::clock::Clock;
use super::decide::{Ask, Key, Operation, Setting, decide};
use super::facts::*;
use super::wrong::Wrong;
use super::{ACCOUNTS, HOUR, START};
use std::collections::HashMap;
use std::rc::Rc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    pub position: Position,
    pub ack: Place,
    pub as_of: Ms,
}

impl Base {
    /// It is of an earlier hub epoch, or accepted time has gone back behind it.
    pub fn is_old(&self, position: Position) -> bool {
        self.position.epoch < position.epoch || self.position.seq == 0
    }
}

/// What the parts of one answer have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    pub position: Position,
    pub since: Option<Position>,
    pub as_of: Ms,
    pub n: u8,
}

#[derive(Clone)]
pub struct Device {
    pub id: u8,
    pub epoch: u32,
    pub log: Vec<Rc<Link>>,
    pub accounts: Vec<Option<Account>>,
    pub bases: Vec<Option<Base>>,
    pub clock: Clock,
    pub terms: Terms,
    pub keys: HashMap<(u8, Kind, Key), (Id, Id)>,
    /// From where the next export begins.
    pub acked: Place,
    pub seen: Option<Position>,
    pub newest: Option<Position>,
    /// The newest hub epoch heard of.
    pub hub_epoch: u32,
    /// Of an answer in parts: which have come.
    pub parts: Option<(Parts, u32)>,
    /// Kept beside the key: the newest link that was exported.
    pub mark: Option<Place>,
    pub rules: u8,
    pub expelled: bool,
    /// How far an account was caught up by nothing that is in the log, and whether accepted time went back behind that.
    pub swept: Vec<(Ms, bool)>,
    /// Its accepted time went back by so little that bases stay as they were caught up.
    pub jittered: bool,
    pub wrong: Option<Wrong>,
    /// Stands for chance: the runner changes it.
    pub salt: u64,
    pub faults: Vec<String>,
}

pub type Answer = Result<Id, &'static str>;

impl Device {
    pub fn new(id: u8, terms: Terms, reading: Ms, wrong: Option<Wrong>) -> Device {
        let mut device = Device::empty(id, terms, wrong);
        let enrol = Fact::of_file(reading, Act::Enrol(terms));
        device.clock = Clock::new(reading);
        device.write(device.epoch, enrol);
        device
    }

    fn empty(id: u8, terms: Terms, wrong: Option<Wrong>) -> Device {
        let nobody = || (0..ACCOUNTS).map(|_| None);
        Device {
            id,
            epoch: 1,
            log: Vec::new(),
            accounts: nobody().collect(),
            bases: (0..ACCOUNTS).map(|_| None).collect(),
            clock: Clock::new(START),
            terms,
            keys: HashMap::new(),
            acked: genesis(id),
            seen: None,
            newest: None,
            hub_epoch: 0,
            parts: None,
            mark: None,
            rules: 1,
            expelled: false,
            swept: vec![(Ms::MIN, false); ACCOUNTS as usize],
            jittered: false,
            wrong,
            salt: 0,
            faults: Vec::new(),
        }
    }

    /// The state that follows from the log.
    pub fn fold(&self) -> Device {
        let mut fold = Device::empty(self.id, self.terms, self.wrong);
        fold.clock = Clock::new(self.log[0].fact.recorded);
        for link in &self.log {
            fold.apply(link);
            fold.log.push(link.clone());
        }
        fold
    }

    pub fn is(&self, wrong: Wrong) -> bool {
        self.wrong == Some(wrong)
    }

    pub fn head(&self) -> Place {
        self.log.last().map_or(genesis(self.id), |link| link.place)
    }

    pub fn place(&self, seq: u32) -> Place {
        match seq {
            0 => genesis(self.id),
            seq => self.log[seq as usize - 1].place,
        }
    }

    pub fn holds_link(&self, place: Place) -> bool {
        place.seq as usize <= self.log.len() && self.place(place.seq) == place
    }

    // ---- writing

    pub fn write_file(&mut self, fact: Fact) -> Id {
        self.write(self.epoch, fact)
    }

    fn write(&mut self, epoch: u32, fact: Fact) -> Id {
        let link = self.unsealed(epoch, fact);
        self.append(link.sealed())
    }

    fn append(&mut self, link: Rc<Link>) -> Id {
        self.apply(&link);
        let id = link.place.hash;
        self.log.push(link);
        id
    }

    /// As `restore` and `renew` do: so that two copies do not meet.
    pub fn new_epoch(&mut self, reading: Ms, restored: bool) {
        let epoch = self.epoch + 1 + chance(self.salt);
        let (time, _) = self.hear(reading);
        let act = if restored { Act::Restore { epoch } } else { Act::Renew { epoch } };
        self.write(epoch, Fact { now: time, ..Fact::of_file(reading, act) });
        self.mark = Some(self.head());
    }

    /// A file that lies below or beside its high-water mark was set back, and renews before it writes.
    pub fn mind_mark(&mut self, reading: Ms) {
        if let Some(place) = self.mark
            && !self.holds_link(place)
            && !self.is(Wrong::MarkIgnored)
        {
            self.new_epoch(reading, false);
        }
    }

    pub fn hear(&self, reading: Ms) -> (Ms, Clock) {
        self.clock.hear(reading, self.accounts.iter().flatten())
    }

    /// `broken`: by a program that writes what cannot be.
    pub fn book(&mut self, operation: &Operation, reading: Ms, broken: bool) -> Answer {
        if self.expelled && operation.ask != Ask::Expire {
            return Err("device_revoked");
        }
        if !operation.ask.for_devices() || !operation.ask.is_allowed(&self.terms) {
            return Err("not_on_device");
        }
        self.mind_mark(reading);
        match operation.ask {
            Ask::Expire => return Ok(self.sweep(reading)),
            Ask::ConfirmClock if reading < START => return Err("invalid_argument"),
            Ask::ConfirmClock => {
                let fact = Fact::of_file(reading, Act::ConfirmClock);
                return Ok(self.write(self.epoch, fact));
            }
            Ask::Return => return self.return_allotments(operation.account, false, reading).ok_or("unknown_allotment"),
            _ => {}
        }
        let target = operation.ask.target().map(|(kind, key)| self.keys.get(&(operation.account, kind, key)));
        let target = target.flatten().map(|used| used.0);
        if operation.ask.target().is_some() && target.is_none() {
            return Err(operation.ask.unknown());
        }
        let key = (operation.account, operation.ask.kind(), operation.key);
        if let Some((id, inputs)) = self.keys.get(&key) {
            return if *inputs == operation.inputs(target) { Ok(*id) } else { Err("key_reused") };
        }
        let fact = self.decide(operation, target, reading)?;
        let epoch = self.epoch;
        if broken {
            let mut link = self.unsealed(epoch, fact);
            link.broken = true;
            return Ok(self.append(link.sealed()));
        }
        Ok(self.write(epoch, fact))
    }

    fn unsealed(&self, epoch: u32, fact: Fact) -> Link {
        let base = self.bases.get(fact.account as usize).copied().flatten();
        let base_at = base.map(|base| base.as_of);
        let head = self.head();
        let place = Place { seq: head.seq + 1, hash: 0 };
        let (device, prev, rules) = (self.id, head.hash, self.rules);
        Link { device, epoch, prev, place, rules, broken: false, base_at, fact }
    }

    fn decide(&mut self, operation: &Operation, target: Option<Id>, reading: Ms) -> Result<Fact, &'static str> {
        let a = operation.account as usize;
        let (time, clock) = self.hear(reading);
        let mut account = self.accounts[a].clone().unwrap_or_else(|| Account::new(time, clock.steps));
        let now = account.time(time, &clock);
        account.catch_up(now, &clock);
        let occurred = operation.occurred.map(|at| at.min(now));
        let usable = self.usable(&account, a, now);
        let with = Setting {
            now,
            known: self.accounts[a].is_some(),
            alive_from: clock.alive_from(reading, now),
            occurred,
            late_window: self.terms.late_window,
            target,
            device: Some((&self.terms, usable, self.bases[a].map(|base| base.as_of))),
            epoch: 0,
        };
        match decide(&operation.ask, &account, &with) {
            Ok(act) => {
                let (account, key) = (operation.account, operation.key);
                Ok(Fact { account, key, recorded: reading, now, occurred, act })
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Of its own epoch, before their end, and on a base of the newest hub epoch.
    fn usable(&self, account: &Account, a: usize, now: Ms) -> Vec<Id> {
        let newest = self.bases[a].is_some_and(|base| base.position.epoch == self.hub_epoch);
        if !newest && !self.is(Wrong::AllotmentOnOldBase) {
            return Vec::new();
        }
        let any = self.is(Wrong::AllotmentToNewEpoch);
        let own = account.allotments.iter().filter(|a| a.device == self.id && (a.epoch == self.epoch || any));
        own.filter(|a| now < a.spend_until).map(|a| a.id).collect()
    }

    /// What a read says of that.
    pub fn may_spend(&self, account: &Account, a: usize, reading: Ms) -> Vec<Id> {
        let (time, clock) = self.hear(reading);
        if self.terms.allotted { self.usable(account, a, account.time(time, &clock)) } else { Vec::new() }
    }

    /// What is left of this epoch's allotments goes back: of all, or of those that were recalled.
    pub fn return_allotments(&mut self, account: u8, recalled: bool, reading: Ms) -> Option<Id> {
        let (time, clock) = self.hear(reading);
        let rows = self.accounts[account as usize].as_ref()?;
        let now = rows.time(time, &clock);
        let wanted = |a: &&super::account::Allotment| {
            let own = a.device == self.id && a.epoch == self.epoch && a.left() > 0;
            own && (!recalled || a.recalled && self.returns_by_itself(rows, a.id))
        };
        let found = rows.allotments.iter().find(wanted)?;
        let act = Act::Return { allotment: found.id, points: found.left() };
        let fact = Fact { account, key: 0, recorded: reading, now, occurred: None, act };
        Some(self.write(self.epoch, fact))
    }

    /// Once, and when no hold keeps any of it: a return that was staged leaves the allotment as it is, and would be followed by
    /// another after each answer.
    fn returns_by_itself(&self, rows: &Account, id: Id) -> bool {
        let returned = |link: &Rc<Link>| matches!(link.fact.act, Act::Return { allotment, .. } if allotment == id);
        let open = rows.holds.iter().filter(|hold| hold.state == HoldState::Open);
        let kept = open.flat_map(|hold| &hold.slices).any(|slice| slice.allotment == Some(id));
        self.is(Wrong::RecalledReturnedAgain) || !kept && !self.log.iter().any(returned)
    }

    // ---- time alone

    /// Catch-up that no operation carries goes no further than the newest accepted reading of the log.
    fn sweep(&mut self, reading: Ms) -> Id {
        let (time, clock) = self.hear(reading);
        if clock != self.clock {
            let fact = Fact { now: time, ..Fact::of_file(reading, Act::Expire) };
            return self.write(self.epoch, fact);
        }
        for a in 0..self.accounts.len() {
            self.sweep_one(a, time.min(self.clock.accepted));
        }
        0
    }

    fn sweep_one(&mut self, a: usize, until: Ms) {
        let clock = self.clock.clone();
        if let Some(account) = &mut self.accounts[a]
            && !account.begins_stretch(until, &clock)
        {
            account.catch_up(until, &clock);
            self.swept[a].0 = self.swept[a].0.max(until);
        }
    }

    /// Accepted time may have gone back. What was swept beyond it is in the file and not in the log; and bases that were caught up
    /// far beyond it count as not received, so that all of them come again.
    pub fn went_back(&mut self, before: Ms) {
        let now = self.clock.accepted;
        for (until, beyond) in &mut self.swept {
            *beyond |= *until > now;
        }
        if before - now > HOUR {
            if self.is(Wrong::FastClockNotTold) {
                return;
            }
            (self.seen, self.parts) = (None, None);
            for base in self.bases.iter_mut().flatten() {
                base.position = Position { seq: 0, hash: 0, ..base.position };
            }
        } else if before > now {
            self.jittered = true;
        }
    }

    // ---- the fold

    pub fn apply(&mut self, link: &Link) {
        let fact = &link.fact;
        match &fact.act {
            Act::Enrol(terms) => self.terms = *terms,
            Act::Restore { epoch } | Act::Renew { epoch } => {
                self.clock = self.hear(fact.recorded).1;
                self.epoch = *epoch;
                self.unback_holds(fact.now.max(self.clock.accepted));
            }
            Act::ConfirmClock => {
                let before = self.clock.accepted;
                self.clock.confirm(fact.recorded);
                self.went_back(before);
            }
            Act::Expire => {
                self.clock = self.hear(fact.recorded).1;
                let clock = self.clock.clone();
                let due =
                    self.accounts.iter_mut().flatten().filter(|account| !account.begins_stretch(fact.now, &clock));
                due.for_each(|account| account.catch_up(fact.now, &clock));
            }
            Act::Reconcile(reconcile) => self.reconcile(fact, &reconcile.clone()),
            _ => {
                self.clock = self.hear(fact.recorded).1;
                let steps = self.clock.steps;
                let slot = &mut self.accounts[fact.account as usize];
                let account = slot.get_or_insert_with(|| Account::new(fact.now, steps));
                account.catch_up(fact.now, &self.clock);
                let order = UNACKNOWLEDGED + u64::from(link.place.seq);
                account.apply(Name { id: link.place.hash, order, by: Some(self.id) }, fact, self.terms.late_window);
                if fact.key != 0 && fact.act.kind() != Kind::Other {
                    let inputs = fact.act.inputs(fact.occurred);
                    self.keys.insert((fact.account, fact.act.kind(), fact.key), (link.place.hash, inputs));
                }
            }
        }
    }

    /// A new epoch has none of the old one's allotments, and a hold placed before keeps nothing of them either: the lost tail
    /// may have captured it.
    /// One that has run out by then is let alone, whether that is booked yet or not.
    fn unback_holds(&mut self, now: Ms) {
        if self.is(Wrong::OldHoldKeepsAllotment) {
            return;
        }
        let now = if self.is(Wrong::RunOutHoldUnbacked) { Ms::MIN } else { now };
        for account in self.accounts.iter_mut().flatten() {
            let Account { holds, allotments, .. } = account;
            for hold in holds.iter_mut().filter(|hold| hold.state == HoldState::Open && hold.deadline > now) {
                for slice in hold.slices.iter().rev() {
                    let home = slice.allotment.and_then(|id| allotments.iter_mut().find(|a| a.id == id));
                    if let Some(home) = home {
                        home.put_back(slice.batch, slice.points);
                        hold.unbacked += slice.points;
                    }
                }
                hold.slices.retain(|slice| slice.allotment.is_none());
            }
        }
    }

    /// The account as it is read at this reading: caught up in memory.
    pub fn view(&self, a: u8, reading: Ms) -> Option<Account> {
        let (time, clock) = self.hear(reading);
        let mut account = self.accounts[a as usize].clone()?;
        let now = account.time(time, &clock);
        account.catch_up(now, &clock);
        Some(account)
    }
}

impl Fact {
    pub fn of_file(reading: Ms, act: Act) -> Fact {
        Fact { account: NO_ACCOUNT, key: 0, recorded: reading, now: reading, occurred: None, act }
    }
}

impl Operation {
    /// As `Act::inputs`, of what is asked.
    pub fn inputs(&self, target: Option<Id>) -> Id {
        let of = target.unwrap_or(0);
        let act = match self.ask {
            Ask::Consume { points, policy } => Act::Consume { asked: points, points, policy, allotted: Vec::new() },
            Ask::Capture { points, .. } => Act::Capture { hold: of, asked: points, points, allotted: Vec::new() },
            Ask::Hold { points, lasts } => Act::Hold { points, lasts, deadline: 0, allotted: Vec::new() },
            Ask::Refund { points, .. } => Act::Refund { of, asked: points, points },
            Ask::Recharge { points, life, starts, priority, promo } => {
                Act::Recharge { points, life, expires_at: 0, starts, priority, promo }
            }
            _ => Act::Expire,
        };
        act.inputs(self.occurred)
    }
}
