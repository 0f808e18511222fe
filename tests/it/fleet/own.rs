//! What the hub itself books: the office's apps and its operators.

use super::account::{Account, Ms};
use super::apply::Name;
use super::decide::{Ask, GLOBAL_KEYS, Operation, Setting, decide};
use super::device::Answer;
use super::facts::{Act, Fact, Kind, chance};
use super::hub::{Hub, Record, Used};
use super::wrong::Wrong;

impl Hub {
    pub fn book(&mut self, operation: &Operation, reading: Ms) -> Answer {
        let account = operation.account;
        match operation.ask {
            Ask::Expire => return Ok(self.sweep(reading)),
            // Before the file was made.
            Ask::ConfirmClock if reading < super::START => return Err("invalid_argument"),
            Ask::ConfirmClock => return Ok(self.write(Record::Own(Fact::of_file(reading, Act::ConfirmClock)))),
            Ask::Transfer { .. }
            | Ask::WriteOff { .. }
            | Ask::Freeze { .. }
            | Ask::Close
            | Ask::SetLimit { .. }
            | Ask::Allot { .. }
                if self.accounts[account as usize].is_none() =>
            {
                return Err("unknown_account");
            }
            Ask::Transfer { to, .. } if to == account || self.is_closed(to) => return Err("account_closed"),
            _ => {}
        }
        let target = operation.ask.target().and_then(|(kind, key)| self.keys.get(&(account, kind, key)));
        let target = target.and_then(|used| used.first()).map(|used| used.id);
        if operation.ask.target().is_some() && target.is_none() {
            return Err(operation.ask.unknown());
        }
        let kind = operation.ask.kind();
        let wide = kind == Kind::Recharge || kind == Kind::Consume && operation.key >= GLOBAL_KEYS;
        let wide = wide && !self.is(Wrong::NoKeysOverDevices);
        let used = self.keys.get(&(account, kind, operation.key)).map_or(&[][..], Vec::as_slice);
        let inputs = operation.inputs(target);
        let mut in_scope = used.iter().filter(|used| kind != Kind::Other && (wide || used.by.is_none()));
        if let Some(used) = in_scope.clone().find(|used| used.inputs == inputs).or(in_scope.next()) {
            return if used.inputs == inputs { Ok(used.id) } else { Err("key_reused") };
        }
        let (time, clock) = self.hear(reading);
        let rows = &self.accounts[account as usize];
        let mut copy = rows.clone().unwrap_or_else(|| Account::new(time, clock.steps));
        let mut now = copy.time(time, &clock);
        if let Ask::Transfer { to, .. } = operation.ask {
            now = now.max(self.now(to, reading));
        }
        copy.catch_up(now, &clock);
        let occurred = operation.occurred.map(|at| at.min(now));
        let epoch = match operation.ask {
            Ask::Allot { device, .. } => self.devices.get(&device).ok_or("unknown_device")?.epoch,
            _ => 0,
        };
        let alive_from = clock.alive_from(reading, now);
        let known = self.accounts[account as usize].is_some();
        let with =
            Setting { now, known, alive_from, occurred, late_window: self.late_window, target, device: None, epoch };
        match decide(&operation.ask, &copy, &with) {
            Ok(act) => {
                let key = operation.key;
                Ok(self.write(Record::Own(Fact { account, key, recorded: reading, now, occurred, act })))
            }
            Err(refusal) => Err(refusal),
        }
    }

    fn sweep(&mut self, reading: Ms) -> u64 {
        let (time, clock) = self.hear(reading);
        if clock != self.clock {
            return self.write(Record::Own(Fact { now: time, ..Fact::of_file(reading, Act::Expire) }));
        }
        for a in 0..self.accounts.len() {
            self.sweep_one(a, time.min(self.clock.accepted));
        }
        0
    }

    pub fn own(&mut self, id: u64, fact: &Fact) {
        match fact.act {
            Act::ConfirmClock => return self.confirm(fact.recorded),
            Act::Expire => {
                self.clock = self.hear(fact.recorded).1;
                let clock = self.clock.clone();
                let due =
                    self.accounts.iter_mut().flatten().filter(|account| !account.begins_stretch(fact.now, &clock));
                due.for_each(|account| account.catch_up(fact.now, &clock));
                return;
            }
            _ => self.clock = self.hear(fact.recorded).1,
        }
        let late_window = self.late_window;
        let name = Name { id, order: self.order(), by: None };
        let account = self.account(fact.account, fact.now);
        match fact.act {
            Act::Transfer { to, points } => {
                let made = account.transfer_out(name, points, fact.now);
                self.account(to, fact.now).transfer_in(made, fact.now);
                self.touch(to);
            }
            _ => account.apply(name, fact, late_window),
        }
        self.touch(fact.account);
        match fact.act {
            Act::Consume { points, .. } | Act::Capture { points, .. } => self.own_consumed += points,
            Act::Allot { device, .. } => {
                let seq = self.seq();
                self.watch.entry((device, fact.account)).or_insert(seq);
            }
            _ => {}
        }
        // The hub's own holds are told from devices' by their rows.
        if fact.key != 0 && fact.act.kind() != Kind::Other {
            let used = Used { id, inputs: fact.act.inputs(fact.occurred), by: None };
            self.keys.entry((fact.account, fact.act.kind(), fact.key)).or_default().push(used);
        }
    }

    /// Accounts ahead of the time that was confirmed are led back at once, by this operation: devices have to hear of it, and what
    /// comes back must not depend on when an account is next used.
    fn confirm(&mut self, reading: Ms) {
        self.clock.confirm(reading);
        for (until, beyond) in &mut self.swept {
            *beyond |= *until > self.clock.accepted;
        }
        let clock = self.clock.clone();
        for a in 0..super::ACCOUNTS {
            let account = self.accounts[a as usize].as_mut();
            let ahead = account.filter(|account| account.begins_stretch(clock.accepted, &clock));
            if let Some(account) = ahead.filter(|_| self.wrong != Some(Wrong::StepBackNotTold)) {
                account.catch_up(clock.accepted, &clock);
                self.touch(a);
            }
        }
    }

    pub fn restore(&mut self, recorded: Ms) {
        let epoch = self.epoch + 1 + chance(self.salt);
        self.write(Record::Epoch { epoch, restored: true, recorded });
    }
}
