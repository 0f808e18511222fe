//! Damaged and forged files: whatever is in them, every look ends, nothing panics, and damage is called damage.

mod cycles;
mod forged;
mod long;
mod mutations;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use counterfoil::answer::Verification;
use counterfoil::clock::ManualClock;
use counterfoil::{AccountId, Error, Key, Ledger, Options, Period, Points, Query, Request};

/// Longer than any look at these small files takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// What to look at: accounts and a key that the sound file has.
#[derive(Clone, Copy)]
struct Sights {
    accounts: &'static [&'static str],
    key: &'static str,
    /// Of the operations, every so many-th.
    every: i64,
    now: &'static str,
}

impl Sights {
    fn options(self) -> Options {
        Options::default().clock(Arc::new(ManualClock::at(self.now).unwrap()))
    }

    fn now(self) -> DateTime<Utc> {
        self.now.parse().unwrap()
    }
}

/// Names of the looks with what each came to: `ok`, `faults`, or an error's code.
type Seen = Vec<(String, &'static str)>;

/// Looks at everything in another thread, which must be done in time. The file is used up: connections of a pool end a
/// little later than their ledger, and would meet another file under its name.
fn looks(path: &Path, sights: Sights) -> Seen {
    let (send, receive) = mpsc::channel();
    let path = path.to_path_buf();
    std::thread::spawn(move || {
        let mut eyes = Eyes { seen: Vec::new(), send };
        eyes.all(&path, sights);
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
        }
        let _ = eyes.send.send(Told::Done(eyes.seen));
    });
    let mut now = "open".to_string();
    loop {
        match receive.recv_timeout(DEADLINE) {
            Ok(Told::Begins(name)) => now = name,
            Ok(Told::Done(seen)) => return seen,
            Err(_) => return vec![(now, "endless")],
        }
    }
}

enum Told {
    Begins(String),
    Done(Seen),
}

struct Eyes {
    seen: Seen,
    send: mpsc::Sender<Told>,
}

impl Eyes {
    fn look<T>(&mut self, name: impl Into<String>, look: impl FnOnce() -> Result<T, Error>) -> Option<T> {
        self.judge(name, look, |_| "ok")
    }

    fn judge<T>(
        &mut self,
        name: impl Into<String>,
        look: impl FnOnce() -> Result<T, Error>,
        judge: impl FnOnce(&T) -> &'static str,
    ) -> Option<T> {
        let name = name.into();
        let _ = self.send.send(Told::Begins(name.clone()));
        let (code, answer) = match catch_unwind(AssertUnwindSafe(look)) {
            Ok(Ok(answer)) => (judge(&answer), Some(answer)),
            Ok(Err(error)) => (error.code(), None),
            Err(_) => ("panic", None),
        };
        self.seen.push((name, code));
        answer
    }

    fn all(&mut self, path: &Path, sights: Sights) {
        let proof = |verification: &Verification| if verification.ok { "ok" } else { "faults" };
        let Some(ledger) = self.look("open", || sights.options().read_only(true).open(path)) else { return };
        self.judge("verify", || ledger.verify(), proof);
        self.judge("verify quick", || ledger.verify_quick(), proof);
        let copy = path.with_extension("backup");
        self.look("backup", || ledger.backup(&copy));
        let _ = std::fs::remove_file(&copy);
        self.look("doctor", || Ok(sights.options().diagnose(path)));
        self.file(&ledger, sights);
        for id in sights.accounts {
            self.account(&ledger, &AccountId::new(id).unwrap(), sights.now());
        }
        let last = ledger.info().map_or(60, |info| info.operations.min(1_000_000));
        let step = usize::try_from(sights.every).unwrap();
        for seq in (1..=last).step_by(step).take(200) {
            self.operation(&ledger, seq);
        }
        drop(ledger);
        self.changes(path, sights);
    }

