//! Price books: formulas, faults, parity with the Python service, properties.

mod broken;
mod formulas;
mod parity;
mod properties;
mod quantities;

use counterfoil::pricing::PriceBook;

pub(crate) const SAMPLE: &str = include_str!("../../../config/pricing.toml");

pub(crate) fn book(text: &str) -> PriceBook {
    PriceBook::parse(text, "pricing.toml").unwrap_or_else(|faults| panic!("{faults}"))
}

pub(crate) fn sample() -> PriceBook {
    book(SAMPLE)
}
