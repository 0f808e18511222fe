//! Statements, usage and filtered lists, over random histories: every sum is made again from the lines, and every balance is
//! asked for in another way.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use counterfoil::answer::{Balances, Figures, Totals};
use counterfoil::report::{Statement, StatementStep, UsageLine};
use counterfoil::{AccountId, Balance, Entry, Ledger, Page, Period, Points, Query};
use counterfoil_report::{BEANCOUNT, Export, Format, HLEDGER, JSONL, View};
use serde_json::{Value, json};

use crate::model::generate::Random;
use crate::support::World;

const ACCOUNTS: [&str; 3] = ["alice", "bob", "çara"];

/// A history made at random through the public API, with what it made to come back to.
struct Life {
    world: World,
    random: Random,
    charges: Vec<String>,
    holds: Vec<String>,
    batches: Vec<String>,
    booked: usize,
}

impl Life {
    fn of(seed: u64) -> Life {
        let mut life = Life {
            world: World::empty(),
            random: Random::new(seed),
            charges: Vec::new(),
            holds: Vec::new(),
            batches: Vec::new(),
            booked: 0,
        };
        life.book(json!({"op": "configure", "setting": "late_window", "value": 3600}));
        for _ in 0..120 {
            life.step();
        }
        life
    }

    fn book(&mut self, mut line: Value) {
        line["key"] = json!(format!("k{}", self.booked));
        self.booked += 1;
        // What the rules refuse is part of a life.
        let Ok(receipt) = self.world.apply(&line) else { return };
        if ["consume", "capture"].contains(&receipt.op.as_str()) {
            self.charges.push(receipt.operation.to_string());
        }
        self.holds.extend(receipt.hold.filter(|_| receipt.op == "hold").map(|hold| hold.id.to_string()));
        self.batches.extend(receipt.batch.iter().chain(&receipt.batches).map(|made| made.batch.to_string()));
    }

    fn one_of(&mut self, ids: &[String]) -> Value {
        // Mostly a recent one: what is old is mostly over.
        let from = if self.random.percent(70) { ids.len().saturating_sub(4) } else { 0 };
        if ids.is_empty() { json!("op:999999") } else { json!(self.random.pick(&ids[from..])) }
    }

    fn step(&mut self) {
        let account = *self.random.pick(&ACCOUNTS);
        let points = self.random.range(1, 40);
        let (charges, holds, batches) = (self.charges.clone(), self.holds.clone(), self.batches.clone());
        let (charge, hold, batch) = (self.one_of(&charges), self.one_of(&holds), self.one_of(&batches));
        let amount = if self.random.percent(40) { json!("all") } else { json!(points / 2 + 1) };
        let line = match self.random.range(0, 23) {
            0..=3 => self.recharge(account, points),
            4..=8 => self.consume(account, points),
            9..=10 => json!({"op": "hold", "account": account, "points": points, "service": "tts",
                "deadline_seconds": self.random.range(60, 7200)}),
            11 => json!({"op": "capture", "hold": hold, "points": self.random.range(0, points)}),
            12 => json!({"op": "capture", "hold": hold, "seconds": format!("{points}.25")}),
            13 => json!({"op": "release", "hold": hold}),
            14..=15 => json!({"op": "refund", "operation": charge, "points": amount, "reason": "failed"}),
            16 => json!({"op": "revoke", "batch": batch, "points": amount, "reason": "chargeback"}),
            17 => json!({"op": "revoke", "batch": batch, "points": amount, "reason": "mistake", "shortfall": "clamp"}),
            18 => {
                json!({"op": "set_expiry", "batch": batch, "expires_in_days": self.random.range(1, 3), "reason": "goodwill"})
            }
            19 => {
                json!({"op": "transfer", "account": account, "to": *self.random.pick(&ACCOUNTS), "points": points / 3 + 1})
            }
            20 => json!({"op": "write_off", "account": account, "points": points / 4 + 1, "reason": "goodwill"}),
            21 => return self.world.advance(self.random.range(1, 30) as u64 * 3600),
            22 => return self.world.advance(self.random.range(1, 600) as u64),
            _ => {
                self.world.ledger.expire(None).unwrap();
                return;
            }
        };
        self.book(line);
    }

