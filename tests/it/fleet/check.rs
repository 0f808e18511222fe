//! The invariants, looked at from outside: after every step those of the books, at the end those of sync.

use super::ACCOUNTS;
use super::account::*;
use super::apply::Flag;
use super::device::Device;
use super::facts::{Act, Kind, NO_ACCOUNT, Policy};
use super::hub::{Hub, Record, Row, Scope, Verdict};
use super::model::Model;
use std::collections::{BTreeMap, BTreeSet, HashMap};

fn judge_account(name: &str, account: &Account, whole: bool, faults: &mut Vec<String>) {
    let mut fault = |law: &str, what: String| faults.push(format!("{law}: {name}: {what}"));
    let mut sums = account.rest;
    let mut amount: i64 = account.rest.iter().sum();
    for batch in &account.batches {
        let parts = [batch.remaining, batch.held, batch.used, batch.expired, batch.revoked, batch.moved];
        let fine = parts.iter().all(|part| *part >= 0) && batch.owed >= 0 && batch.revoked + batch.owed <= batch.amount;
        if parts.iter().sum::<i64>() != batch.amount || !fine {
            fault("I1", format!("{batch:?}"));
        }
        let more = [batch.used, batch.expired, batch.revoked, batch.moved];
        sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        amount += batch.amount;
    }
    let [available, held, _, debt] = account.figures();
    if debt > 0 && available > 0 {
        fault("I3", format!("debt {debt} beside {available}"));
    }
    let t = account.totals;
    let equal = [
        ("I2", t[CONSUMED] + t[CLAWED_BACK] - t[REFUNDED] - t[WRITTEN_OFF], sums[0] + debt),
        ("I10 expired", t[EXPIRED] - t[REINSTATED], sums[1]),
        ("I10 revoked", t[REVOKED], sums[2]),
        ("I10 moved", t[MOVED_OUT], sums[3]),
        ("I10 amount", t[RECHARGED] + t[MOVED_IN], amount),
    ];
    for (law, left, right) in equal.into_iter().filter(|(_, left, right)| left != right) {
        fault(law, format!("{left} is not {right}"));
    }
    for consume in &account.consumes {
        let paid: i64 = consume.parts.iter().map(|part| part.1).sum();
        if consume.refundable() != paid + consume.open || consume.open < 0 {
            fault("I9", format!("{consume:?}"));
        }
    }
    let holds = account.holds.iter().filter(|hold| hold.state == HoldState::Open);
    let set_aside: i64 = holds.flat_map(|hold| &hold.slices).map(|slice| slice.points).sum();
    let allotted: i64 = account.allotments.iter().map(Allotment::left).sum();
    if set_aside + allotted > held || whole && set_aside + allotted != held {
        fault("I10 held", format!("{held}, holds {set_aside}, allotments {allotted}"));
    }
}

impl Model {
    /// I1 to I3, I9, I10 and conservation.
    pub fn judge_lines(&mut self) -> Vec<String> {
        let mut faults = std::mem::take(&mut self.found);
        let mut moved = 0;
        for (a, account) in self.hub.accounts.iter().enumerate() {
            let Some(account) = account else { continue };
            judge_account(&format!("hub, account {a}"), account, true, &mut faults);
            moved += account.totals[MOVED_IN] - account.totals[MOVED_OUT];
        }
        if moved != 0 {
            faults.push(format!("conservation: {moved} points came out of transfers"));
        }
        for (n, device) in self.devices.iter_mut().enumerate() {
            faults.append(&mut device.faults);
            for (a, account) in device.accounts.iter().enumerate() {
                if let Some(account) = account {
                    judge_account(&format!("node {}, account {a}", n + 1), account, false, &mut faults);
                }
            }
        }
        faults
    }

    /// S5, at any moment.
    pub fn judge_fold(&mut self, node: usize) {
        let reading = self.readings[node];
        match node {
            0 => judge_hub_fold(&self.hub, reading, &mut self.found),
            node => judge_device_fold(node, &self.devices[node - 1], reading, &mut self.found),
        }
    }

