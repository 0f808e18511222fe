//! Explanations: every sum in them adds up, over situations made on purpose and over random histories.

mod causes;
mod operations;
mod random;
