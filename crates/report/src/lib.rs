//! A counterfoil ledger's books, made ready for people and for other programs: the statement as one HTML page
//! ([`StatementPage`]), and exports ([`Export`]). It uses only counterfoil's public API; the command uses it, and so may an
//! app.

pub mod causes;
mod dates;
mod export;
mod page;
pub mod quantity;
pub mod safe;
pub mod sheet;
mod zone;

pub use dates::json;
pub use export::{BEANCOUNT, CSV, Export, ExportError, FORMATS, Format, HLEDGER, JSONL, View};
pub use page::StatementPage;
pub use zone::zone;