    /// After a full exchange.
    pub fn judge_end(&self) -> Vec<String> {
        let mut faults = Vec::new();
        self.judge_links(&mut faults);
        self.judge_keys(&mut faults);
        self.judge_flags(&mut faults);
        self.judge_allotments(&mut faults);
        self.judge_stages(&mut faults);
        self.judge_refunds(&mut faults);
        judge_hub_fold(&self.hub, self.readings[0], &mut faults);
        for (n, device) in self.devices.iter().enumerate() {
            self.judge_device(n + 1, device, &mut faults);
            judge_device_fold(n + 1, device, self.readings[n + 1], &mut faults);
            judge_bases(n + 1, device, &mut faults);
        }
        faults
    }

    /// S1, S2 of links, S4.
    fn judge_links(&self, faults: &mut Vec<String>) {
        let hub = &self.hub;
        let mut charged = hub.own_consumed;
        for (id, row) in &hub.links {
            let times = u32::from(row.verdict.is_booked());
            if row.booked != times {
                faults.push(format!("S2: link {id:x} booked {} times: {:?}", row.booked, row.verdict));
            }
            charged += match (&row.link.fact.act, row.verdict.is_booked()) {
                (Act::Consume { points, .. } | Act::Capture { points, .. }, true) => *points,
                _ => 0,
            };
        }
        let consumed: i64 = hub.accounts.iter().flatten().map(|account| account.totals[CONSUMED]).sum();
        if consumed != charged {
            faults.push(format!("S4: consumed {consumed}, charges {charged}"));
        }
        let distinct: BTreeSet<u64> = hub.arrivals.iter().copied().collect();
        if distinct.len() != hub.arrivals.len() || distinct.len() != hub.links.len() {
            faults.push("S1: a link arrived twice".into());
        }
    }

    /// S2 of keys, told from the log alone.
    fn judge_keys(&self, faults: &mut Vec<String>) {
        let mut booked: HashMap<(Option<u8>, u8, Kind, u32, u64), u32> = HashMap::new();
        let mut count = |by: Option<u8>, fact: &super::facts::Fact| {
            let kind = fact.act.kind();
            let wide = kind == Kind::Recharge || kind == Kind::Consume && fact.key >= super::decide::GLOBAL_KEYS;
            if fact.key != 0 && !matches!(kind, Kind::Other | Kind::Hold) {
                let by = if wide { None } else { by.or(Some(0)) };
                *booked.entry((by, fact.account, kind, fact.key, fact.act.inputs(fact.occurred))).or_default() += 1;
            }
        };
        for record in &self.hub.log {
            if let Record::Own(fact) = record {
                count(None, fact);
            }
        }
        for row in self.hub.links.values().filter(|row| row.verdict.is_booked() && !row.another) {
            count(Some(row.link.device), &row.link.fact);
        }
        for (key, times) in booked.into_iter().filter(|(_, times)| *times > 1) {
            faults.push(format!("S2: key {key:?} booked {times} times"));
        }
    }

    /// S6.
    fn judge_flags(&self, faults: &mut Vec<String>) {
        let hub = &self.hub;
        let mut places: BTreeMap<(u8, u32, u32), u32> = BTreeMap::new();
        for row in hub.links.values() {
            *places.entry((row.link.device, row.link.epoch, row.link.place.seq)).or_default() += 1;
        }
        let forked: BTreeSet<u8> = hub
            .flags
            .iter()
            .filter(|(id, flag)| *flag == Flag::Fork && hub.links.contains_key(id))
            .map(|(id, _)| hub.links[id].link.device)
            .collect();
        for (device, ..) in places.iter().filter(|(_, n)| **n > 1).map(|(place, _)| place) {
            if !forked.contains(device) {
                faults.push(format!("S6: two links of device {device} in one place, and no flag"));
            }
        }
        if let Some(device) = forked.iter().find(|device| !self.past.copied.contains(device)) {
            faults.push(format!("S6: device {device} forked without a copy"));
        }
        let regressed = hub.flags.iter().any(|(_, flag)| *flag == Flag::HubRegressed);
        if regressed && !self.past.hub_set_back {
            faults.push("S6: the hub was never set back".into());
        }
    }

