//! A creator's project, charged point by point: script, speech, video, a failed job, a refund, points running out.
//!
//! ```text
//! cargo run --example desktop_creator                    # keeps its books in target/desktop_creator.ledger
//! cargo run --example desktop_creator -- my.ledger       # or where you say
//! ```
//!
//! Run it twice. Every key is made of an order or a task id, so the second run finds everything booked already and
//! charges nothing again. The jobs are pretended: how long each took is written down here.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use counterfoil::answer::{Figures, Held};
use counterfoil::{
    AccountId, Consume, ExpiresIn, Hold, Key, Ledger, Notice, OperationId, Points, Policy, Query, Receipt, Recharge,
    Refund, Release, Usage, Watch,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const PRICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/pricing.toml");
const HOUR: Duration = Duration::from_secs(3600);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("desktop_creator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let path = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("target/desktop_creator.ledger"), PathBuf::from);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let ledger = Ledger::options().create_if_missing(true).pricing_file(PRICES).open(&path)?;
    let watch = ledger.watch()?;
    let mut project = Project { me: AccountId::new("local-user")?, ledger, booked: 0, replayed: 0 };
    let (length, before) = (project.ledger.info()?.operations, project.balance()?);
    project.welcome(&path, length);

    project.buy_points()?;
    project.write_script()?;
    project.speak()?;
    let video = project.make_video()?;
    project.mend(&video)?;
    project.speak_chapters()?;
    project.run_out()?;

    project.show_books()?;
    project.prove(length, before)?;
    project.refresh(watch)?;
    project.ledger.close()?;
    Ok(())
}

struct Project {
    ledger: Ledger,
    me: AccountId,
    booked: i64,
    replayed: i64,
}

impl Project {
    fn balance(&self) -> Result<Figures> {
        Ok(self.ledger.balance(&self.me)?.figures)
    }

    fn welcome(&self, path: &Path, length: i64) {
        println!("The ledger is {}.", path.display());
        match length {
            0 => println!("It is new: this run books the whole project."),
            _ => println!("It holds {length} operations already: what they booked is replayed, not charged again."),
        }
    }

    /// One line of the story for one receipt, with the balance it left.
    fn tell(&mut self, what: &str, receipt: &Receipt) {
        let Figures { available, held, debt, .. } = receipt.balance;
        let mut left = format!("{available} left");
        if held > 0 {
            left += &format!(", {held} held");
        }
        if debt > 0 {
            left += &format!(", debt {debt}");
        }
        println!("  {what:<58} {:>4}   {left}{}", receipt.points, self.count(receipt));
    }

    fn count(&mut self, receipt: &Receipt) -> &'static str {
        if receipt.replayed {
            self.replayed += 1;
            "   (replayed)"
        } else {
            self.booked += 1;
            ""
        }
    }

    fn buy_points(&mut self) -> Result<()> {
        println!("\nPoints");
        let order = Recharge::new(Points::new(320)?, "wxpay").reference("order wx-881");
        let receipt = self.ledger.recharge(&self.me, &Key::new("order:wx-881")?, order)?;
        self.tell("order wx-881, paid", &receipt);
        let gift = Recharge::new(Points::new(50)?, "gift").expires(ExpiresIn::Months(1)).description("welcome gift");
        let receipt = self.ledger.recharge(&self.me, &Key::new("gift:welcome")?, gift)?;
        self.tell("welcome gift for a month: it will be spent first", &receipt);
        Ok(())
    }

    fn write_script(&mut self) -> Result<()> {
        println!("\nScript");
        let script = Consume::fixed("script_generation").policy(Policy::Strict).reference("task 1");
        let receipt = self.ledger.consume(&self.me, &Key::new("task:1")?, script)?;
        self.tell("task 1, script: a fixed price", &receipt);
        let preview = Consume::fixed("subtitle_preview").reference("task 2");
        let receipt = self.ledger.consume(&self.me, &Key::new("task:2")?, preview)?;
        self.tell("task 2, subtitle preview: free, and on record", &receipt);
        Ok(())
    }

    /// Estimate from the text, hold that much, do the job, pay for the real length.
    fn speak(&mut self) -> Result<()> {
        println!("\nSpeech");
        let quote = self.ledger.estimate("tts", &Usage::chars(1_200))?;
        let key = Key::new("task:3")?;
        let held = self.ledger.hold(&self.me, &key, Hold::quoted(&quote, HOUR).reference("task 3"))?;
        self.tell("task 3, speech: 1200 characters can cost at most", &held.receipt);
        let receipt = self.ledger.capture(&held.id, &key, Usage::seconds("212.4")?)?;
        self.tell(&format!("task 3, 212.4 s it was: charged, {} given back", receipt.restored), &receipt);
        Ok(())
    }

    /// The first try fails and costs nothing; the second is charged.
    fn make_video(&mut self) -> Result<OperationId> {
        println!("\nVideo");
        let held = self.hold_video("task:4", "30")?;
        self.tell("task 4, video: 30 s of material can cost at most", &held.receipt);
        match self.ledger.release(&held.id, &Key::new("task:4")?, Release::new()) {
            Ok(receipt) => self.tell("task 4, the renderer crashed: all given back", &receipt),
            // An earlier run ended between hold and release, and the hold's deadline has passed since.
            Err(error) if error.code() == "hold_closed" => println!("  task 4, the renderer crashed: {error}"),
            Err(error) => return Err(error.into()),
        }
        let held = self.hold_video("task:5", "30")?;
        self.tell("task 5, the same again", &held.receipt);
        let receipt = self.ledger.capture(&held.id, &Key::new("task:5")?, Usage::seconds("28.5")?)?;
        self.tell("task 5, 28.5 s it was: 29 whole seconds at 2 points", &receipt);
        Ok(receipt.operation)
    }

    fn hold_video(&self, key: &str, input_seconds: &str) -> Result<Held> {
        let quote = self.ledger.estimate("video", &Usage::input_seconds(input_seconds)?)?;
        Ok(self.ledger.hold(&self.me, &Key::new(key)?, Hold::quoted(&quote, HOUR))?)
    }

    fn mend(&mut self, video: &OperationId) -> Result<()> {
        let refund = Refund::points(Points::new(20)?, "ten seconds came out black").actor("support");
        let receipt = self.ledger.refund(video, &Key::new("ticket:5521")?, refund)?;
        self.tell("ticket 5521, ten seconds came out black: refunded", &receipt);
        Ok(())
    }

    /// Four jobs at once on four threads. Each sets its own points aside, so together they cannot overspend.
    fn speak_chapters(&mut self) -> Result<()> {
        println!("\nFour chapters at once, each on its own thread");
        let chapters = [("task:6", "41"), ("task:7", "52.3"), ("task:8", "47.9"), ("task:9", "58.1")];
        let jobs = chapters.map(|(key, seconds)| {
            let (ledger, me) = (self.ledger.clone(), self.me.clone());
            std::thread::spawn(move || speak_chapter(&ledger, &me, key, seconds).map_err(|error| error.to_string()))
        });
        let mut together = 0;
        for (job, (key, seconds)) in jobs.into_iter().zip(chapters) {
            let (hold, receipt) = job.join().map_err(|_| "a chapter's thread panicked")??;
            self.count(&hold);
            let replayed = self.count(&receipt);
            println!(
                "  {:<58} {:>4}{replayed}",
                format!("{}, {seconds} s of speech", key.replace(':', " ")),
                receipt.points
            );
            together += receipt.points.get();
        }
        println!("  {:<58} {together:>4}   {} left now", "together", self.balance()?.available);
        Ok(())
    }

    fn run_out(&mut self) -> Result<()> {
        println!("\nPoints run out");
        match self.hold_video("task:10", "100") {
            Ok(_) => return Err("task 10 should have been refused".into()),
            Err(error) => match error.downcast_ref::<counterfoil::Error>() {
                Some(refusal) if refusal.code() == "insufficient_points" => {
                    println!("  task 10, 100 s of video: refused before any work is done");
                    println!("      {refusal} ({})", refusal.code());
                    println!("      help: {}", refusal.help());
                }
                _ => return Err(error),
            },
        }
        // This work is done already, so it is booked whatever the balance: what is not covered is debt.
        let tokens = Consume::service("llm_tokens", Usage::quantity(65_000_u64).unit("token")).reference("task 11");
        let receipt = self.ledger.consume(&self.me, &Key::new("task:11")?, tokens)?;
        self.tell(&format!("task 11, 65000 tokens used: booked, {} of it as debt", receipt.open), &receipt);
        let order = Recharge::new(Points::new(200)?, "wxpay").reference("order wx-902");
        let receipt = self.ledger.recharge(&self.me, &Key::new("order:wx-902")?, order)?;
        self.tell("order wx-902, paid: settles the debt first", &receipt);
        Ok(())
    }

    fn show_books(&self) -> Result<()> {
        println!("\nBatches");
        println!("  {:<8} {:>7} {:>6} {:>6}   expires", "source", "amount", "used", "left");
        for batch in self.ledger.batches(&self.me, &Query::new().all(true))?.items {
            let expires = batch.expires_at.map_or_else(|| "never".into(), |at| at.format("%Y-%m-%d").to_string());
            println!("  {:<8} {:>7} {:>6} {:>6}   {expires}", batch.source, batch.amount, batch.used, batch.remaining);
        }
        let balance = self.ledger.balance(&self.me)?;
        let totals = balance.totals.unwrap_or_default();
        println!("\nBalance");
        for (name, points) in [
            ("recharged", totals.recharged),
            ("consumed", totals.consumed),
            ("refunded", totals.refunded),
            ("expired", totals.expired),
            ("available", balance.figures.available.get()),
            ("held", balance.figures.held.get()),
            ("debt", balance.figures.debt.get()),
        ] {
            println!("  {name:<10} {points:>5}");
        }
        Ok(())
    }

    /// What a window would do whenever there is something new, with `watch.wait()` in a thread of its own. Here it only makes
    /// sure that it was told of everything booked.
    fn refresh(&self, mut watch: Watch) -> Result<()> {
        let mut told = 0;
        while let Some(notice) = watch.next(Duration::ZERO)? {
            if let Notice::Changed(changed) = notice {
                // Draw the balances of `changed.accounts` again.
                told += changed.changes.len();
            }
        }
        if i64::try_from(told) == Ok(self.booked) { Ok(()) } else { Err("the window was not told everything".into()) }
    }

    /// The file is proved, and this run is held against what it found.
    fn prove(&self, length: i64, before: Figures) -> Result<()> {
        let verification = self.ledger.verify()?;
        if !verification.ok {
            return Err(format!("the file does not verify: {:?}", verification.faults).into());
        }
        let now = self.ledger.info()?.operations;
        println!("\nVerified: {now} operations, hash chain, every stored row.");
        println!("This run booked {} operations and replayed {}.", self.booked, self.replayed);
        if now != length + self.booked {
            return Err(
                format!("the file grew from {length} to {now} operations, and {} were booked", self.booked).into()
            );
        }
        if self.booked == 0 {
            let after = self.balance()?;
            if after != before {
                return Err(
                    format!("a run that booked nothing changed the balance from {before:?} to {after:?}").into()
                );
            }
            println!("Nothing was charged twice: the balance and the number of operations are what they were.");
        } else {
            println!("Run it again: it will replay everything and charge nothing.");
        }
        Ok(())
    }
}

fn speak_chapter(ledger: &Ledger, me: &AccountId, key: &str, seconds: &str) -> Result<(Receipt, Receipt)> {
    let key = Key::new(key)?;
    let quote = ledger.estimate("tts", &Usage::chars(240))?;
    let held = ledger.hold(me, &key, Hold::quoted(&quote, HOUR))?;
    let receipt = ledger.capture(&held.id, &key, Usage::seconds(seconds)?)?;
    Ok((held.receipt, receipt))
}
