//! Price book files: every class of mistake through `pricing_file`; nothing is made, and no book is half in force.

use std::fs;

use counterfoil::clock::ManualClock;
use counterfoil::quantity::Usage;

use crate::support::{START, Wrong, code_of, folder, options, sample};

/// A broken book, and words that its report must hold.
const BROKEN: &[(&str, &str)] = &[
    ("expiration_days", "pricing.toml:1:"),
    ("[fixed_costs\nx = 1", "pricing.toml:1:"),
    ("[fixed_costs]\nx = 1\nx = 2", "duplicate key"),
    ("expiration_day = 180", "did you mean `expiration_days`"),
    ("expiration_days = 0", "expiration_days"),
    ("expiration_days = 99999999999999999999", "expiration_days"),
    ("expiration_days = \"180\"", "whole number"),
    ("promo_sources = \"gift\"", "list of names"),
    ("promo_sources = [\"gift\", \"gift\"]", "twice"),
    ("free_services = [\"\"]", "empty"),
    ("free_services = [\"a\\u0000b\"]", "control"),
    ("fixed_costs = 5", "a table"),
    ("[fixed_costs]\nx = -1", "negative"),
    ("[fixed_costs]\nx = 1.5", "whole number"),
    ("[fixed_costs]\nx = 9000000000000001", "9000000000000000"),
    ("free_services = [\"x\"]\n[fixed_costs]\nx = 1", "two prices"),
    ("[fixed_costs]\nx = 1\n[metered_costs.x]\npoints = 1", "two prices"),
    ("[duration_based_costs.x]\ndivisor = 0", "more than 0"),
    ("[duration_based_costs.x]\ndivisor = -3", "more than 0"),
    ("[duration_based_costs.x]\ndivisor = nan", "finite"),
    ("[duration_based_costs.x]\nmultiplier = inf", "finite"),
    ("[duration_based_costs.x]\ndivisor = 1\nmultiplier = 1", "both"),
    ("[duration_based_costs.x]\nmin_points = 1", "none of"),
    ("[duration_based_costs.x]\ndivisor = 1\nmin_points = -1", "negative"),
    ("[duration_based_costs.x]\ndivisor = 1\nestimation = {}", "needs"),
    ("[duration_based_costs.x]\ndivisor = 1\nestimation = { seconds_per_char = 0 }", "more than 0"),
    (
        "[duration_based_costs.x]\ndivisor = 1\nestimation = { seconds_per_char = 1, use_input_seconds = true }",
        "not both",
    ),
    ("[duration_based_costs.x]\ndivisor = 1\nestimation = { use_input_seconds = false }", "only be true"),
    ("[duration_based_costs.x]\ndivisor = 1\nestimate = 1", "unknown key"),
    ("[duration_based_costs.x]\ndivisor = 0.0000000000000000001", "digits"),
    ("[metered_costs.x]\npackage = 10", "no `points`"),
    ("[metered_costs.x]\npoints = 1\npackage = 0", "more than 0"),
    ("[metered_costs.x]\npoints = 1\nincluded = -1", "negative"),
    ("[metered_costs.x]\npoints = 1\nmin_points = 5\nmax_points = 4", "below"),
    ("[metered_costs.x]\npoints = 1\nunit = \"\"", "empty"),
    ("[metered_costs.x]\npoints = 1\nunit = 5", "text"),
    ("[metered_costs]\nx = 5", "a table"),
];

#[test]
fn broken_books_are_refused_whole() {
    let (folder, clock, mut wrong) = (folder(), ManualClock::at(START).unwrap(), Wrong::default());
    let (book, new) = (folder.path().join("pricing.toml"), folder.path().join("new.ledger"));
    let ledger = options(&clock).pricing(sample()).create(folder.path().join("test.ledger")).unwrap();
    for (text, words) in BROKEN {
        fs::write(&book, text).unwrap();
        let calls: [&dyn Fn() -> Result<(), counterfoil::Error>; 3] = [
            &|| options(&clock).pricing_file(&book).create(&new).map(drop),
            &|| options(&clock).pricing_file(&book).create_if_missing(true).open(&new).map(drop),
            &|| ledger.reload_pricing(&book),
        ];
        for call in calls {
            let code = code_of(call);
            wrong.check(code == "pricing", || format!("{text:?}: {code}"));
            let message = call().err().map(|error| error.to_string()).unwrap_or_default();
            wrong
                .check(message.contains(words) && message.contains("pricing.toml:"), || format!("{text:?}: {message}"));
        }
        wrong.check(!new.exists(), || format!("{text:?}: made a file"));
    }
    wrong.none();
    // The old book is in force as before.
    assert_eq!(ledger.price("tts", &Usage::seconds("61.2").unwrap()).unwrap().points, 21);
    assert!(BROKEN.len() >= 35);
}

#[test]
fn files_that_are_no_books() {
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    let at = |name: &str| folder.path().join(name);
    fs::write(at("latin1"), b"free_services = [\"caf\xe9\"]\n").unwrap();
    fs::write(at("utf16"), [0xff, 0xfe, b'x', 0, b'=', 0, b'1', 0]).unwrap();
    fs::write(at("zeros"), [0; 100]).unwrap();
    fs::write(at("large"), format!("# {}\n", "x".repeat(1 << 20))).unwrap();
    fs::write(at("just"), format!("#{}\n", "x".repeat((1 << 20) - 2))).unwrap();
    fs::write(at("bom"), "\u{feff}[fixed_costs]\nx = 1\n").unwrap();
    fs::write(at("empty"), "").unwrap();
    let new = at("new.ledger");
    let open =
        |name: &str| code_of(|| options(&clock).pricing_file(at(name)).create_if_missing(true).open(&new).map(drop));
    for name in ["", "missing", "no/such/file", "latin1", "utf16", "zeros", "large", "nul\0name"] {
        assert_eq!(open(name), "pricing", "{name}");
        assert!(!new.exists(), "{name}");
    }
    for name in ["just", "bom", "empty"] {
        assert_eq!(open(name), "ok", "{name}");
    }
}