    /// S7, where nothing excuses it.
    fn judge_allotments(&self, faults: &mut Vec<String>) {
        if self.past.hub_set_back || self.past.written_off || self.past.approved {
            return;
        }
        for (id, flag) in &self.hub.flags {
            let Some(row) = self.hub.links.get(id) else { continue };
            if self.past.copied.contains(&row.link.device) {
                continue;
            }
            let short = *flag == Flag::AllotmentShort;
            let strict = match &row.link.fact.act {
                Act::Consume { points, policy: Policy::Strict, allotted, .. } => {
                    *points > 0 && allotted.iter().map(|part| part.1).sum::<i64>() == *points
                }
                _ => false,
            };
            if short || strict && matches!(flag, Flag::Overdraft(_)) {
                faults.push(format!("S7: {flag:?} of {:?}", row.link.fact));
            }
        }
    }

    /// What is booked only when somebody says so was not booked by itself.
    fn judge_stages(&self, faults: &mut Vec<String>) {
        for (id, row) in self.hub.links.iter().filter(|(_, row)| row.verdict == Verdict::Booked) {
            if row.link.fact.act.is_credit() && in_second_branch(&self.hub, row) {
                faults.push(format!("credit unasked: {id:x} of a second branch"));
            }
            let taken = |record: &Record| matches!(record, Record::Take { link, .. } if link.place.hash == *id);
            let before = self.hub.log.iter().take_while(|record| !taken(record));
            let admitted = before.filter_map(|record| match record {
                Record::Admit { device, terms, .. } if *device == row.link.device => Some(terms),
                _ => None,
            });
            let terms = admitted.last().expect("admitted before it sent anything");
            let beyond = match row.link.fact.act {
                Act::Recharge { points, .. } => points > terms.recharge,
                Act::Refund { .. } => !terms.refund,
                _ => false,
            };
            if beyond {
                faults.push(format!("rights: {:?}", row.link.fact));
            }
        }
        self.judge_expelled(faults);
        self.judge_order(faults);
    }

    fn judge_expelled(&self, faults: &mut Vec<String>) {
        let mut expelled = BTreeSet::new();
        for record in &self.hub.log {
            match record {
                Record::Expel { device, .. } => _ = expelled.insert(*device),
                Record::Admit { device, .. } => _ = expelled.remove(device),
                Record::Take { link, .. }
                    if expelled.contains(&link.device)
                        && self.hub.links[&link.place.hash].verdict == Verdict::Booked =>
                {
                    faults.push(format!("expelled: {:?}", link.fact));
                }
                _ => {}
            }
        }
    }

    /// Of a chain and account, nothing is booked by itself after what was staged as too new.
    fn judge_order(&self, faults: &mut Vec<String>) {
        let mut stopped: BTreeSet<(u8, u8)> = BTreeSet::new();
        for record in &self.hub.log {
            let (place, id) = match record {
                Record::Take { link, .. } => ((link.device, link.fact.account), link.place.hash),
                Record::Approve { link, .. } | Record::Dismiss { link, .. } => {
                    let link = &self.hub.links[link].link;
                    stopped.remove(&(link.device, link.fact.account));
                    continue;
                }
                _ => continue,
            };
            let row = &self.hub.links[&id];
            if let Record::Take { link, rules, .. } = record
                && link.rules > *rules
                && link.fact.act.moves()
            {
                stopped.insert(place);
            } else if stopped.contains(&place) && row.verdict == Verdict::Booked {
                faults.push(format!("too new: {:?} booked after what was staged", row.link.fact));
            }
        }
    }

