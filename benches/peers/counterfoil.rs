//! counterfoil's part of the comparison with PostgreSQL (`benches/peers/run.sh`): so many threads, each charging an account of
//! its own. `peers FILE THREADS SECONDS full|relaxed` prints charges per second.
#![allow(clippy::unwrap_used, clippy::panic, clippy::float_arithmetic, clippy::cast_precision_loss)]

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use counterfoil::{AccountId, Consume, Durability, Key, Ledger, Points, Recharge};

/// Batches of an account, as the others have.
const BATCHES: u64 = 10;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [file, threads, seconds, durability] = words.as_slice() else {
        eprintln!("run benches/peers/run.sh instead");
        return;
    };
    let durability = if durability == "full" { Durability::Full } else { Durability::Relaxed };
    let (threads, length): (u64, _) = (threads.parse().unwrap(), Duration::from_secs_f64(seconds.parse().unwrap()));
    let ledger = Ledger::options().create_if_missing(true).durability(durability).open(Path::new(file)).unwrap();
    let accounts: Vec<AccountId> = (0..threads).map(|n| account(&ledger, n)).collect();
    let began = Instant::now();
    let charges: u64 = thread::scope(|scope| {
        let charging = accounts.iter().map(|account| scope.spawn(|| charge(&ledger, account, began, length)));
        let charging: Vec<_> = charging.collect();
        charging.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("{:.1}", charges as f64 / began.elapsed().as_secs_f64());
    ledger.close().unwrap();
}

fn account(ledger: &Ledger, n: u64) -> AccountId {
    let account = AccountId::new(format!("user {n}")).unwrap();
    for batch in 0..BATCHES {
        let key = Key::new(format!("order:{batch}")).unwrap();
        ledger.recharge(&account, &key, Recharge::new(Points::new(1_000_000_000).unwrap(), "wxpay")).unwrap();
    }
    account
}

fn charge(ledger: &Ledger, account: &AccountId, began: Instant, length: Duration) -> u64 {
    let mut charges = 0;
    while began.elapsed() < length {
        let one = Consume::points(Points::new(1).unwrap()).reference("task 7").description("speech");
        ledger.consume(account, &Key::random(), one).unwrap();
        charges += 1;
    }
    charges
}
