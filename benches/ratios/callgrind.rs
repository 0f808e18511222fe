//! Instructions, counted by valgrind on this very program: a probe is run twice with different numbers of operations,
//! and the difference divided, so that starting, opening and closing cancel out.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where valgrind is, if it is.
pub(crate) fn available() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Instructions of one operation of a probe; `arguments` is told how many to run, and which of the two runs it is.
pub(crate) fn per_operation(folder: &Path, counts: [u64; 2], arguments: impl Fn(u64, u64) -> Vec<String>) -> f64 {
    let run = |which: u64, count: u64| {
        let out = folder.join("callgrind.out");
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--quiet"]).arg(format!("--callgrind-out-file={}", out.display()));
        let status = valgrind.arg(program()).arg("probe").args(arguments(count, which)).status().unwrap();
        assert!(status.success(), "the probe under valgrind ended with {status}");
        let total = total(&std::fs::read_to_string(&out).unwrap());
        keep(&out);
        total
    };
    let [few, many] = counts;
    (run(1, many) - run(0, few)) / (many - few) as f64
}

pub(crate) fn program() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// The last profile can be kept for `callgrind_annotate`.
fn keep(out: &Path) {
    if let Some(folder) = std::env::var_os("RATIOS_PROFILES") {
        let folder = Path::new(&folder);
        let number = std::fs::read_dir(folder).unwrap().count();
        std::fs::copy(out, folder.join(format!("{number:03}.callgrind"))).unwrap();
    }
}

fn total(profile: &str) -> f64 {
    let line = profile.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap()
}