    fn recharge(&mut self, account: &str, points: i64) -> Value {
        let mut line = json!({"op": "recharge", "account": account, "points": points * 2,
            "source": *self.random.pick(&["wxpay", "gift"]), "reference": format!("order-{}", points % 3)});
        match self.random.range(0, 3) {
            0 => line["expires_at"] = json!("never"),
            days => line["expires_in_days"] = json!(days),
        }
        if self.random.percent(25) {
            line["effective_at"] = json!((self.now() + TimeDelta::hours(self.random.range(1, 12))).to_rfc3339());
        }
        line
    }

    fn consume(&mut self, account: &str, points: i64) -> Value {
        let mut line = match self.random.range(0, 4) {
            0 => json!({"service": "tts", "seconds": format!("{points}.5")}),
            1 => json!({"service": "llm_tokens", "quantity": points * 100}),
            2 => json!({"service": "subtitle_preview"}),
            _ => json!({"points": points, "description": format!("Job {}", points % 4)}),
        };
        (line["op"], line["account"]) = (json!("consume"), json!(account));
        line["policy"] = json!(*self.random.pick(&["postpaid", "postpaid", "strict", "up_to"]));
        line["reference"] = json!(format!("task-{}", points % 5));
        if self.random.percent(20) {
            line["occurred_at"] = json!((self.now() - TimeDelta::minutes(self.random.range(0, 90))).to_rfc3339());
        }
        line
    }

    fn now(&self) -> DateTime<Utc> {
        counterfoil::clock::Clock::now(&self.world.clock)
    }

    fn statement(&self, account: &str, period: &Period) -> Statement {
        self.world.ledger.statement(&AccountId::new(account).unwrap(), period).unwrap()
    }

    /// Instants at which something happened, just before and after, and others.
    fn instants(&mut self, lines: &[Entry]) -> Vec<DateTime<Utc>> {
        let mut found: Vec<DateTime<Utc>> = (0..6)
            .filter_map(|_| lines.get(self.random.range(0, lines.len().max(1) as i64 - 1) as usize))
            .map(|entry| entry.booked_at)
            .collect();
        found.extend(found.clone().iter().map(|at| *at + TimeDelta::milliseconds(1)));
        found.push(self.now() - TimeDelta::minutes(self.random.range(0, 10_000)));
        found.push(self.now() + TimeDelta::days(1));
        found.sort();
        found.dedup();
        found
    }
}

fn four(four: &Balances) -> [i64; 4] {
    [four.available, four.held, four.pending, four.debt]
}

fn of(figures: &Figures) -> [i64; 4] {
    [figures.available, figures.held, figures.pending, figures.debt].map(Points::get)
}

fn sum<const N: usize>(parts: impl Iterator<Item = [i64; N]>) -> [i64; N] {
    parts.fold([0; N], |sum, part| std::array::from_fn(|at| sum[at] + part[at]))
}

fn causes(totals: &Totals) -> [i64; 10] {
    let Totals { recharged, consumed, refunded, expired, reinstated, .. } = *totals;
    let Totals { revoked, clawed_back, written_off, moved_in, moved_out, .. } = *totals;
    [recharged, consumed, refunded, expired, reinstated, revoked, clawed_back, written_off, moved_in, moved_out]
}

/// The accounts of a journal that stand for totals.
const POSTED: [&str; 6] = ["Recharged", "Consumed", "Expired", "Revoked", "WrittenOff", "Transfers"];

/// What the holder's journal has to come to in each.
fn kept(totals: &Totals) -> [i64; 6] {
    [
        -totals.recharged,
        totals.consumed - totals.refunded,
        totals.expired - totals.reinstated,
        totals.revoked + totals.clawed_back,
        -totals.written_off,
        totals.moved_out - totals.moved_in,
    ]
}

