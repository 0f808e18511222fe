//! A device takes an answer: bases are replaced, and what the hub has not seen is put back on top.

use super::HOUR;
use super::account::{Account, HoldState, Ms, UNACKNOWLEDGED};
use super::apply::{At, Name};
use super::device::{Base, Device, Parts};
use super::facts::*;
use super::wrong::Wrong;
use std::rc::Rc;

impl Base {
    /// Whether it is as new as this position, or newer.
    fn is_of(&self, position: Position) -> bool {
        self.position.order() >= position.order()
    }
}

impl Device {
    /// A down-file, after its form was checked.
    pub fn import(&mut self, down: &Down, reading: Ms) -> Result<(), &'static str> {
        if down.damaged {
            return Err("bad_file");
        }
        let ours = |place: Option<Place>| place.is_none_or(|place| self.holds_link(place));
        if down.device != self.id || !ours(down.ack) && !self.is(Wrong::AckNotChecked) || !ours(down.need) {
            return Err("not_for_us");
        }
        self.mind_mark(reading);
        if down.position.epoch > self.hub_epoch {
            self.hub_epoch = down.position.epoch;
            if !self.is(Wrong::SeenOfOldEpochKept) {
                self.seen = None;
            }
        }
        self.expelled = down.expelled;
        let strange = |(place, epoch): &(Place, u32)| *epoch == self.epoch && !self.holds_link(*place);
        // Or our head has a child there that we did not write, in whatever epoch.
        let gone_on = down.ack == Some(self.head()) && !down.leaves.iter().any(|(place, _)| *place == self.head());
        let gone_on = gone_on && !self.is(Wrong::TwinInOtherEpochMissed);
        if down.leaves.iter().any(strange) || gone_on {
            self.new_epoch(reading, false);
        }
        if let Some(need) = down.need {
            self.acked = need;
            return Ok(());
        }
        let stale = self.seen.is_some_and(|seen| down.position.order() < seen.order());
        if stale && !self.is(Wrong::OldAnswersApplied) {
            return Ok(());
        }
        let Some(ack) = down.ack else { return Ok(()) };
        self.acked = if self.holds_link(ack) { ack } else { self.acked };
        if self.is(Wrong::TermsBesideLog) {
            self.terms = down.terms;
        }
        // The hub holds links of ours beyond a gap: its bases are not of the ack's moment.
        let beyond = |gap: &Place| gap.seq > ack.seq && self.holds_link(*gap);
        if down.gaps.iter().any(beyond) && !self.is(Wrong::AckPastGap) {
            return Ok(());
        }
        // Asked before something newer came: that might be of a past the hub had lost when it answered, and would be forgotten as
        // the newest heard of before the hub was told.
        let asked_before = down.newest != self.furthest() && self.newest != Some(down.position);
        // The two others tell only where such answers are taken.
        let taken = [Wrong::NewestOvertaken, Wrong::OldAnswersApplied, Wrong::SeenOfOldEpochKept];
        if asked_before && !taken.iter().any(|wrong| self.is(*wrong)) {
            return Ok(());
        }
        if let Some(lines) = &down.lines {
            self.take_lines(down, ack, lines, reading);
            for account in 0..super::ACCOUNTS {
                self.return_allotments(account, true, reading);
            }
        }
        Ok(())
    }

    fn take_lines(&mut self, down: &Down, ack: Place, lines: &[Rc<Line>], reading: Ms) {
        let (time, _) = self.hear(reading);
        let goes_back = self.clock.accepted - time.max(down.as_of) > HOUR;
        let old = |base: &Base| base.is_old(down.position) || goes_back && !self.is(Wrong::FutureOfLostAccountKept);
        let forgets = down.since.is_none() && self.bases.iter().flatten().any(old);
        let known = |line: &Rc<Line>| self.bases[line.account as usize].is_some_and(|base| base.is_of(down.position));
        let again = goes_back || self.is(Wrong::OldAnswersApplied);
        let lines: Vec<Rc<Line>> = lines.iter().filter(|line| again || !known(line)).cloned().collect();
        if lines.is_empty() && down.terms == self.terms && !forgets {
            // Nothing to write down: or every exchange would be followed by another.
            let (position, since, as_of, (k, n)) = (down.position, down.since, down.as_of, down.part);
            self.part_came(Parts { position, since, as_of, n }, k);
            return;
        }
        let reconcile = Reconcile {
            position: down.position,
            as_of: down.as_of,
            ack,
            since: down.since,
            part: down.part,
            terms: down.terms,
            lines,
            held: down.held.clone(),
        };
        let fact = Fact { now: time, ..Fact::of_file(reading, Act::Reconcile(Rc::new(reconcile))) };
        self.write_file(fact);
    }

    pub fn reconcile(&mut self, fact: &Fact, reconcile: &Reconcile) {
        let time = fact.now;
        let accepted = time.max(reconcile.as_of);
        let before = self.clock.accepted;
        // The hub vouches for its own time, and says nothing of the reading here.
        let suspect_since = self.hear(fact.recorded).1.suspect_since;
        self.clock.confirm(accepted);
        self.clock.suspect_since = suspect_since;
        self.went_back(before);
        if !self.is(Wrong::TermsBesideLog) {
            self.terms = reconcile.terms;
        }
        for line in &reconcile.lines {
            self.rebase(line, reconcile, time);
        }
        if self.newest.is_none_or(|newest| newest.order() < reconcile.position.order()) {
            self.newest = Some(reconcile.position);
        }
        let Reconcile { position, since, as_of, part: (k, n), .. } = *reconcile;
        if self.part_came(Parts { position, since, as_of, n }, k) && since.is_none() {
            self.forget_lost(reconcile, time);
        }
    }

    /// All there is has come: what an old base says, and nobody says any more, is no more.
    fn forget_lost(&mut self, reconcile: &Reconcile, time: Ms) {
        for account in 0..super::ACCOUNTS {
            let old = self.bases[account as usize].is_some_and(|base| base.is_old(reconcile.position));
            if old && !self.is(Wrong::LostAccountKept) {
                self.rebase(&Line { account, rows: Account::new(reconcile.as_of, 0) }, reconcile, time);
            }
        }
    }

    /// Parts belong together that are of one answer: of one position and moment, after the same one, cut in as many.
    fn part_came(&mut self, answer: Parts, k: u8) -> bool {
        let mask = match self.parts {
            Some((other, mask)) if other == answer => mask,
            Some((other, mask)) if other.position == answer.position && self.is(Wrong::PartsOfTwoAnswers) => mask,
            _ => 0,
        } | 1 << k;
        self.parts = Some((answer, mask));
        let Parts { position, since, n, .. } = answer;
        let whole = mask.count_ones() >= u32::from(n) || self.is(Wrong::SeenMovedByPart);
        let follows = since.is_none() || since == self.seen || self.is(Wrong::SinceNotCompared);
        if whole && follows && self.seen.is_none_or(|seen| seen.order() < position.order()) {
            self.seen = Some(position);
        }
        whole
    }

    fn rebase(&mut self, line: &Line, reconcile: &Reconcile, time: Ms) {
        let a = line.account as usize;
        if self.bases[a].is_some_and(|base| base.is_of(reconcile.position)) && !self.is(Wrong::OldAnswersApplied) {
            return;
        }
        self.judge_ack(reconcile);
        let old = self.accounts[a].take();
        let mut at = time.max(reconcile.as_of).max(line.rows.last);
        if self.is(Wrong::OwnLastKept) {
            at = at.max(old.as_ref().map_or(at, |old| old.last));
        }
        let mut rows = line.rows.clone();
        rows.floor = line.rows.last;
        rows.steps = self.clock.steps;
        rows.catch_up(at, &self.clock);
        let links: Vec<Rc<Link>> = self.log.iter().filter(|link| link.fact.account == line.account).cloned().collect();
        for link in links {
            match &link.fact.act {
                Act::Hold { .. } => self.place_again(&mut rows, old.as_ref(), &link, at),
                act if act.moves() && link.place.seq > reconcile.ack.seq => self.put_back(&mut rows, &link, at),
                _ => {}
            }
        }
        rows.last = at;
        self.accounts[a] = Some(rows);
        self.swept[a] = (Ms::MIN, false);
        self.bases[a] = Some(Base { position: reconcile.position, ack: reconcile.ack, as_of: reconcile.as_of });
    }

    /// A hold neither captured nor released is placed again, also one that a fast clock had let expire.
    fn place_again(&self, rows: &mut Account, old: Option<&Account>, link: &Link, at: Ms) {
        let id = link.place.hash;
        let Some(hold) = old.and_then(|old| old.holds.iter().find(|hold| hold.id == id)) else { return };
        let stays = hold.state == HoldState::Expired && self.is(Wrong::ExpiredHoldStays);
        let resolved = matches!(hold.state, HoldState::Captured | HoldState::Released);
        if resolved || stays || hold.deadline <= at {
            let mut done = hold.clone();
            done.state = if resolved { hold.state } else { HoldState::Expired };
            (done.slices, done.given, done.unbacked) = (Vec::new(), Vec::new(), 0);
            rows.holds.push(done);
            return;
        }
        let Act::Hold { points, allotted, .. } = &link.fact.act else { return };
        let alive = link.epoch == self.epoch || self.is(Wrong::OldHoldKeepsAllotment);
        let parts: Vec<_> = allotted.iter().map(|part| (if alive { part.0 } else { 0 }, part.1)).collect();
        rows.hold(id, *points, hold.deadline, &parts, at);
    }

    fn put_back(&self, rows: &mut Account, link: &Link, at: Ms) {
        let fact = &link.fact;
        let since = match &fact.act {
            Act::Capture { hold, .. } => self.log.iter().find(|link| link.place.hash == *hold),
            _ => None,
        };
        let said = since.map_or(fact, |hold| &hold.fact);
        let occurred = said.occurred.unwrap_or(said.now).max(link.base_at.unwrap_or(Ms::MIN)).min(at);
        let refund_of = match &fact.act {
            Act::Refund { of, .. } => Some(*of),
            _ => None,
        };
        let name = Name { id: link.place.hash, order: UNACKNOWLEDGED + u64::from(link.place.seq), by: Some(self.id) };
        let when = At { now: at, occurred, late_window: self.terms.late_window, refund_of, narrow: false };
        rows.arrive(name, link, &when);
        rows.catch_up(at, &self.clock);
    }

    /// S10: the ack is a link of this file, and the base holds exactly the links up to it.
    fn judge_ack(&mut self, reconcile: &Reconcile) {
        let ack = reconcile.ack;
        if !self.holds_link(ack) {
            self.faults.push(format!("S10: ack {} is no link of device {}", ack.seq, self.id));
            return;
        }
        let wrong =
            self.log.iter().find(|link| reconcile.held.contains(&link.place.hash) != (link.place.seq <= ack.seq));
        if let Some(link) = wrong {
            let seq = link.place.seq;
            self.faults.push(format!("S10: device {}: a base with ack {} and link {seq}", self.id, ack.seq));
        }
    }

    /// The newest heard of, whether anything was new in it or not.
    fn furthest(&self) -> Option<Position> {
        let all = [self.seen, self.newest].into_iter().flatten();
        if self.is(Wrong::EmptyAnswersForgotten) { self.newest } else { all.max_by_key(Position::order) }
    }

    /// Everything after what the hub is known to hold: files of one epoch each, of at most `most` links.
    pub fn export(&mut self, reading: Ms, most: usize) -> Vec<Up> {
        self.mind_mark(reading);
        // Bases were perhaps caught up beyond what the clock reads: all of them have to come again, as long as that is so.
        let mended = self.clock.was_fast(reading) && !self.is(Wrong::FastClockNotTold);
        let seen = self.seen.filter(|_| !mended);
        let mut files = Vec::new();
        let mut from = self.acked.seq;
        loop {
            let rest = &self.log[from as usize..];
            let epoch = rest.first().map_or(self.epoch, |link| link.epoch);
            let links: Vec<Rc<Link>> = rest.iter().take_while(|link| link.epoch == epoch).take(most).cloned().collect();
            let next = from + links.len() as u32;
            files.push(Up {
                device: self.id,
                base: self.place(from),
                head: self.place(next),
                exported_at: reading,
                seen,
                newest: self.furthest(),
                marks: self.marks(from),
                damaged: false,
                links,
            });
            from = next;
            if from as usize == self.log.len() {
                break;
            }
        }
        self.mark = Some(self.head());
        files
    }

    fn marks(&self, from: u32) -> Vec<Place> {
        let mut marks = vec![self.place(from)];
        let mut back = 1;
        while back < from {
            marks.push(self.place(from - back));
            back *= 2;
        }
        marks.push(self.place(0));
        marks
    }
}
