//! A folder with a ledger in it, and the command run there.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const BOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/pricing.toml");

/// What a run of the command gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Fails unless the command ended well.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    /// Fails unless it ended with this exit code and error code.
    #[track_caller]
    pub(crate) fn fails(self, exit: i32, code: &str) -> Self {
        assert_eq!(self.code, exit, "{self:#?}");
        let wanted = format!("({code})");
        assert!(self.err.lines().any(|line| line.starts_with("error:") && line.ends_with(&wanted)), "{self:#?}");
        assert!(self.err.lines().any(|line| line.starts_with("help: ")), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    #[track_caller]
    pub(crate) fn jsonl(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }
}

/// A folder of its own.
pub(crate) struct Home(TempDir);

impl Home {
    /// With a new ledger, `points.ledger`, which the environment names.
    pub(crate) fn new() -> Self {
        let home = Self::empty();
        home.run("init").ok();
        home
    }

    pub(crate) fn empty() -> Self {
        Home(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.path("points.ledger")
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The command, in this folder, with nothing of the environment but the ledger's name.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil"));
        command.current_dir(self.0.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in ["COUNTERFOIL_ACCOUNT", "COUNTERFOIL_PRICING", "COUNTERFOIL_ACTOR"] {
            command.env_remove(name);
        }
        command.env("COUNTERFOIL_FILE", "points.ledger");
        command
    }

    /// Runs it with words parted by spaces.
    #[track_caller]
    pub(crate) fn run(&self, words: &str) -> Ran {
        self.args(&words.split_whitespace().collect::<Vec<_>>())
    }

    #[track_caller]
    pub(crate) fn args(&self, args: &[&str]) -> Ran {
        self.finish(self.command().args(args))
    }

    #[track_caller]
    pub(crate) fn finish(&self, command: &mut Command) -> Ran {
        self.feed(command, b"")
    }

    /// Runs it with this on stdin.
    #[track_caller]
    pub(crate) fn feed(&self, command: &mut Command, input: &[u8]) -> Ran {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || {
            // Whoever does not read its input has its reasons.
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let ran = Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!ran.err.contains("panicked") && !ran.err.contains("RUST_BACKTRACE"), "{ran:#?}");
        ran
    }

    /// Answers to JSON lines.
    #[track_caller]
    pub(crate) fn batch(&self, words: &str, lines: &str) -> Ran {
        self.feed(self.command().arg("batch").args(words.split_whitespace()), lines.as_bytes())
    }

    /// The five figures of an account.
    #[track_caller]
    pub(crate) fn figures(&self, account: &str) -> [i64; 5] {
        let balance = self.args(&["balance", "-a", account, "--format", "json"]).ok().json();
        ["available", "held", "pending", "debt", "net"].map(|name| balance[name].as_i64().unwrap())
    }

    /// What must not change when nothing is booked: size, length of the log, head of the chain.
    #[track_caller]
    pub(crate) fn state(&self) -> (u64, Value, Value) {
        let info = self.run("info --format json").ok().json();
        (size(&self.ledger()), info["operations"].clone(), info["head"].clone())
    }
}

/// By `stat`: the file itself is never opened by a test.
pub(crate) fn size(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}
