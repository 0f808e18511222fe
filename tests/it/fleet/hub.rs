//! The hub: its log, the tree of its devices' links, and what follows from both.

use super::account::{Account, Id, Ms, State};
use super::apply::{At, Flag, Name};
use super::clock::Clock;
use super::decide::{GLOBAL_KEYS, Key};
use super::facts::*;
use super::wrong::Wrong;
use super::{ACCOUNTS, START};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    TooNew,
    Invalid,
    /// The booked one, and whether the inputs were the same.
    KeyUsed(Id, bool),
    WaitsFor(Id),
    Fork,
    NotAllowed,
    Expelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Booked,
    Noted,
    Staged(Reason),
    Approved,
    Dismissed,
}

impl Verdict {
    pub fn is_booked(self) -> bool {
        matches!(self, Verdict::Booked | Verdict::Approved)
    }
}

/// A link as the hub keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub link: Rc<Link>,
    pub verdict: Verdict,
    pub occurred: Ms,
    /// In order of arrival.
    pub arrived: usize,
    /// Where the branch that came second begins, if it is in one.
    pub second: Option<Id>,
    /// How often it was booked.
    pub booked: u32,
    /// Approved as a second sale under its key.
    pub another: bool,
    /// What its consume was when a refund came.
    pub target_known: bool,
}

impl PartialEq for Link {
    fn eq(&self, other: &Link) -> bool {
        self.place == other.place
    }
}

/// What the hub writes down. All that decides is in it.
#[derive(Clone, Debug)]
pub enum Record {
    Own(Fact),
    Take { link: Rc<Link>, recorded: Ms, now: Ms, occurred: Ms, rules: u8 },
    Approve { link: Id, recorded: Ms, now: Ms, another: bool },
    Dismiss { link: Id, recorded: Ms, now: Ms },
    Admit { device: u8, recorded: Ms, terms: Terms, scope: Scope },
    Expel { device: u8, recorded: Ms },
    Configure { late_window: Ms, recorded: Ms },
    Epoch { epoch: u32, restored: bool, recorded: Ms },
}

impl Record {
    /// The clock's reading with it. A hub's own operations say how they take theirs.
    fn recorded(&self) -> Option<Ms> {
        match self {
            Record::Own(_) => None,
            Record::Take { recorded, .. }
            | Record::Approve { recorded, .. }
            | Record::Dismiss { recorded, .. }
            | Record::Admit { recorded, .. }
            | Record::Expel { recorded, .. }
            | Record::Configure { recorded, .. }
            | Record::Epoch { recorded, .. } => Some(*recorded),
        }
    }

