//! Random books with everything in them, under ids and texts that would like to be syntax.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::model::generate::Random;
use crate::support::{START, World, instant};

pub const ALICE: &str = "alice";
pub const ACCOUNTS: [&str; 9] =
    [ALICE, "X", "x", "a:b  c;d", "Id-x", "🎬 é", "张三", "Other", "(odd) % \" \\ | =5, date:2020-01-01"];
const SOURCES: [&str; 4] = ["wxpay", "alipay", "welcome: gift;  x", "Other"];
const SERVICES: [&str; 4] = ["tts", "video", "any thing: x  y", "Other"];
const TEXTS: [&str; 7] = [
    "subtitles for episode 3",
    "; = 5 PTS, date:2020-01-01",
    "two\nlines\n    Assets:Gold  5 PTS",
    "\"quoted\" \\n back\\slash",
    "💸 \u{202e}desrever\u{200d} | bar",
    "=1+1",
    "2026-11-22 * \"x\" \"y\"",
];

/// A ledger under way.
pub struct History {
    pub world: World,
    pub now: DateTime<Utc>,
    random: Random,
    steps: u64,
    consumes: Vec<String>,
    holds: Vec<String>,
    batches: Vec<String>,
}

impl History {
    pub fn new(seed: u64, steps: u64) -> History {
        let (consumes, holds, batches) = (Vec::new(), Vec::new(), Vec::new());
        let (world, now) = (World::empty(), instant(START));
        let mut history = History { world, now, random: Random::new(seed), steps: 0, consumes, holds, batches };
        for _ in 0..steps {
            history.step();
        }
        // Something has fallen due since and is not booked.
        history.wait(TimeDelta::days(9));
        history
    }

    fn wait(&mut self, time: TimeDelta) {
        self.now += time;
        self.world.clock.set(self.now);
    }

    /// Lets some time pass and does something, or is refused.
    pub fn step(&mut self) {
        let time = match self.random.range(1, 20) {
            1..=8 => TimeDelta::milliseconds(self.random.range(0, 20_000_000)),
            9 => TimeDelta::days(self.random.range(1, 8)),
            _ => TimeDelta::zero(),
        };
        self.wait(time);
        self.steps += 1;
        let mut line = self.line();
        if line.is_null() {
            self.world.ledger.expire(None).unwrap();
            return;
        }
        line["key"] = json!(format!("k{}", self.steps));
        if self.random.percent(40) {
            line["description"] = json!(self.random.pick(&TEXTS));
            line["reference"] = json!("task, 19; x");
            line["actor"] = json!(self.random.pick(&ACCOUNTS));
            line["metadata"] = json!({"note": self.random.pick(&TEXTS), "n": 1});
        }
        let Ok(receipt) = self.world.apply(&line) else { return };
        if let "consume" | "capture" = receipt.op.as_str() {
            self.consumes.push(receipt.operation.to_string());
        }
        self.batches.extend(receipt.batch.iter().chain(&receipt.batches).map(|made| made.batch.to_string()));
        self.holds.extend(receipt.hold.map(|hold| hold.id.to_string()));
    }

    /// What to ask for; null is a sweep.
    fn line(&mut self) -> Value {
        let random = &mut self.random;
        let (account, to) = (*random.pick(&ACCOUNTS), *random.pick(&ACCOUNTS));
        let points = random.range(1, 60);
        let service = random.pick(&SERVICES);
        let mut pick = |from: &[String]| match from.is_empty() {
            true => crate::support::NOBODY.to_string(),
            false => random.pick(&from[from.len().saturating_sub(12)..]).clone(),
        };
        let (consume, hold, batch) = (pick(&self.consumes), pick(&self.holds), pick(&self.batches));
        match random.range(1, 100) {
            1..=24 => self.recharge(account, points),
            25..=44 if points % 3 == 0 => json!({"op": "consume", "account": account, "points": points}),
            25..=44 => json!({"op": "consume", "account": account, "points": points, "service": service}),
            45..=56 => {
                let seconds = random.range(60, 80_000);
                json!({"op": "hold", "account": account, "points": points / 3 + 1, "service": service, "deadline_seconds": seconds})
            }
            57..=65 => json!({"op": "capture", "hold": hold, "points": points / 2}),
            66..=69 => json!({"op": "release", "hold": hold}),
            70..=77 => {
                json!({"op": "refund", "operation": consume, "points": points / 4 + 1, "reason": "failed; sorry"})
            }
            78..=84 => {
                let shortfall = random.pick(&["debt", "clamp"]);
                json!({"op": "revoke", "batch": batch, "points": "all", "shortfall": shortfall, "reason": "chargeback"})
            }
            85..=90 => json!({"op": "transfer", "account": account, "to": to, "points": points / 3 + 1}),
            91..=93 => json!({"op": "write_off", "account": account, "points": points / 6 + 1, "reason": "goodwill"}),
            94..=96 => json!({"op": "set_expiry", "batch": batch, "expires_in_days": points, "reason": "goodwill"}),
            97 => json!({"op": "freeze", "account": account, "reason": "asked"}),
            98 => json!({"op": "unfreeze", "account": account, "reason": "asked"}),
            _ => Value::Null,
        }
    }

    fn recharge(&mut self, account: &str, points: i64) -> Value {
        let source = self.random.pick(&SOURCES);
        let mut line = json!({"op": "recharge", "account": account, "points": points * 2, "source": source});
        match self.random.range(1, 4) {
            1 => line["expires_at"] = json!("never"),
            part => {
                line["expires_in_days"] = json!(self.random.range(10, 30));
                if part == 2 {
                    line["rollover"] =
                        json!({"cap": self.random.range(1, 60), "expires_in_days": self.random.range(1, 20)});
                }
            }
        }
        line["promo"] = json!(self.random.percent(30));
        if self.random.percent(25) {
            let days = self.random.range(1, 9);
            line["effective_at"] = json!((self.now + TimeDelta::days(days)).to_rfc3339());
        }
        line
    }
}
