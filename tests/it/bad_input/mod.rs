//! Bad input: a clear code, a message and help, nothing changed, no panic.

mod books;
mod calls;
mod found;
mod lines;
mod operations;
mod paths;

use crate::support::{World, Wrong, code_of, sample, situations};

/// A ledger and what it showed before anybody sent nonsense to it.
struct Target {
    world: World,
    before: serde_json::Value,
    wrong: Wrong,
    cases: usize,
}

impl Target {
    fn new() -> Self {
        let world = World::copy(situations(), Some(sample()));
        Target { before: world.shown(), world, wrong: Wrong::default(), cases: 0 }
    }

    /// One line of text as it comes out of a pipe; `@names` stand for ids.
    fn line(&mut self, text: &str, expected: &str) {
        let resolved = match serde_json::from_str::<serde_json::Value>(text) {
            // Only where it changes nothing else: a repeated field must stay repeated.
            Ok(line) if text.contains('@') => self.world.resolve(&line).to_string(),
            _ => text.to_string(),
        };
        self.run(text, expected, |world| world.apply_text(&resolved).map(drop));
    }

    /// A line that is fine; it is only tried.
    fn accepted(&mut self, text: &str) {
        let text = match serde_json::from_str(text) {
            Ok(line) => self.world.resolve(&line).to_string(),
            Err(error) => panic!("{error}: {text}"),
        };
        self.run(&text, "ok", |world| world.ledger.dry_run(&counterfoil::Request::parse(&text)?).map(drop));
    }

    fn run(&mut self, what: &str, expected: &str, call: impl FnOnce(&World) -> Result<(), counterfoil::Error>) {
        self.cases += 1;
        let what: String = what.chars().take(300).collect();
        let code = code_of(|| call(&self.world));
        self.wrong.check(code == expected, || format!("{what}\n    {code}, expected {expected}"));
        let after = self.world.shown();
        if after != self.before {
            self.wrong.check(false, || format!("{what}\n    changed something"));
            self.before = after;
        }
    }

    /// Ends the table.
    fn done(self, at_least: usize) {
        self.wrong.none();
        assert!(self.cases >= at_least, "{} cases", self.cases);
    }
}
