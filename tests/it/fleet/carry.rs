//! The account line: what of an account goes down to a device.

use super::account::{Account, Batch, HoldState};
use super::facts::Line;
use super::hub::Hub;
use super::wrong::Wrong;
use std::rc::Rc;

/// How many refundable consumes of the device go along, at least.
const REFUNDABLE: usize = 6;

impl Hub {
    pub fn line(&self, a: u8, device: u8) -> Rc<Line> {
        let nobody = || Account::new(0, self.clock.steps);
        let account = self.accounts[a as usize].clone().unwrap_or_else(nobody);
        Rc::new(Line { account: a, rows: self.carried(account, device) })
    }

    fn carried(&self, mut rows: Account, device: u8) -> Account {
        let now = rows.last.max(self.clock.accepted);
        let late = |batch: &Batch| {
            let lapsed = batch.expired > 0 && now - batch.expires_at <= self.late_window;
            lapsed && !self.is(Wrong::LapsedWindowNotCarried)
        };
        let mut batches: Vec<bool> = rows
            .batches
            .iter()
            .map(|batch| batch.remaining + batch.held + batch.owed > 0 || !batch.active || late(batch))
            .collect();
        let mut consumes: Vec<bool> = rows.consumes.iter().map(|consume| consume.open > 0).collect();
        let own = rows.consumes.iter().enumerate().rev();
        let own = own.filter(|(_, consume)| consume.by == Some(device) && consume.refundable() > 0);
        for (c, _) in own.take(REFUNDABLE) {
            consumes[c] = true;
        }
        loop {
            let mut more = false;
            for (c, consume) in rows.consumes.iter().enumerate() {
                let carried =
                    |id: u64| rows.batches.iter().zip(&batches).any(|(batch, carried)| *carried && batch.id == id);
                let claws = consume.clawback_of.is_some_and(carried) && !self.is(Wrong::ClawbackNotCarried);
                if claws && consume.refundable() > 0 && !consumes[c] {
                    (consumes[c], more) = (true, true);
                }
                if !consumes[c] {
                    continue;
                }
                for (id, _) in &consume.parts {
                    let i = rows.batches.iter().position(|batch| batch.id == *id).expect("parts name batches");
                    more |= !std::mem::replace(&mut batches[i], true);
                }
            }
            if !more {
                break;
            }
        }
        for (batch, _) in rows.batches.iter().zip(&batches).filter(|(_, carried)| !**carried) {
            let parts = [batch.used, batch.expired, batch.revoked, batch.moved];
            rows.rest.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
        }
        let mut keep = batches.into_iter();
        rows.batches.retain(|_| keep.next().unwrap_or(false));
        let mut keep = consumes.into_iter();
        rows.consumes.retain(|_| keep.next().unwrap_or(false));
        rows.holds.retain(|hold| hold.state == HoldState::Open);
        rows.holds.iter_mut().for_each(|hold| hold.own = false);
        rows.allotments.retain(|a| a.device == device && a.left() > 0);
        rows
    }
}
