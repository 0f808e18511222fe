//! Explanations: every sum in them adds up, over situations made on purpose and over random histories.

pub mod causes;
mod operations;
mod random;
