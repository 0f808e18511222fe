//! Programs that some tests need: where one is missing the test says so and is skipped. The continuous integration installs them
//! all, and insists.

use std::io::Write;
use std::process::Command;

/// Whether these programs are installed; fails when they are not and this environment variable is set.
pub(crate) fn there(programs: &[&str], insisted: &str) -> bool {
    let missing: Vec<&&str> =
        programs.iter().filter(|name| Command::new(name).arg("--version").output().is_err()).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var_os(insisted).is_none(), "not installed: {missing:?}");
    // Straight to the terminal: what a test prints is shown only when it fails.
    let test = std::thread::current();
    let _ = writeln!(std::io::stderr(), "SKIPPED {}: not installed: {missing:?}", test.name().unwrap_or_default());
    false
}
