//! Exact fractions, as far as 128 bits carry.

use std::cmp::Ordering;

use crate::quantity::Quantity;

/// A non-negative fraction in lowest terms; the denominator is never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ratio {
    numerator: u128,
    denominator: u128,
}

impl Ratio {
    pub(super) fn whole(value: u128) -> Self {
        Self { numerator: value, denominator: 1 }
    }

    fn new(numerator: u128, denominator: u128) -> Option<Self> {
        let common = gcd(numerator, denominator);
        Some(Self { numerator: numerator.checked_div(common)?, denominator: denominator.checked_div(common)? })
    }

    pub(super) fn mul(self, other: Self) -> Option<Self> {
        // Reduced crosswise first: the product is then in lowest terms and as small as it can be.
        let left = Self::new(self.numerator, other.denominator)?;
        let right = Self::new(other.numerator, self.denominator)?;
        Some(Self {
            numerator: left.numerator.checked_mul(right.numerator)?,
            denominator: left.denominator.checked_mul(right.denominator)?,
        })
    }

    /// None also when `other` is zero.
    pub(super) fn div(self, other: Self) -> Option<Self> {
        if other.numerator == 0 {
            return None;
        }
        self.mul(Self { numerator: other.denominator, denominator: other.numerator })
    }

    /// None also when the result would be negative.
    pub(super) fn sub(self, other: Self) -> Option<Self> {
        let common = gcd(self.denominator, other.denominator);
        let widen_self = other.denominator.checked_div(common)?;
        let widen_other = self.denominator.checked_div(common)?;
        let left = self.numerator.checked_mul(widen_self)?;
        let right = other.numerator.checked_mul(widen_other)?;
        Self::new(left.checked_sub(right)?, self.denominator.checked_mul(widen_self)?)
    }

    fn floor(self) -> u128 {
        self.numerator.checked_div(self.denominator).unwrap_or(0)
    }

    /// What is left of the numerator above the whole part.
    fn rest(self) -> u128 {
        self.numerator.checked_rem(self.denominator).unwrap_or(0)
    }

    /// The smallest whole number not below this.
    pub(super) fn ceil(self) -> u128 {
        self.numerator.div_ceil(self.denominator)
    }
}

impl Ord for Ratio {
    /// By whole parts, then by the reciprocals of what is left: nothing is multiplied, so nothing can overflow.
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut left, mut right, mut reversed) = (*self, *other, false);
        loop {
            let (whole, other_whole) = (left.floor(), right.floor());
            let (rest, other_rest) = (left.rest(), right.rest());
            let found = match whole.cmp(&other_whole) {
                Ordering::Equal if rest == 0 || other_rest == 0 => rest.cmp(&other_rest),
                found => found,
            };
            if found != Ordering::Equal || rest == 0 || other_rest == 0 {
                return if reversed { found.reverse() } else { found };
            }
            // The greater fraction has the smaller reciprocal.
            reversed = !reversed;
            left = Self { numerator: left.denominator, denominator: rest };
            right = Self { numerator: right.denominator, denominator: other_rest };
        }
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Powers of ten fit by the bounds of [`Quantity`], so this cannot fail.
impl From<Quantity> for Ratio {
    fn from(value: Quantity) -> Self {
        let (numerator, denominator) = value.fraction();
        Self::new(numerator, denominator).unwrap_or(Self { numerator, denominator })
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(text: &str) -> Option<Ratio> {
        Quantity::parse(text).ok().map(Ratio::from)
    }

    #[test]
    fn a_decimal_becomes_its_lowest_terms() {
        assert_eq!(ratio("0.28"), Ratio::new(7, 25));
        assert_eq!(ratio("1200"), Some(Ratio::whole(1200)));
    }

    #[test]
    fn arithmetic_is_exact_and_refuses_what_does_not_exist() {
        let third = Ratio::new(1, 3);
        let check = |value: Option<Ratio>, expected| assert_eq!(value, expected);
        check(third.and_then(|x| x.mul(Ratio::whole(3))), Ratio::new(1, 1));
        check(third.and_then(|x| x.div(Ratio::whole(0))), None);
        check(third.and_then(|x| x.sub(Ratio::whole(1))), None);
        check(Ratio::new(1, 2).zip(third).and_then(|(a, b)| a.sub(b)), Ratio::new(1, 6));
        check(Ratio::whole(u128::MAX).mul(Ratio::whole(2)), None);
        assert_eq!(third.map(Ratio::ceil), Some(1));
        assert_eq!(Ratio::whole(0).ceil(), 0);
        assert_eq!(Ratio::whole(7).ceil(), 7);
    }

    #[test]
    fn the_order_is_that_of_the_numbers_however_large_they_are() {
        let ratio = |numerator, denominator| Ratio::new(numerator, denominator).unwrap();
        for (a, b) in (0..40_u128).flat_map(|a| (0..40_u128).map(move |b| (a, b))) {
            for (c, d) in [(1, 1), (3, 7), (7, 3), (5, 8)] {
                let exact = (a * d).cmp(&(b * c));
                assert_eq!(ratio(a, c).cmp(&ratio(b, d)), exact, "{a}/{c} {b}/{d}");
            }
        }
        let most = u128::MAX;
        assert!(ratio(most - 1, most) < ratio(most, most));
        assert!(ratio(most, most - 1) > ratio(most, most));
        assert!(ratio(most - 2, most - 1) < ratio(most - 1, most));
    }
}
