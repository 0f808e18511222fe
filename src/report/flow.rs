//! Where points came from and went: what every line did, in the words of an account's totals. The one rule that balance,
//! statement, explanations and exports share.

use crate::error::Result;
use crate::model::{Entry, EntryRow, Place, Totals};
use crate::units::{add, sub};

impl Entry {
    /// Where its points came from and went: the movements, by cause. Over all lines of an account they come to the totals of
    /// its balance, and always
    /// `change of net + change of held + change of pending = recharged + moved_in + written_off + refunded + reinstated
    /// - consumed - expired - revoked - clawed_back - moved_out`.
    ///
    /// Holding, settling and activating move points within an account and are in none; `rolled` moves them within it as well.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(20)?))?;
    /// let page = ledger.history(&alice, &Query::new().kind(EntryKind::Consume))?;
    /// assert_eq!(page.items[0].totals()?.consumed, 20);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `out_of_range` for sums that no entry of a ledger comes to.
    pub fn totals(&self) -> Result<Totals> {
        let mut totals = Totals::default();
        self.movements.iter().try_for_each(|moved| totals.flow(moved.from, moved.to, moved.points.get()))?;
        Ok(totals)
    }
}

impl Totals {
    /// What one line did.
    pub(crate) fn of(row: &EntryRow) -> Result<Self> {
        let mut totals = Totals::default();
        row.movements.iter().try_for_each(|moved| totals.flow(moved.from, moved.to, moved.points))?;
        Ok(totals)
    }

    fn flow(&mut self, from: Place, to: Place, points: i64) -> Result<()> {
        // What became of points at the hub is not known here, only what they come to.
        if from == Place::Reconciled || to == Place::Reconciled {
            return Ok(());
        }
        let out = match from {
            Place::Recharged => &mut self.recharged,
            Place::Received => &mut self.moved_in,
            Place::WrittenOff => &mut self.written_off,
            Place::RolledIn => &mut self.rolled,
            Place::Used => &mut self.refunded,
            Place::Expired => &mut self.reinstated,
            Place::ClawedBack => return self.came_back(to, points),
            _ => return self.went(to, points),
        };
        *out = add(*out, points)?;
        self.went(to, points)
    }

    /// What was clawed back is less by so much.
    fn came_back(&mut self, to: Place, points: i64) -> Result<()> {
        self.clawed_back = sub(self.clawed_back, points)?;
        self.went(to, points)
    }

    fn went(&mut self, to: Place, points: i64) -> Result<()> {
        let sum = match to {
            Place::Used => &mut self.consumed,
            Place::Expired => &mut self.expired,
            Place::Revoked => &mut self.revoked,
            Place::ClawedBack => &mut self.clawed_back,
            Place::Moved => &mut self.moved_out,
            _ => return Ok(()),
        };
        *sum = add(*sum, points)?;
        Ok(())
    }

    pub(crate) fn add(&mut self, more: &Totals) -> Result<()> {
        let Totals {
            recharged,
            consumed,
            refunded,
            expired,
            reinstated,
            revoked,
            clawed_back,
            written_off,
            moved_in,
            moved_out,
            rolled,
        } = more;
        for (sum, part) in [
            (&mut self.recharged, recharged),
            (&mut self.consumed, consumed),
            (&mut self.refunded, refunded),
            (&mut self.expired, expired),
            (&mut self.reinstated, reinstated),
            (&mut self.revoked, revoked),
            (&mut self.clawed_back, clawed_back),
            (&mut self.written_off, written_off),
            (&mut self.moved_in, moved_in),
            (&mut self.moved_out, moved_out),
            (&mut self.rolled, rolled),
        ] {
            *sum = add(*sum, *part)?;
        }
        Ok(())
    }
}