fn export(ledger: &Ledger, format: Format, account: &AccountId) -> String {
    let mut text = Vec::new();
    Export::new(format).view(View::Holder).account(account.clone()).write(ledger, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// What the postings of an account's journal come to.
fn posted(ledger: &Ledger, format: Format, account: &AccountId) -> [i64; 6] {
    let text = export(ledger, format, account);
    let postings = text.lines().filter(|line| line.starts_with(' ') && line.contains(" PTS")).map(|line| {
        let mut words = line.split_whitespace();
        let (name, points) = (words.next().unwrap(), words.next().unwrap().parse::<i64>().unwrap());
        POSTED.map(|part| if name.split(':').any(|of| of == part) { points } else { 0 })
    });
    sum(postings)
}

fn used(lines: &[UsageLine]) -> i64 {
    lines.iter().map(|line| line.points - line.refunded).sum()
}

/// What holds of every statement.
fn adds_up(life: &Life, statement: &Statement, place: &str) {
    let changes = sum(statement.lines.iter().map(|line| four(&line.change)));
    assert_eq!(of(&statement.closing), sum([of(&statement.opening), changes].into_iter()), "{place}: closing");
    if let Some(last) = statement.lines.last() {
        assert_eq!(of(&statement.closing), four(&last.after), "{place}: last line");
    }
    for figures in [&statement.opening, &statement.closing] {
        assert_eq!(figures.net, figures.available.get() - figures.debt.get(), "{place}: net");
    }
    let totals = &statement.totals;
    let used_points = totals.consumed - totals.refunded;
    let [available, held, pending, debt] = changes;
    let gone = totals.expired - totals.reinstated + totals.revoked + totals.clawed_back + totals.moved_out;
    let came = totals.recharged + totals.moved_in + totals.written_off - used_points - gone;
    assert_eq!(available + held + pending - debt, came, "{place}: {totals:?}");
    assert_eq!(sum(statement.by_kind.iter().map(|kind| four(&kind.change))), changes, "{place}: kinds");
    assert_eq!(statement.by_kind.iter().map(|kind| kind.lines).sum::<i64>(), statement.lines.len() as i64, "{place}");
    assert_eq!(used(&statement.usage), used_points, "{place}: usage {:?}", statement.usage);
    // The balance an instant before, read in another way. What has not come yet is as it is now.
    let balance_before = |at: DateTime<Utc>| {
        let (ledger, account) = (&life.world.ledger, &statement.account);
        let balance = match at <= statement.as_of {
            true => ledger.balance_at(account, at - TimeDelta::milliseconds(1)),
            false => ledger.balance(account),
        };
        of(&balance.unwrap().figures)
    };
    assert_eq!(of(&statement.opening), statement.from.map_or([0; 4], balance_before), "{place}: opening");
    let closing = balance_before(statement.to.unwrap_or(DateTime::<Utc>::MAX_UTC));
    assert_eq!(of(&statement.closing), closing, "{place}: closing balance");
}

/// A place to find a failure by.
fn lives(count: u64, check: impl Fn(&mut Life, u64)) {
    for seed in 0..count {
        check(&mut Life::of(seed), seed);
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

/// A customer was sent September's statement twice: the second one, made in November, showed November's batches and a
/// frozen account. What a period was like at its end is told alike whenever it is asked for; only who books what time did
/// may have come since.
#[test]
fn a_period_that_is_over_stays_as_it_was() {
    let told = |statement: &Statement| {
        let mut told = serde_json::to_value(statement).unwrap();
        told.as_object_mut().unwrap().retain(|name, _| name != "as_of");
        told["lines"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .for_each(|line| drop(line.as_object_mut().unwrap().remove("unbooked")));
        told
    };
    let mut reached = std::collections::BTreeSet::new();
    for seed in 0..16 {
        let mut life = Life::of(seed);
        let mut made = Vec::new();
        for step in 0..60 {
            life.step();
            let (account, end) = (ACCOUNTS[step % ACCOUNTS.len()], life.now());
            let op = if step % 10 < 5 { "freeze" } else { "unfreeze" };
            if step % 5 == 4 {
                life.book(json!({"op": op, "account": account, "reason": "asked"}));
            }
            let period = Period::new((step % 2 == 0).then(|| end - TimeDelta::days(2)), Some(end)).unwrap();
            // One that nobody has opened yet has none.
            if let Ok(statement) = life.world.ledger.statement(&AccountId::new(account).unwrap(), &period) {
                made.push((account, period, told(&statement)));
            }
        }
        for (account, period, then) in made {
            let now = told(&life.statement(account, &period));
            for (name, now) in now.as_object().unwrap() {
                let (now, then) = (list(now), list(&then[name]));
                let differ = now.iter().zip(&then).find(|(now, then)| now != then);
                assert_eq!(differ, None, "seed {seed}, {account} until {:?}: {name}", period.end());
                assert_eq!(now.len(), then.len(), "seed {seed}, {account} until {:?}: {name}", period.end());
            }
            let present = life.statement(account, &Period::all());
            reached.insert(("batches", json!(present.batches) != then["batches"]));
            reached.insert(("state", json!(present.state) != then["state"]));
        }
    }
    assert_eq!(reached.len(), 4, "batches and states changed afterwards, or did not: {reached:?}");
}

/// What is handed over line by line is the statement.
#[test]
fn a_statement_in_steps_is_the_same() {
    lives(6, |life, seed| {
        let (mut head, mut lines, mut read) = (None, Vec::new(), 0);
        let alice = AccountId::new("alice").unwrap();
        let ledger = life.world.ledger.clone();
        let stop = ledger.statement_steps(&alice, &Period::all(), |step| {
            match step {
                StatementStep::Reading { done, .. } => read = done,
                StatementStep::Head(told) => head = Some(*told),
                StatementStep::Line(line) => {
                    lines.push(line.entry);
                    // What is booked meanwhile is not in it.
                    life.world.must(
                        "meanwhile",
                        &json!({"op": "open", "account": "alice", "key": format!("m{}", lines.len())}).to_string(),
                    );
                }
                _ => {}
            }
            Ok::<(), counterfoil::Error>(())
        });
        stop.unwrap();
        let Some(mut told) = head else { return };
        assert_eq!(read, lines.len() as i64, "seed {seed}");
        told.lines = lines;
        adds_up(life, &told, &format!("seed {seed}, in steps"));
    });
}

#[test]
fn statements_add_up() {
    let reached = std::cell::RefCell::new(BTreeMap::<&'static str, i64>::new());
    lives(24, |life, seed| {
        for account in ACCOUNTS {
            let all = life.statement(account, &Period::all());
            adds_up(life, &all, &format!("seed {seed}, {account}, all"));
            all.by_kind
                .iter()
                .for_each(|kind| *reached.borrow_mut().entry(kind.kind.as_str()).or_default() += kind.lines);
            *reached.borrow_mut().entry("unbooked").or_default() +=
                all.lines.iter().filter(|line| line.unbooked).count() as i64;
            let totals = life.world.ledger.balance(&all.account).unwrap().totals.unwrap_or_default();
            // One vocabulary, one set of sums: a balance had consumed 331 and refunded 30 where the explanation had spent 320
            // and given back 19, and the statement used 301.
            let missing = life.world.ledger.explain_missing(&all.account, &Period::all(), 1000).unwrap();
            for (whose, told) in [("statement", &all.totals), ("explain", &missing.totals)] {
                assert_eq!(causes(told), causes(&totals), "seed {seed}, {account}: {whose} and balance");
            }
            let exported = [BEANCOUNT, HLEDGER].map(|format| posted(&life.world.ledger, format, &all.account));
            assert_eq!(exported, [kept(&totals); 2], "seed {seed}, {account}: exports and balance");
            let lines = export(&life.world.ledger, JSONL, &all.account);
            let lines = lines.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap().totals().unwrap());
            assert_eq!(
                sum(lines.map(|line| causes(&line))),
                causes(&totals),
                "seed {seed}, {account}: entries exported"
            );

            // A period that begins later than now is refused.
            let (now, edges) = (life.now(), life.instants(&all.lines));
            let mut edges: Vec<Option<DateTime<Utc>>> = edges.into_iter().filter(|at| *at <= now).map(Some).collect();
            edges.insert(0, None);
            edges.push(None);
            let pieces: Vec<Statement> =
                edges.windows(2).map(|edge| life.statement(account, &Period::new(edge[0], edge[1]).unwrap())).collect();
            for (number, piece) in pieces.iter().enumerate() {
                adds_up(life, piece, &format!("seed {seed}, {account}, {:?} to {:?}", piece.from, piece.to));
                let next = pieces.get(number + 1).map_or(all.closing, |next| next.opening);
                assert_eq!(piece.closing, next, "seed {seed}, {account}: {:?} does not chain", piece.to);
            }
            assert_eq!(
                sum(pieces.iter().map(|piece| causes(&piece.totals))),
                causes(&all.totals),
                "seed {seed}, {account}"
            );
            let lines: Vec<&Entry> = pieces.iter().flat_map(|piece| &piece.lines).collect();
            assert_eq!(json!(lines), json!(all.lines), "seed {seed}, {account}: pieces and whole");
        }
    });
    let reached = reached.into_inner();
    for kind in [
        "recharge",
        "consume",
        "hold",
        "capture",
        "release",
        "refund",
        "revoke",
        "set_expiry",
        "transfer_out",
        "write_off",
        "transfer_in",
        "settle",
        "expire",
        "activate",
        "hold_expire",
        "clawback",
        "unbooked",
    ] {
        assert!(reached.get(kind).is_some_and(|lines| *lines >= 3), "{kind} was hardly ever met: {reached:?}");
    }
}

fn every<T>(page: impl Fn(Option<String>) -> counterfoil::Result<Page<T>>) -> Vec<T> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let found = page(cursor).unwrap();
        all.extend(found.items);
        cursor = found.next;
        if cursor.is_none() {
            return all;
        }
    }
}

#[test]
fn usage_is_what_the_statements_say() {
    let east = FixedOffset::east_opt(8 * 3600).unwrap();
    lives(12, |life, seed| {
        let ledger = &life.world.ledger;
        let middle = life.now() - TimeDelta::hours(30);
        for period in
            [Period::all(), Period::new(None, Some(middle)).unwrap(), Period::new(Some(middle), None).unwrap()]
        {
            let statements = ACCOUNTS.map(|account| life.statement(account, &period));
            let wanted: i64 =
                statements.iter().map(|statement| statement.totals.consumed - statement.totals.refunded).sum();
            let base = Query::new().within(period);
            for query in [base.clone(), base.clone().by_day(east), base.clone().by_month(east)] {
                let (whole, each) = (ledger.usage(&query).unwrap(), query.clone().per_account(true).limit(1));
                let after = |cursor: Option<String>| cursor.into_iter().fold(each.clone(), Query::after);
                let each = every(|cursor| ledger.usage(&after(cursor)));
                assert!(whole.next.is_none());
                assert_eq!((used(&whole.items), used(&each)), (wanted, wanted), "seed {seed}: {query:?}");
                assert_eq!(
                    whole.items.iter().map(|line| line.uses).sum::<i64>(),
                    each.iter().map(|line| line.uses).sum::<i64>()
                );
            }
            for statement in &statements {
                let mut own = ledger.usage(&base.clone().account(&statement.account)).unwrap();
                for line in &mut own.items {
                    assert_eq!(line.account.take().as_ref(), Some(&statement.account));
                }
                assert_eq!(own.items, statement.usage, "seed {seed}, {}", statement.account);
            }
            // By hand, from the lines.
            let mut by_day: BTreeMap<String, i64> = BTreeMap::new();
            for line in statements.iter().flat_map(|statement| &statement.lines) {
                let day = line.booked_at.with_timezone(&east).date_naive().to_string();
                match line.kind.as_str() {
                    "consume" | "capture" => *by_day.entry(day).or_default() += line.points.get(),
                    "refund" => *by_day.entry(day).or_default() -= line.points.get(),
                    _ => {}
                }
            }
            let mut told: BTreeMap<String, i64> = BTreeMap::new();
            for line in ledger.usage(&base.clone().by_day(east)).unwrap().items {
                *told.entry(line.period.unwrap()).or_default() += line.points - line.refunded;
            }
            by_day.retain(|_, points| *points != 0);
            told.retain(|_, points| *points != 0);
            assert_eq!(told, by_day, "seed {seed}");
        }
    });
}

#[test]
fn filters_give_what_fits_and_nothing_else() {
    lives(12, |life, seed| {
        let ledger = &life.world.ledger;
        for account in ACCOUNTS {
            let id = AccountId::new(account).unwrap();
            let all = life.statement(account, &Period::all()).lines;
            let operation = all.iter().filter_map(|line| line.operation).nth(all.len() / 3);
            type Fits = Box<dyn Fn(&Entry) -> bool>;
            let mut asked: Vec<(Query, Fits)> = vec![
                (Query::new().service("tts"), Box::new(|e| e.service.as_deref() == Some("tts"))),
                (Query::new().reference("task-3"), Box::new(|e| e.reference.as_deref() == Some("task-3"))),
                (Query::new().source("gift"), Box::new(|e| e.source.as_deref() == Some("gift"))),
                (Query::new().description("JOB 2"), Box::new(|e| e.description.as_deref() == Some("Job 2"))),
                (
                    Query::new().kind("consume").service("llm_tokens").reference("task-1"),
                    Box::new(|e| {
                        e.service.as_deref() == Some("llm_tokens") && e.reference.as_deref() == Some("task-1")
                    }),
                ),
                (Query::new().service("nothing"), Box::new(|_| false)),
            ];
            if let Some(operation) = operation {
                let query = Query::new().operation(operation);
                asked.push((query, Box::new(move |e| e.operation == Some(operation))));
            }
            for (query, fits) in asked {
                for (newest, size) in [(false, 2), (true, 3), (false, 1000)] {
                    let query = query.clone().newest_first(newest).limit(size);
                    let after = |cursor: Option<String>| cursor.into_iter().fold(query.clone(), Query::after);
                    let found = every(|cursor| ledger.history(&id, &after(cursor)));
                    let mut wanted: Vec<&Entry> = all.iter().filter(|entry| fits(entry)).collect();
                    if newest {
                        wanted.reverse();
                    }
                    assert_eq!(json!(found), json!(wanted), "seed {seed}, {account}: {query:?}");
                }
            }
        }
        let everybody = every(|_| ledger.accounts(&Query::new()));
        let soon = life.now() + TimeDelta::hours(20);
        let expiring = |id: &AccountId| !ledger.expiring(soon, Some(id)).unwrap().is_empty();
        type Fits<'f> = Box<dyn Fn(&Balance) -> bool + 'f>;
        let asked: Vec<(Query, Fits<'_>)> = vec![
            (Query::new().in_debt(true), Box::new(|b| b.figures.debt > 0)),
            (Query::new().expiring(soon), Box::new(|b| expiring(&b.account))),
            (Query::new().matching("*a*"), Box::new(|b| b.account.as_str() != "bob")),
            (Query::new().state("frozen").state("closed"), Box::new(|_| false)),
            (Query::new().state("active").matching("?ob"), Box::new(|b| b.account.as_str() == "bob")),
        ];
        for (query, fits) in asked {
            let query = query.limit(1);
            let after = |cursor: Option<String>| cursor.into_iter().fold(query.clone(), Query::after);
            let found = every(|cursor| ledger.accounts(&after(cursor)));
            let wanted: Vec<&Balance> = everybody.iter().filter(|balance| fits(balance)).collect();
            assert_eq!(json!(found), json!(wanted), "seed {seed}: {query:?}");
        }
    });
}

/// Usage by hand: exact sums, units, refunds with their service, releases that are no use, days that begin elsewhere.
#[test]
fn usage_is_exact() {
    let mut world = World::empty();
    world.must("", r#"{"op":"recharge","account":"alice","key":"1","points":500,"source":"wxpay"}"#);
    world.must("", r#"{"op":"consume","account":"alice","key":"2","service":"tts","seconds":"61.2"}"#);
    world.must("undone", r#"{"op":"consume","account":"alice","key":"3","service":"tts","seconds":"0.1"}"#);
    world.must("", r#"{"op":"consume","account":"alice","key":"4","service":"subtitle_preview"}"#);
    world.must("", r#"{"op":"consume","account":"alice","key":"5","service":"llm_tokens","quantity":1500}"#);
    world.must("", r#"{"op":"consume","account":"alice","key":"6","points":7}"#);
    world.must("job", r#"{"op":"hold","account":"alice","key":"7","points":9,"service":"tts","deadline_seconds":60}"#);
    world.must("", r#"{"op":"capture","hold":"@job","key":"8","points":0}"#);
    // The ledger begins at noon: four hours later it is the next day in Shanghai.
    world.advance(4 * 3600);
    world.must("", r#"{"op":"refund","operation":"@undone","key":"9","points":"all","reason":"failed"}"#);
    world.must("", r#"{"op":"consume","account":"bob","key":"9","points":2,"service":"tts","seconds":"0.3"}"#);

    let usage = |query: Query| json!(world.ledger.usage(&query).unwrap().items);
    assert_eq!(
        usage(Query::new()),
        json!([
            {"service": "tts", "unit": "second", "uses": 3, "quantity": "61.6", "points": 24, "refunded": 1},
            {"uses": 1, "points": 7},
            {"service": "llm_tokens", "unit": "token", "uses": 1, "quantity": "1500", "points": 6},
            {"service": "subtitle_preview", "uses": 1, "points": 0},
        ])
    );
    let east = FixedOffset::east_opt(8 * 3600).unwrap();
    let later = Period::new(Some(crate::support::instant("2027-01-10T16:00:00Z")), None).unwrap();
    assert_eq!(
        usage(Query::new().by_day(east).within(later).per_account(true)),
        json!([
            {"account": "alice", "period": "2027-01-11", "service": "tts", "unit": "second", "uses": 0, "points": 0, "refunded": 1},
            {"account": "bob", "period": "2027-01-11", "service": "tts", "unit": "second", "uses": 1, "quantity": "0.3", "points": 2},
        ])
    );
    let months = usage(Query::new().by_month(east));
    assert!(months.as_array().unwrap().iter().all(|line| line["period"] == "2027-01"), "{months}");
}

/// A filter that fits little of a long history must not hold the reader up: the page ends, and says where to go on.
#[test]
fn a_rare_line_is_found_page_by_page() {
    let world = World::empty();
    let lines = |from: i64, count: i64, reference: &str| {
        let mut run = world.ledger.batch_run();
        for n in from..from + count {
            let line =
                json!({"op": "consume", "account": "alice", "key": n.to_string(), "points": 1, "reference": reference});
            run.apply(1, &counterfoil::Request::parse(&line.to_string()).unwrap()).unwrap();
        }
    };
    lines(0, 10_010, "common");
    lines(10_010, 1, "rare");
    let alice = AccountId::new("alice").unwrap();
    let rare = Query::new().reference("rare").limit(5);
    let first = world.ledger.history(&alice, &rare).unwrap();
    assert!(first.items.is_empty());
    assert_eq!(first.next.as_deref(), Some("10000"));
    let second = world.ledger.history(&alice, &rare.clone().after(first.next.unwrap())).unwrap();
    assert_eq!((second.items.len(), second.next), (1, None));
    let newest = world.ledger.history(&alice, &rare.newest_first(true).limit(1)).unwrap();
    assert_eq!((newest.items.len(), newest.next.is_some()), (1, true));
    // Lines that fit end a page by its limit alone.
    let common = Query::new().reference("common").limit(20_000);
    assert_eq!(world.ledger.history(&alice, &common).unwrap().items.len(), 10_010);
}

/// A charge on credit, paid since by points that became effective while nobody wrote: its operation still named it open, and
/// nobody as its payer, when the balance beside it was free of debt.
#[test]
fn an_operation_is_told_as_time_has_made_it() {
    let mut world = World::empty();
    let used = world.must("", r#"{"op":"consume","account":"alice","key":"1","points":30}"#);
    let line =
        r#"{"op":"recharge","account":"alice","key":"2","points":50,"source":"wxpay","effective_at":"EFFECTIVE"}"#;
    let effective = (used.booked_at + TimeDelta::hours(1)).to_rfc3339();
    let batch = world.must("", &line.replace("EFFECTIVE", &effective)).batch.unwrap().batch;
    let told = || {
        let (info, paid_by) =
            (world.ledger.operation(&used.operation).unwrap(), world.ledger.allocations(&used.operation).unwrap());
        (info.open_now, info.refundable, paid_by.iter().map(|paid| (paid.batch, paid.points)).collect::<Vec<_>>())
    };
    let some = |n| Some(Points::new(n).unwrap());
    assert_eq!(told(), (some(30), some(30), vec![]));
    world.advance(3600);
    assert_eq!(told(), (some(0), some(30), vec![(batch, some(30).unwrap())]));
}
