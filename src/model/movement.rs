//! The movement: points going from one place to another. Every line of an account's books is made of them, and everything
//! that is told of it follows from them.

use serde::{Deserialize, Serialize};

use super::BatchNo;
use super::codes::codes;
use crate::error::Result;
use crate::units::{MAX_POINTS, add, sub};

/// The four balances that are stored, or a change of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Balances {
    /// Spendable points.
    pub available: i64,
    /// Held points.
    pub held: i64,
    /// Pending points.
    pub pending: i64,
    /// Debt.
    pub debt: i64,
}

impl Balances {
    /// Available less debt.
    #[must_use]
    pub fn net(&self) -> i64 {
        self.available.saturating_sub(self.debt)
    }
}

codes!(
    /// Where points are, come from, or went.
    Place {
        /// Of a new batch: recharged.
        Recharged = 1 "recharged",
        /// Of a new batch: received by transfer.
        Received = 2 "received",
        /// In a batch that is not effective yet.
        Pending = 3 "pending",
        /// In a batch, to be spent.
        Available = 4 "available",
        /// Set aside by a hold.
        Held = 5 "held",
        /// Consumed, and paid for by the batch.
        Used = 6 "used",
        /// Expired or lapsed.
        Expired = 7 "expired",
        /// Taken back.
        Revoked = 8 "revoked",
        /// Sent by transfer.
        Moved = 9 "moved",
        /// Out of it: owed from now on. Into it: paid, cancelled or forgiven.
        Debt = 10 "debt",
        /// Debt that was forgiven comes out of it.
        WrittenOff = 11 "written_off",
        /// Owed after a revoke, and used by the batches that have paid for it.
        ClawedBack = 12 "clawed_back",
        /// Of a new batch: rolled over from another of the account.
        RolledIn = 13 "rolled_in",
        /// Rolled over into another batch of the account, or gone back to the one it rolled out of.
        RolledOut = 14 "rolled_out",
        /// On a device: what its hub says changed there, whatever it was.
        Reconciled = 15 "reconciled",
    }
);

impl Place {
    /// A use that can be given back.
    pub(crate) fn is_used(self) -> bool {
        matches!(self, Place::Used | Place::ClawedBack)
    }
}

/// Points going from one place to another inside an account, or in or out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MovementRow {
    /// The operation concerned when it is another than the line's: whose debt is paid, what is given back.
    pub(crate) operation: Option<i64>,
    /// The batch whose points they are; none of what no batch has paid for.
    pub(crate) batch: Option<BatchNo>,
    pub(crate) from: Place,
    pub(crate) to: Place,
    pub(crate) points: i64,
}

/// What movements change of an account's figures, and how much of it expired for good.
pub(crate) fn changes(movements: &[MovementRow]) -> Result<(Balances, i64)> {
    let (mut change, mut expired) = (Balances::default(), 0);
    for movement in movements {
        for (place, taken) in [(movement.from, true), (movement.to, false)] {
            let sum = match place {
                Place::Available => &mut change.available,
                Place::Held => &mut change.held,
                Place::Pending => &mut change.pending,
                Place::Expired => &mut expired,
                Place::Debt => &mut change.debt,
                Place::Recharged
                | Place::Received
                | Place::Used
                | Place::Revoked
                | Place::Moved
                | Place::WrittenOff
                | Place::ClawedBack
                | Place::RolledIn
                | Place::RolledOut
                | Place::Reconciled => continue,
            };
            // What comes out of debt is owed.
            let grows = taken == (place == Place::Debt);
            *sum = if grows { add(*sum, movement.points)? } else { sub(*sum, movement.points)? };
        }
    }
    Ok((change, expired))
}

/// As stored: for each the places in one byte, the batch, the operation (0 for none) and the points, seven bits to a byte.
pub(crate) fn encode(movements: &[MovementRow], bytes: &mut Vec<u8>) {
    for movement in movements {
        let places = (movement.from.code() << 4) | movement.to.code();
        bytes.push(u8::try_from(places).unwrap_or_default());
        for number in [movement.batch.unwrap_or(0), movement.operation.unwrap_or(0), movement.points] {
            let mut left = number.cast_unsigned();
            while left > 0x7f {
                bytes.push(seven(left) | 0x80);
                left >>= 7;
            }
            bytes.push(seven(left));
        }
    }
}

fn seven(bits: u64) -> u8 {
    u8::try_from(bits & 0x7f).unwrap_or_default()
}

/// The movements again; `None` when it is not how any are stored.
pub(crate) fn decode(bytes: &[u8]) -> Option<Vec<MovementRow>> {
    let mut bytes = bytes.iter().copied();
    let mut movements = Vec::new();
    while let Some(places) = bytes.next() {
        let (from, to) = (Place::from_code((places >> 4).into())?, Place::from_code((places & 0xf).into())?);
        let mut number = || -> Option<i64> {
            let mut sum = 0;
            for shift in (0..63).step_by(7) {
                let byte = bytes.next()?;
                sum |= i64::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    // One way to write each number.
                    return (byte > 0 || shift == 0).then_some(sum);
                }
            }
            None
        };
        let (batch, operation, points) = (number()?, number()?, number()?);
        if !(0..=MAX_POINTS).contains(&points) || from == to {
            return None;
        }
        let some = |number: i64| (number > 0).then_some(number);
        movements.push(MovementRow { operation: some(operation), batch: some(batch), from, to, points });
    }
    Some(movements)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(movements: &[MovementRow]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(movements, &mut bytes);
        bytes
    }

    #[test]
    fn what_is_stored_is_read_again() {
        for (from, to) in Place::ALL.iter().flat_map(|from| Place::ALL.iter().map(move |to| (*from, *to))) {
            assert_eq!(Place::from_code(from.code()), Some(from));
            if from == to {
                continue;
            }
            for points in [0, 1, 127, 128, MAX_POINTS] {
                for (batch, operation) in [(None, None), (Some(1 << 20), None), (Some(i64::MAX), Some(1 << 42))] {
                    let one = MovementRow { operation, batch, from, to, points };
                    assert_eq!(decode(&encoded(&[one, one])), Some(vec![one, one]));
                }
            }
        }
        assert_eq!(decode(&[]), Some(Vec::new()));
    }

    #[test]
    fn anything_else_is_refused() {
        let one =
            MovementRow { operation: None, batch: Some(1 << 20), from: Place::Available, to: Place::Used, points: 300 };
        let bytes = encoded(&[one]);
        (1..bytes.len()).for_each(|cut| assert_eq!(decode(&bytes[..cut]), None));
        for wrong in [vec![0x46], vec![0x44, 0, 0, 1], vec![0x0d, 0, 0, 1], vec![0x46, 0x80, 0, 0, 1]] {
            assert_eq!(decode(&wrong), None, "{wrong:?}");
        }
        let endless = [vec![0x46], vec![0xff; 20]].concat();
        assert_eq!(decode(&endless), None);
    }
}
