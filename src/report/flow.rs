//! Where points came from and went: every entry's change of `net`, told by cause. The one rule that statement, explain
//! and exports share.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::model::{Entry, Place};
use crate::units::{add, sub};

/// What came in and what went, by cause. Always
/// `change of net + change of held + change of pending = recharged + moved_in + written_off - used - expired - revoked - moved_out`.
///
/// Holding, settling and activating move points within an account and are no flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Flows {
    /// Points recharged.
    pub recharged: i64,
    /// Points received by transfer.
    pub moved_in: i64,
    /// Debt written off.
    pub written_off: i64,
    /// Points consumed, less those refunded.
    pub used: i64,
    /// Points that expired, less those that came back.
    pub expired: i64,
    /// Points revoked or clawed back, less what returned of clawbacks.
    pub revoked: i64,
    /// Points sent by transfer.
    pub moved_out: i64,
}

impl Entry {
    /// Where its points came from and went: the movements, by cause.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// ledger.consume(&alice, &Key::new("task:1")?, Consume::points(Points::new(20)?))?;
    /// let page = ledger.history(&alice, &Query::new().kind(EntryKind::Consume))?;
    /// assert_eq!(page.items[0].flows()?.used, 20);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `out_of_range` for sums that no entry of a ledger comes to.
    pub fn flows(&self) -> Result<Flows> {
        let mut flows = Flows::default();
        self.movements.iter().try_for_each(|movement| flows.flow(movement.from, movement.to, movement.points))?;
        Ok(flows)
    }
}

impl Flows {
    fn flow(&mut self, from: Place, to: Place, points: i64) -> Result<()> {
        self.pass(from, sub(0, points)?)?;
        self.pass(to, points)
    }

    /// So many points more in a place.
    fn pass(&mut self, place: Place, points: i64) -> Result<()> {
        let (sum, points) = match place {
            Place::Recharged => (&mut self.recharged, sub(0, points)?),
            Place::Received => (&mut self.moved_in, sub(0, points)?),
            Place::WrittenOff => (&mut self.written_off, sub(0, points)?),
            Place::Used => (&mut self.used, points),
            Place::Expired => (&mut self.expired, points),
            Place::Revoked | Place::ClawedBack => (&mut self.revoked, points),
            Place::Moved => (&mut self.moved_out, points),
            // Within the account.
            Place::Pending | Place::Available | Place::Held | Place::Debt => return Ok(()),
        };
        *sum = add(*sum, points)?;
        Ok(())
    }

    pub(crate) fn add(&mut self, more: &Flows) -> Result<()> {
        let Flows { recharged, moved_in, written_off, used, expired, revoked, moved_out } = more;
        for (sum, part) in [
            (&mut self.recharged, recharged),
            (&mut self.moved_in, moved_in),
            (&mut self.written_off, written_off),
            (&mut self.used, used),
            (&mut self.expired, expired),
            (&mut self.revoked, revoked),
            (&mut self.moved_out, moved_out),
        ] {
            *sum = add(*sum, *part)?;
        }
        Ok(())
    }
}
