//! Exchange at the hub: a file is taken, and answered.

use super::account::{Id, Ms};
use super::apply::Flag;
use super::facts::*;
use super::hub::{Hub, Record, Scope};
use super::wrong::Wrong;
use std::rc::Rc;

/// Files that wait for what lies before them, for each device.
const PARKED: usize = 4;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub new: usize,
    pub duplicates: usize,
    pub parked: bool,
    pub regressed: bool,
}

impl Hub {
    /// A device's file: what came of it, and the answer in parts of at most `most` lines.
    pub fn import(&mut self, up: &Up, reading: Ms, most: usize) -> Result<(Report, Vec<Down>), &'static str> {
        if up.damaged {
            return Err("bad_file");
        }
        if !self.devices.contains_key(&up.device) {
            return Err("unknown_device");
        }
        let mut report = Report { regressed: self.look_back(up, reading), ..Report::default() };
        if !self.holds(up.device, up.base.hash) {
            let waiting = self.parked.iter().filter(|other| other.device == up.device);
            if waiting.clone().any(|other| other.head == up.head && other.base == up.base) {
                report.parked = true;
            } else if waiting.count() < PARKED {
                self.parked.push(up.clone());
                report.parked = true;
            }
            return Ok((report, self.answer(up, reading, most)));
        }
        self.take_file(up, reading, &mut report);
        self.unpark(reading, &mut report);
        Ok((report, self.answer(up, reading, most)))
    }

    /// Whether the device has heard of a future this hub does not have: it was set back, and gets a new epoch.
    fn look_back(&mut self, up: &Up, recorded: Ms) -> bool {
        if self.is(Wrong::SetBackNotLookedFor) {
            return false;
        }
        let newest = if self.is(Wrong::SetBackToldBySeenAlone) { None } else { up.newest };
        let strange = [up.seen, newest].into_iter().flatten().filter(|position| !self.in_own_past(*position));
        let Some(epoch) = strange.map(|position| position.epoch).max() else { return false };
        if epoch >= self.epoch {
            let epoch = epoch + 1 + chance(self.salt);
            self.write(Record::Epoch { epoch, restored: false, recorded });
            self.flags.push((up.head.hash, Flag::HubRegressed));
        }
        true
    }

    fn take_file(&mut self, up: &Up, reading: Ms, report: &mut Report) {
        for link in &up.links {
            if self.links.contains_key(&link.place.hash) && !self.is(Wrong::NoDuplicatesByHash) {
                report.duplicates += 1;
                continue;
            }
            report.new += 1;
            let (time, clock) = self.hear(reading);
            let account = self.accounts.get(link.fact.account as usize).and_then(|account| account.as_ref());
            let now = account.map_or(time, |account| account.time(time, &clock));
            let occurred = self.occurred(link, up.exported_at, time).min(now);
            let record = Record::Take { link: link.clone(), recorded: reading, now, occurred, rules: self.rules };
            self.write(record);
        }
    }

    /// When it happened, by the device's clock as far as that can be right.
    fn occurred(&self, link: &Rc<Link>, exported_at: Ms, now: Ms) -> Ms {
        let fact = &link.fact;
        let mut t = fact.occurred.unwrap_or(fact.now) - (exported_at - now).max(0);
        t = t.max(link.base_at.unwrap_or(t));
        if let Some(before) = self.links.get(&link.prev)
            && fact.occurred.is_none()
            && before.link.fact.occurred.is_none()
        {
            t = t.max(before.occurred);
        }
        match fact.act {
            Act::Capture { hold, .. } => self.links.get(&hold).map_or(t, |row| row.occurred),
            _ => t,
        }
    }

    fn unpark(&mut self, reading: Ms, report: &mut Report) {
        while let Some(i) = self.parked.iter().position(|up| self.holds(up.device, up.base.hash)) {
            let up = self.parked.remove(i);
            self.take_file(&up, reading, report);
        }
    }

    /// Takes a parked file without what lies before it.
    pub fn accept_gap(&mut self, nth: usize, reading: Ms) -> Result<(), &'static str> {
        if self.parked.is_empty() {
            return Err("not_parked");
        }
        let up = self.parked.remove(nth % self.parked.len());
        let mut report = Report::default();
        self.take_file(&up, reading, &mut report);
        self.unpark(reading, &mut report);
        Ok(())
    }

    // ---- the answer

    /// Whether the hub holds all that lies before this link.
    fn whole(&self, device: u8, mut hash: Id) -> bool {
        while hash != genesis(device).hash {
            match self.links.get(&hash) {
                Some(row) => hash = row.link.prev,
                None => return false,
            }
        }
        true
    }

    fn is_leaf(&self, hash: Id) -> bool {
        let epochs = self.links.get(&hash).map_or(1, |row| row.link.epoch);
        let child = |row: &super::hub::Row| row.link.prev == hash;
        let quick = self.children.get(&(hash, epochs)).is_some_and(|children| !children.is_empty());
        !quick && !self.links.values().any(child)
    }

    fn answer(&self, up: &Up, reading: Ms, most: usize) -> Vec<Down> {
        let device = &self.devices[&up.device];
        let own: Vec<&Rc<Link>> =
            self.arrivals.iter().map(|id| &self.links[id].link).filter(|link| link.device == up.device).collect();
        let leaves = own.iter().filter(|link| self.is_leaf(link.place.hash)).map(|link| (link.place, link.epoch));
        let gaps = own.iter().filter(|link| !self.holds(up.device, link.prev)).map(|link| link.place);
        let mut down = Down {
            device: up.device,
            position: self.position(),
            as_of: self.hear(reading).0,
            ack: None,
            leaves: leaves.collect(),
            gaps: gaps.collect(),
            need: None,
            since: None,
            newest: up.newest,
            part: (0, 1),
            terms: device.terms,
            expelled: device.expelled,
            lines: None,
            damaged: false,
            held: Rc::new(own.iter().map(|link| link.place.hash).collect()),
        };
        let whole = |place: &&Place| self.holds(up.device, place.hash) && self.whole(up.device, place.hash);
        let past_gap = self.is(Wrong::AckPastGap) && self.holds(up.device, up.head.hash);
        if !(past_gap || whole(&&up.base) && whole(&&up.head)) {
            down.need = up.marks.iter().find(whole).copied();
            return vec![down];
        }
        down.ack = Some(up.head);
        if device.expelled || !self.is_leaf(up.head.hash) && !self.is(Wrong::LinesWithoutLeaf) {
            return vec![down];
        }
        down.since = self.since(up);
        let lines: Vec<Rc<Line>> =
            self.changed(up.device, down.since).into_iter().map(|a| self.line(a, up.device)).collect();
        let parts: Vec<Vec<Rc<Line>>> = lines.chunks(most.max(1)).map(<[_]>::to_vec).collect();
        let n = parts.len().max(1) as u8;
        let parts = if parts.is_empty() { vec![Vec::new()] } else { parts };
        let part = |(k, lines): (usize, Vec<Rc<Line>>)| Down { part: (k as u8, n), lines: Some(lines), ..down.clone() };
        parts.into_iter().enumerate().map(part).collect()
    }

    /// What the device has whole; nothing if it knows of a past that is not ours.
    fn since(&self, up: &Up) -> Option<Position> {
        if self.is(Wrong::SetBackNotLookedFor) {
            return up.seen;
        }
        let newest = if self.is(Wrong::SetBackToldBySeenAlone) { None } else { up.newest };
        let strange = [up.seen, newest].into_iter().flatten().any(|position| !self.in_own_past(position));
        up.seen.filter(|_| !strange)
    }

    /// The watched accounts that were touched, or are watched, since then.
    fn changed(&self, device: u8, since: Option<Position>) -> Vec<u8> {
        let since = since.map_or(0, |position| position.seq);
        let device_row = &self.devices[&device];
        let all = device_row.scope == Scope::All;
        let newly = |a: u8| match self.watch.get(&(device, a)) {
            Some(at) if !all => *at > since,
            _ => device_row.scope_at > since,
        };
        let watched = (0..super::ACCOUNTS).filter(|a| all || self.watch.contains_key(&(device, *a)));
        let known = watched.filter(|a| self.touched[*a as usize] > 0 || self.accounts[*a as usize].is_some());
        known.filter(|a| since == 0 || self.touched[*a as usize] > since || newly(*a)).collect()
    }

    // ---- after a set-back

    /// What the hub no longer knows of what it sent: batches by account, out of what a device received.
    pub fn evidence(&self, received: &[Rc<Line>]) -> Vec<(u8, Id, i64)> {
        let mut lost = Vec::new();
        for line in received {
            let known = self.accounts[line.account as usize].as_ref();
            for batch in &line.rows.batches {
                let is_known = known.is_some_and(|rows| rows.batches.iter().any(|other| other.id == batch.id));
                let is_link = self.links.contains_key(&batch.id);
                if !is_known && !is_link && !lost.contains(&(line.account, batch.id, batch.amount)) {
                    lost.push((line.account, batch.id, batch.amount));
                }
            }
        }
        lost
    }
}