    /// A refund is not lost: one that came to nothing had nothing to go to.
    fn judge_refunds(&self, faults: &mut Vec<String>) {
        for (id, flag) in self.hub.flags.iter().filter(|(_, flag)| *flag == Flag::RefundUnknown) {
            let Some(row) = self.hub.links.get(id).filter(|row| row.verdict.is_booked()) else { continue };
            let Act::Refund { of, .. } = row.link.fact.act else { continue };
            let consume = self.hub.accounts[row.link.fact.account as usize]
                .as_ref()
                .and_then(|account| account.consumes.iter().find(|consume| consume.id == of));
            if row.target_known && consume.is_some_and(|consume| consume.refundable() > 0) {
                faults.push(format!("refund came to nothing: {id:x} {flag:?}"));
            }
        }
    }

    /// S3, S9 for a device that has all.
    fn judge_device(&self, node: usize, device: &Device, faults: &mut Vec<String>) {
        if self.hub.devices[&device.id].expelled {
            return;
        }
        if device.acked != device.head() {
            faults.push(format!("node {node}: acked {:?} of {:?}", device.acked, device.head()));
            return;
        }
        let (now, here) = (self.readings[0], self.readings[node]);
        for a in 0..ACCOUNTS {
            let watched = self.hub.watch.contains_key(&(device.id, a));
            let all = self.hub.devices[&device.id].scope == Scope::All;
            let lost = device.bases[a as usize].is_some() && self.hub.accounts[a as usize].is_none();
            if !watched && !all && !lost {
                continue;
            }
            let hub = self.hub.view(a, now).unwrap_or_else(|| Account::new(now, 0));
            let own = device.view(a, here).unwrap_or_else(|| Account::new(here, 0));
            if own.holds.iter().any(|hold| hold.own && hold.state == HoldState::Open) {
                continue;
            }
            if own.last > hub.last.max(now) {
                faults.push(format!("S9: node {node}, account {a} lies in the future"));
            }
            let (mut hub, mut own) = alike(hub, own);
            if device.jittered {
                // What lapsed and came back meanwhile is told on one side only.
                [&mut hub, &mut own].into_iter().for_each(net_expired);
            }
            let (hub, own) = (shown(&hub, device.id), shown(&own, device.id));
            if hub != own {
                faults.push(format!("S3: node {node}, account {a}:\n      hub {hub}\n   device {own}"));
            }
        }
    }
}

/// S7 where the hub was set back, told from the log alone: once a device has heard of another hub epoch, an allotment is not spent
/// on a base of the one that may be lost.
fn judge_bases(node: usize, device: &Device, faults: &mut Vec<String>) {
    let (mut newest, mut bases) = (0, [0; ACCOUNTS as usize]);
    for link in &device.log {
        match &link.fact.act {
            Act::Reconcile(reconcile) => {
                newest = newest.max(reconcile.position.epoch);
                for line in &reconcile.lines {
                    let base = &mut bases[line.account as usize];
                    *base = reconcile.position.epoch.max(*base);
                }
            }
            Act::Consume { allotted, .. } | Act::Hold { allotted, .. }
                if !allotted.is_empty() && bases[link.fact.account as usize] < newest =>
            {
                faults.push(format!("S7: node {node} spent on a base that may be lost: {:?}", link.fact));
            }
            _ => {}
        }
    }
}

/// Told from the tree alone: whether the link, or one before it in its epoch, came after another child of the same parent.
fn in_second_branch(hub: &Hub, row: &Row) -> bool {
    let mut at = row;
    loop {
        let elder = hub.children[&(at.link.prev, at.link.epoch)]
            .iter()
            .any(|id| hub.links.get(id).is_some_and(|other| other.arrived < at.arrived));
        if elder {
            return true;
        }
        match hub.links.get(&at.link.prev) {
            Some(before) if before.link.epoch == row.link.epoch => at = before,
            _ => return false,
        }
    }
}

fn net_expired(account: &mut Account) {
    account.totals[EXPIRED] -= std::mem::take(&mut account.totals[REINSTATED]);
}

