//! What a file believes of its clock: all of it follows from the readings in its log.

use super::account::{Account, Ms};
use super::{DAY, HOUR};

pub const MAX_JUMP: Ms = 90 * DAY;
pub const PATIENCE: Ms = DAY;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The newest accepted reading.
    pub accepted: Ms,
    pub suspect_since: Option<Ms>,
    /// How often accepted time has stepped back.
    pub steps: u32,
}

impl Clock {
    pub fn new(at: Ms) -> Clock {
        Clock { accepted: at, suspect_since: None, steps: 0 }
    }

    /// Ledger time by this reading, and the clock as it is when an operation records it.
    pub fn hear<'a>(&self, reading: Ms, accounts: impl Iterator<Item = &'a Account>) -> (Ms, Clock) {
        let mut clock = self.clone();
        let since = self.suspect_since.unwrap_or(reading);
        let far = reading > self.accepted + MAX_JUMP;
        if far && reading - since < PATIENCE && self.falls_due_before(reading, accounts) {
            clock.suspect_since = Some(since);
            return (self.accepted, clock);
        }
        clock.suspect_since = None;
        clock.accepted = self.accepted.max(reading);
        (reading, clock)
    }

    fn falls_due_before<'a>(&self, reading: Ms, mut accounts: impl Iterator<Item = &'a Account>) -> bool {
        let on_the_way = |at: Ms| self.accepted < at && at <= reading;
        accounts.any(|account| {
            account.batches.iter().any(|batch| {
                let ends = on_the_way(batch.expires_at) && batch.remaining + batch.held + batch.expired > 0;
                ends || !batch.active && on_the_way(batch.effective_at) && batch.remaining > 0
            })
        })
    }

    /// From when the life of what is recharged counts, that is booked at this instant.
    pub fn alive_from(&self, reading: Ms, now: Ms) -> Ms {
        if self.suspect_since.is_some() { reading } else { now }
    }

    /// Somebody vouches for this reading, be it behind the newest accepted one.
    pub fn confirm(&mut self, reading: Ms) {
        self.suspect_since = None;
        self.steps += u32::from(reading < self.accepted);
        self.accepted = reading;
    }

    /// It was fast and is mended.
    pub fn was_fast(&self, reading: Ms) -> bool {
        reading + HOUR < self.accepted
    }
}
