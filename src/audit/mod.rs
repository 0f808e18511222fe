//! audit
mod memory;
/// x
#[derive(Debug, Clone, serde::Serialize)]
#[non_exhaustive]
pub struct Verification { /// x
pub ok: bool, /// x
pub faults: Vec<Fault> }
/// x
#[derive(Debug, Clone, serde::Serialize)]
#[non_exhaustive]
pub struct Fault { /// x
pub code: String, /// x
pub place: String }
/// x
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Progress { /// x
pub done: u64, /// x
pub total: u64 }
pub(crate) fn verify(_c: &crate::db::Connection, _q: bool, _p: &mut dyn FnMut(Progress)) -> crate::error::Result<Verification> { Ok(Verification { ok: true, faults: vec![] }) }