/// What both must show alike.
fn shown(account: &Account, device: u8) -> String {
    let mut batches: Vec<&Batch> =
        account.batches.iter().filter(|b| b.remaining + b.held + b.owed > 0 || !b.active).collect();
    batches.sort_by_key(|batch| batch.id);
    let batches: Vec<String> = batches
        .iter()
        .map(|b| {
            let points = [b.amount, b.remaining, b.held, b.used, b.expired, b.revoked, b.moved, b.owed];
            format!("{:x} {points:?} {} {} {} {} {}", b.id, b.order, b.priority, b.promo, b.effective_at, b.expires_at)
        })
        .collect();
    let open: Vec<(u64, i64)> =
        account.consumes.iter().filter(|c| c.open > 0).map(|consume| (consume.id, consume.open)).collect();
    let own = account.allotments.iter().filter(|a| a.device == device && a.left() > 0);
    let slices = |a: &Allotment| -> Vec<(Id, i64)> { a.slices.iter().filter(|slice| slice.1 > 0).copied().collect() };
    let allotments: Vec<_> = own.map(|a| (a.id, a.epoch, a.recalled, slices(a))).collect();
    let (figures, totals, limit) = (account.figures(), account.totals, account.limit);
    format!("{:?} {limit} {figures:?} {totals:?} {batches:?} {open:x?} {allotments:x?}", account.state)
}

/// S5. Where accepted time went back behind what only a sweep had booked, the file is excused until the account is rebased.
fn judge_device_fold(node: usize, device: &Device, reading: Ms, faults: &mut Vec<String>) {
    let fold = device.fold();
    let same = fold.bases == device.bases && fold.epoch == device.epoch && fold.clock == device.clock;
    if !same || fold.terms != device.terms {
        faults.push(format!("S5: node {node}: base, epoch, clock or terms are not in the log"));
    }
    for a in (0..ACCOUNTS).filter(|a| !device.swept[*a as usize].1) {
        if let Some(differ) = alike_at_rest(device.view(a, reading), fold.view(a, reading)) {
            faults.push(format!("S5: node {node}, account {a}:{differ}"));
        }
    }
}

/// Both caught up to an instant that both have reached: a sweep may have taken one of them further.
fn alike(mut a: Account, mut b: Account) -> (Account, Account) {
    let at = a.last.max(b.last);
    a.advance(at);
    b.advance(at);
    (a, b)
}

fn alike_at_rest(live: Option<Account>, again: Option<Account>) -> Option<String> {
    match (live, again) {
        (None, None) => None,
        (Some(live), Some(again)) => {
            let (live, again) = alike(live, again);
            let (live, again) = (at_rest(&live), at_rest(&again));
            (live != again).then(|| format!("\n     live {live:?}\n   replay {again:?}"))
        }
        (live, again) => Some(format!("\n     live {live:?}\n   replay {again:?}")),
    }
}

/// Without what a sweep more or less leaves behind.
fn at_rest(account: &Account) -> Account {
    Account { last: 0, steps: 0, ..account.clone() }
}

fn judge_hub_fold(hub: &Hub, reading: Ms, faults: &mut Vec<String>) {
    let fold = hub.fold();
    let verdicts =
        |hub: &Hub| -> BTreeMap<u64, Verdict> { hub.links.iter().map(|(id, row)| (*id, row.verdict)).collect() };
    // What only a sweep had booked ahead of the time that was confirmed is led back too, and told.
    let same = |a: usize| fold.touched[a] == hub.touched[a] || hub.swept[a].1;
    if fold.hashes != hub.hashes || verdicts(&fold) != verdicts(hub) || !(0..ACCOUNTS as usize).all(same) {
        faults.push("S5: the hub's verdicts are not in its log".into());
    }
    for a in (0..ACCOUNTS).filter(|a| !hub.swept[*a as usize].1) {
        if let Some(differ) = alike_at_rest(hub.view(a, reading), fold.view(a, reading)) {
            faults.push(format!("S5: hub, account {a}:{differ}"));
        }
    }
    let named = |row: &Row| row.link.fact.account != NO_ACCOUNT;
    for row in hub.links.values().filter(|row| named(row) && row.verdict.is_booked()) {
        if hub.accounts[row.link.fact.account as usize].is_none() {
            faults.push("S1: booked in no account".into());
        }
    }
}