    fn digest(&self) -> Id {
        match self {
            Record::Own(fact) => hash_of((1, fact)),
            Record::Take { link, recorded, now, occurred, .. } => hash_of((2, link.place, recorded, now, occurred)),
            Record::Approve { link, recorded, .. } => hash_of((3, link, recorded)),
            Record::Dismiss { link, recorded, now } => hash_of((4, link, recorded, now)),
            Record::Admit { device, recorded, terms, scope } => hash_of((5, device, recorded, terms, scope)),
            Record::Expel { device, recorded } => hash_of((6, device, recorded)),
            Record::Configure { late_window, recorded } => hash_of((7, late_window, recorded)),
            Record::Epoch { epoch, restored, recorded } => hash_of((8, epoch, restored, recorded)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    Seen,
    All,
}

#[derive(Clone, Debug)]
pub struct Admitted {
    pub terms: Terms,
    pub scope: Scope,
    /// When the scope became this one: its accounts are newly watched then.
    pub scope_at: u32,
    pub expelled: bool,
    /// Of its newest link.
    pub epoch: u32,
}

#[derive(Clone, Copy, Debug)]
pub struct Used {
    pub id: Id,
    pub inputs: Id,
    pub by: Option<u8>,
}

#[derive(Clone)]
pub struct Hub {
    pub accounts: Vec<Option<Account>>,
    pub clock: Clock,
    pub late_window: Ms,
    pub epoch: u32,
    pub log: Vec<Record>,
    /// The chain's hash after each record.
    pub hashes: Vec<Id>,
    pub links: HashMap<Id, Row>,
    /// In order of arrival.
    pub arrivals: Vec<Id>,
    pub children: HashMap<(Id, u32), Vec<Id>>,
    pub keys: HashMap<(u8, Kind, Key), Vec<Used>>,
    /// By account: the newest record that concerns it.
    pub touched: Vec<u32>,
    pub watch: BTreeMap<(u8, u8), u32>,
    pub devices: BTreeMap<u8, Admitted>,
    pub parked: Vec<Up>,
    pub flags: Vec<(Id, Flag)>,
    pub own_consumed: i64,
    /// Why links were staged, in order.
    pub staged_for: Vec<Reason>,
    /// The newest rules this program knows.
    pub rules: u8,
    pub swept: Vec<(Ms, bool)>,
    pub wrong: Option<Wrong>,
    pub salt: u64,
}

impl Hub {
    pub fn new(wrong: Option<Wrong>) -> Hub {
        Hub {
            accounts: (0..ACCOUNTS).map(|_| None).collect(),
            clock: Clock::new(START),
            late_window: 90 * super::DAY,
            epoch: 1,
            log: Vec::new(),
            hashes: Vec::new(),
            links: HashMap::new(),
            arrivals: Vec::new(),
            children: HashMap::new(),
            keys: HashMap::new(),
            touched: vec![0; ACCOUNTS as usize],
            watch: BTreeMap::new(),
            devices: BTreeMap::new(),
            parked: Vec::new(),
            flags: Vec::new(),
            own_consumed: 0,
            staged_for: Vec::new(),
            rules: 1,
            swept: vec![(Ms::MIN, false); ACCOUNTS as usize],
            wrong,
            salt: 0,
        }
    }

    pub fn fold(&self) -> Hub {
        let mut fold = Hub::new(self.wrong);
        for record in &self.log {
            fold.write(record.clone());
        }
        fold
    }

    pub fn is(&self, wrong: Wrong) -> bool {
        self.wrong == Some(wrong)
    }

    pub fn seq(&self) -> u32 {
        self.log.len() as u32
    }

    pub fn position(&self) -> Position {
        let hash = self.hashes.last().copied().unwrap_or(0);
        Position { epoch: self.epoch, seq: self.seq(), hash }
    }

    pub fn in_own_past(&self, position: Position) -> bool {
        match position.seq {
            0 => true,
            seq => self.hashes.get(seq as usize - 1) == Some(&position.hash),
        }
    }

    pub fn hear(&self, reading: Ms) -> (Ms, Clock) {
        self.clock.hear(reading, self.accounts.iter().flatten())
    }

    /// When something is booked in this account by this reading.
    pub fn now(&self, a: u8, reading: Ms) -> Ms {
        let (time, clock) = self.hear(reading);
        let account = self.accounts.get(a as usize).and_then(|account| account.as_ref());
        account.map_or(time, |account| account.time(time, &clock))
    }

    /// Writes down, and does it.
    pub fn write(&mut self, record: Record) -> Id {
        let before = self.hashes.last().copied().unwrap_or(0);
        let hash = hash_of((before, self.epoch, record.digest()));
        self.log.push(record.clone());
        self.hashes.push(hash);
        if let Some(recorded) = record.recorded() {
            self.clock = self.hear(recorded).1;
        }
        match record {
            Record::Own(fact) => self.own(hash, &fact),
            Record::Take { link, now, occurred, rules, .. } => {
                self.take(&link, now, occurred, rules);
            }
            Record::Approve { link, now, another, .. } => {
                let row = self.links.get_mut(&link).expect("staged");
                row.verdict = Verdict::Approved;
                row.another = another;
                let (link, occurred) = (row.link.clone(), row.occurred);
                self.book_link(&link, now, occurred);
            }
            Record::Dismiss { link, now, .. } => {
                let row = self.links.get_mut(&link).expect("staged");
                row.verdict = Verdict::Dismissed;
                let account = row.link.fact.account;
                self.tell(account, now);
            }
            Record::Admit { device, terms, scope, .. } => {
                let before = self.devices.get(&device);
                let epoch = before.map_or(1, |before| before.epoch);
                let same = before.filter(|before| before.scope == scope);
                let scope_at = same.map_or(self.seq(), |before| before.scope_at);
                // One that was expelled is let in again.
                self.devices.insert(device, Admitted { terms, scope, scope_at, expelled: false, epoch });
            }
            Record::Expel { device, .. } => self.devices.get_mut(&device).expect("admitted").expelled = true,
            Record::Configure { late_window, .. } => {
                self.late_window = late_window;
                self.devices.values_mut().for_each(|device| device.terms.late_window = late_window);
            }
            Record::Epoch { epoch, .. } => self.epoch = epoch,
        }
        hash
    }

    /// A line of the account says that something of it waits, or waits no more.
    fn tell(&mut self, a: u8, now: Ms) {
        let account = self.account(a, now);
        account.last = account.last.max(now);
        self.touch(a);
    }

    pub fn touch(&mut self, account: u8) {
        self.touched[account as usize] = self.seq();
    }

    pub fn order(&self) -> u64 {
        u64::from(self.seq()) << 8
    }

    pub fn account(&mut self, a: u8, now: Ms) -> &mut Account {
        let (clock, reclaims) = (self.clock.clone(), self.is(Wrong::AllotmentReclaimedByTime));
        let account = self.accounts[a as usize].get_or_insert_with(|| Account::new(now, clock.steps));
        account.catch_up(now, &clock);
        if reclaims {
            let due = |a: &usize| account.allotments[*a].spend_until <= now;
            for a in (0..account.allotments.len()).filter(due).collect::<Vec<_>>() {
                account.return_allotted(a, i64::MAX / 2, now);
            }
        }
        account
    }

    // ---- a link comes

    fn take(&mut self, link: &Rc<Link>, now: Ms, occurred: Ms, rules: u8) {
        let id = link.place.hash;
        let fact = &link.fact;
        let siblings = self.children.entry((link.prev, link.epoch)).or_default();
        let is_fork = !siblings.is_empty() && !siblings.contains(&id);
        siblings.push(id);
        if is_fork {
            self.flags.push((id, Flag::Fork));
        }
        let second = if is_fork || !self.holds(link.device, link.prev) { Some(id) } else { self.second(link) };
        self.arrivals.push(id);
        let arrived = self.arrivals.len();
        let booked = self.links.get(&id).map_or(0, |row| row.booked);
        let row = Row {
            link: link.clone(),
            verdict: Verdict::Noted,
            occurred,
            arrived,
            second,
            booked,
            another: false,
            target_known: false,
        };
        self.links.insert(id, row);
        if let Some(device) = self.devices.get_mut(&link.device) {
            device.epoch = link.epoch;
        }
        if fact.account != NO_ACCOUNT {
            let seq = self.seq();
            self.watch.entry((link.device, fact.account)).or_insert(seq);
        }
        if let Act::Open { .. } = fact.act {
            // The first that the hub hears of an account.
            if self.accounts[fact.account as usize].is_none() && !self.devices[&link.device].expelled {
                self.tell(fact.account, now);
            }
            return;
        }
        if !fact.act.moves() {
            return;
        }
        let verdict = self.judge(link, second.is_some(), rules);
        let row = self.links.get_mut(&id).expect("just put there");
        row.verdict = verdict;
        if let Verdict::Staged(reason) = verdict {
            self.staged_for.push(reason);
        }
        if verdict == Verdict::Booked {
            self.book_link(link, now, occurred);
        } else if !self.is(Wrong::TouchedNotMovedByStage) {
            self.tell(fact.account, now);
        }
    }

    pub fn holds(&self, device: u8, hash: Id) -> bool {
        hash == genesis(device).hash || self.links.contains_key(&hash)
    }

    /// Where the second branch begins that a link goes on with. A new epoch is nobody's branch; one that began after a gap goes on,
    /// once that is filled, with what lies before it.
    fn second(&self, link: &Link) -> Option<Id> {
        let before = self.links.get(&link.prev).filter(|row| row.link.epoch == link.epoch)?;
        let root = &self.links[&before.second?].link;
        let elder = self.children[&(root.prev, root.epoch)][0];
        let still = elder != root.place.hash || !self.holds(link.device, root.prev);
        if still { before.second } else { self.second(root) }
    }

    /// The order of decisions for a line that moves points.
    fn judge(&mut self, link: &Rc<Link>, second: bool, rules: u8) -> Verdict {
        let fact = &link.fact;
        let staged = Verdict::Staged;
        let kept = |row: &Row| {
            row.link.device == link.device
                && row.link.fact.account == fact.account
                && row.verdict == Verdict::Staged(Reason::TooNew)
        };
        let after_new = self.links.values().any(kept) && !self.is(Wrong::TooNewNotKept);
        if link.rules > rules || after_new {
            return staged(Reason::TooNew);
        }
        if link.broken || self.target_is_no_consume(link) {
            return staged(Reason::Invalid);
        }
        if let Some((used, same)) = self.key_used(link) {
            if same || fact.act.is_credit() {
                return staged(Reason::KeyUsed(used, same));
            }
            self.flags.push((link.place.hash, Flag::KeyConflict));
        }
        if let Err(of) = self.refund_target(link)
            && !self.is(Wrong::RefundWithoutConsume)
        {
            return staged(Reason::WaitsFor(of));
        }
        if fact.act.is_credit() && second && !self.is(Wrong::ForkCreditsBooked) {
            return staged(Reason::Fork);
        }
        let device = &self.devices[&link.device];
        let allowed = match fact.act {
            Act::Recharge { points, .. } => points <= device.terms.recharge,
            Act::Refund { .. } => device.terms.refund,
            _ => true,
        };
        if !allowed && !self.is(Wrong::RightsNotChecked) {
            return staged(Reason::NotAllowed);
        }
        if device.expelled && !self.is(Wrong::ExpelledBooked) {
            return staged(Reason::Expelled);
        }
        Verdict::Booked
    }

    fn target_is_no_consume(&self, link: &Link) -> bool {
        let Act::Refund { of, .. } = link.fact.act else { return false };
        self.links.get(&of).is_some_and(|row| !matches!(row.link.fact.act.kind(), Kind::Consume | Kind::Capture))
    }

    /// Who booked under this key in its scope, and whether with the same inputs.
    pub fn key_used(&self, link: &Link) -> Option<(Id, bool)> {
        let fact = &link.fact;
        let kind = fact.act.kind();
        let global = (kind == Kind::Recharge || kind == Kind::Consume && fact.key >= GLOBAL_KEYS)
            && !self.is(Wrong::NoKeysOverDevices);
        let used = self.keys.get(&(fact.account, kind, fact.key)).map_or(&[][..], Vec::as_slice);
        let in_scope = || used.iter().filter(|used| global || used.by == Some(link.device));
        let inputs = fact.act.inputs(fact.occurred);
        let same = in_scope().find(|used| used.inputs == inputs);
        same.or_else(|| in_scope().next()).map(|used| (used.id, used.inputs == inputs))
    }

    /// What a refund goes to; or the staged link it waits for.
    pub fn refund_target(&self, link: &Link) -> Result<Option<Id>, Id> {
        let Act::Refund { of, .. } = link.fact.act else { return Ok(None) };
        match self.links.get(&of).map(|row| row.verdict) {
            None => Ok(Some(of)),
            Some(Verdict::Staged(Reason::KeyUsed(first, true))) => Ok(Some(first)),
            Some(Verdict::Staged(_)) => Err(of),
            Some(verdict) => Ok(verdict.is_booked().then_some(of)),
        }
    }

    fn book_link(&mut self, link: &Rc<Link>, now: Ms, occurred: Ms) {
        let id = link.place.hash;
        let refund_of = self.refund_target(link).unwrap_or(None);
        let target_known = match link.fact.act {
            Act::Refund { of, .. } => self.links.contains_key(&of),
            _ => false,
        };
        let name = Name { id, order: self.order(), by: Some(link.device) };
        let (late_window, narrow) = (self.late_window, false);
        let account = self.account(link.fact.account, now);
        let flags = account.arrive(name, link, &At { now, occurred, late_window, refund_of, narrow });
        self.account(link.fact.account, now);
        self.flags.extend(flags.into_iter().map(|flag| (id, flag)));
        let fact = &link.fact;
        if fact.key != 0 && fact.act.kind() != Kind::Other {
            let used = Used { id, inputs: fact.act.inputs(fact.occurred), by: Some(link.device) };
            self.keys.entry((fact.account, fact.act.kind(), fact.key)).or_default().push(used);
        }
        let row = self.links.get_mut(&id).expect("taken before");
        row.booked += 1;
        row.target_known = target_known;
        self.touch(link.fact.account);
    }

    // ---- staged links

    pub fn staged(&self) -> Vec<Id> {
        let staged = |id: &&Id| matches!(self.links[*id].verdict, Verdict::Staged(_));
        self.arrivals.iter().filter(staged).copied().collect()
    }

    /// Books a staged link. The key is looked up again: the sale may have been booked meanwhile.
    pub fn approve(&mut self, id: Id, another: bool, reading: Ms) -> Result<(), &'static str> {
        let row = &self.links[&id];
        let link = row.link.clone();
        if !matches!(row.verdict, Verdict::Staged(_)) {
            return Err("not_staged");
        }
        if link.broken || self.target_is_no_consume(&link) {
            return Err("invalid");
        }
        if link.rules > self.rules {
            return Err("too_new");
        }
        if self.refund_target(&link).is_err() && !self.is(Wrong::RefundWithoutConsume) {
            return Err("waits_for");
        }
        let used = self.key_used(&link).filter(|(_, same)| *same || link.fact.act.is_credit());
        if used.is_some() && !another && !self.is(Wrong::ApproveWithoutKey) {
            return Err("key_reused");
        }
        let now = self.now(link.fact.account, reading);
        self.write(Record::Approve { link: id, recorded: reading, now, another });
        Ok(())
    }

    pub fn dismiss(&mut self, id: Id, reading: Ms) {
        let now = self.now(self.links[&id].link.fact.account, reading);
        self.write(Record::Dismiss { link: id, recorded: reading, now });
    }

    // ---- time

    /// The account as it is read at this reading.
    pub fn view(&self, a: u8, reading: Ms) -> Option<Account> {
        let (time, clock) = self.hear(reading);
        let mut account = self.accounts[a as usize].clone()?;
        let now = account.time(time, &clock);
        account.catch_up(now, &clock);
        Some(account)
    }

    pub fn sweep_one(&mut self, a: usize, until: Ms) {
        let clock = self.clock.clone();
        if let Some(account) = &mut self.accounts[a]
            && !account.begins_stretch(until, &clock)
        {
            account.catch_up(until, &clock);
            self.swept[a].0 = self.swept[a].0.max(until);
        }
    }

    pub fn is_closed(&self, a: u8) -> bool {
        self.accounts[a as usize].as_ref().is_some_and(|account| account.state == State::Closed)
    }
}