    fn file(&mut self, ledger: &Ledger, sights: Sights) {
        self.look("info", || ledger.info());
        self.look("pricing", || ledger.newest_pricing());
        self.look("expiring", || ledger.expiring(sights.now() + TimeDelta::days(36_500), None));
        self.look("accounts", || ledger.accounts(&Query::new().limit(100_000)));
        self.look("accounts in debt", || ledger.accounts(&Query::new().in_debt(true)));
        self.look("alike", || ledger.accounts_like(&AccountId::new("aa").unwrap(), 3));
        self.look("usage", || ledger.usage(&Query::new().limit(100_000)));
        self.look("find", || ledger.operations_by_key(&Key::new(sights.key).unwrap()));
        self.look("walk", || ledger.walk(None, &Period::all(), |_| Ok::<(), Error>(())));
    }

    fn account(&mut self, ledger: &Ledger, id: &AccountId, now: DateTime<Utc>) {
        let (all, listing) = (Period::all(), Query::new().all(true).limit(100_000));
        let history = Query::new().limit(100_000);
        let past = now - TimeDelta::days(1);
        let since = Period::new(Some("2026-01-03T00:00:00Z".parse().unwrap()), None).unwrap();
        self.look(format!("balance {id}"), || ledger.balance(id));
        self.look(format!("balance then {id}"), || ledger.balance_at(id, past));
        self.look(format!("check {id}"), || ledger.check(id, Points::new(1).unwrap()));
        self.look(format!("holds {id}"), || ledger.holds(id, &listing));
        self.look(format!("history {id}"), || ledger.history(id, &history));
        self.look(format!("history back {id}"), || ledger.history(id, &history.clone().newest_first(true)));
        self.look(format!("statement {id}"), || ledger.statement(id, &all));
        self.look(format!("statement since {id}"), || ledger.statement(id, &since));
        self.look(format!("usage {id}"), || ledger.usage(&Query::new().account(id)));
        self.look(format!("missing {id}"), || ledger.explain_missing(id, &all, 1000));
        self.look(format!("missing since {id}"), || ledger.explain_missing(id, &since, 1000));
        self.look(format!("expiring {id}"), || ledger.expiring(now + TimeDelta::days(36_500), Some(id)));
        let batches = self.look(format!("batches {id}"), || ledger.batches(id, &listing));
        for batch in batches.into_iter().flat_map(|page| page.items).take(8) {
            self.look(format!("batch {}", batch.batch), || ledger.explain_batch(&batch.batch));
        }
    }

    fn operation(&mut self, ledger: &Ledger, seq: i64) {
        let Some(id) = self.look(format!("id {seq}"), || ledger.operation_id(seq)) else { return };
        self.look(format!("operation {seq}"), || ledger.operation(&id));
        self.look(format!("explain {seq}"), || ledger.explain(&id));
        self.look(format!("allocations {seq}"), || ledger.allocations(&id));
    }

    /// Last, for they change the file.
    fn changes(&mut self, path: &Path, sights: Sights) {
        let Some(ledger) = self.look("open to change", || sights.options().open(path)) else { return };
        let line = |line: String| Request::parse(&line).unwrap();
        for id in sights.accounts {
            let lines = [
                format!(r#"{{"op":"consume","account":"{id}","key":"damage","points":1}}"#),
                format!(r#"{{"op":"recharge","account":"{id}","key":"damage","points":2,"source":"s"}}"#),
                format!(r#"{{"op":"hold","account":"{id}","key":"damage","points":1,"deadline_seconds":60}}"#),
                format!(r#"{{"op":"transfer","account":"{id}","key":"damage","points":1,"to":"elsewhere"}}"#),
            ];
            for text in lines {
                self.look(text.clone(), || ledger.apply(&line(text)));
            }
        }
        self.look("expire", || ledger.expire(None));
        self.look("close", || ledger.close());
    }
}

/// Of the rich file of `faults`.
const RICH: Sights =
    Sights { accounts: &["alice", "bob", "carol", "erin"], key: "r1", every: 1, now: "2026-11-13T00:30:00Z" };

/// What may not be: a look that does not end, a panic, or damage that is called something else.
fn unsound(seen: &Seen) -> Vec<String> {
    let wrong = ["endless", "panic", "storage", "disk_full", "read_only", "busy", "outcome_unknown"];
    seen.iter().filter(|(_, code)| wrong.contains(code)).map(|(name, code)| format!("{name}: {code}")).collect()
}

/// `COUNTERFOIL_DAMAGE=1` looks at many more files.
fn long_form() -> bool {
    std::env::var_os("COUNTERFOIL_DAMAGE").is_some()
}
