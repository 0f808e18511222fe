//! A counterfoil ledger's books, made ready for people: the statement as one HTML page. It uses only counterfoil's public
//! API; the command uses it, and so may an app.

mod page;
pub mod safe;

pub use page::StatementPage;
