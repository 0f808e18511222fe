//! The Python service's `_calculate_cost` and `_estimate_max_cost` beside ours, over whole grids.
//!
//! Where the float formula is right we agree; where it is wrong it overcharges, never the other way, and we give the
//! exact figure, worked out here in whole numbers only.

use counterfoil::quantity::Usage;

use super::book;

/// `_calculate_cost` with a divisor, at the default min_points.
fn python_divisor(seconds: f64, divisor: f64) -> i64 {
    ((seconds / divisor).ceil() as i64).max(1)
}

/// `_calculate_cost` with a multiplier.
fn python_multiplier(seconds: f64, multiplier: i64) -> i64 {
    (seconds.ceil() as i64 * multiplier).max(1)
}

/// `_estimate_max_cost` from characters.
fn python_chars(chars: u32, seconds_per_char: f64, divisor: f64) -> i64 {
    let estimated = f64::from(chars) * seconds_per_char;
    ((estimated / divisor).ceil() as i64).max(1)
}

fn ceil_div(a: i64, b: i64) -> i64 {
    (a + b - 1) / b
}

struct Difference {
    seconds: String,
    python: i64,
    exact: i64,
}

/// Tenths of a second from 0.1 to 2000; the divisor in tenths.
fn divisor_differences(divisor: &str, tenths: i64) -> Vec<Difference> {
    let book = book(&format!("[duration_based_costs.s]\ndivisor = {divisor}\n"));
    let mut differences = Vec::new();
    for i in 1..=20_000_i64 {
        let seconds = format!("{}.{}", i / 10, i % 10);
        let exact = ceil_div(i, tenths).max(1);
        let ours = book.price("s", &Usage::seconds(&seconds).unwrap()).unwrap().points;
        assert_eq!(ours, exact, "{seconds} s at {divisor}");
        let python = python_divisor(i as f64 / 10.0, divisor.parse().unwrap());
        assert!(python >= exact, "Python undercharges {seconds} s at {divisor}");
        if python != exact {
            differences.push(Difference { seconds, python, exact });
        }
    }
    differences
}

#[test]
fn divisors_agree_wherever_the_float_formula_is_right() {
    for (divisor, tenths) in [("3", 30), ("7", 70), ("0.1", 1), ("2.5", 25)] {
        assert!(divisor_differences(divisor, tenths).is_empty(), "{divisor}");
    }
}

#[test]
fn divisors_where_the_float_formula_overcharges() {
    let cases = [
        ("0.3", 3, 1603, [("2.1", 8, 7), ("2.7", 10, 9), ("4.2", 15, 14)]),
        ("0.6", 6, 800, [("4.2", 8, 7), ("5.4", 10, 9), ("8.4", 15, 14)]),
        ("1.2", 12, 398, [("8.4", 8, 7), ("10.8", 10, 9), ("16.8", 15, 14)]),
        ("0.7", 7, 1042, [("2.1", 4, 3), ("4.2", 7, 6), ("4.9", 8, 7)]),
    ];
    for (divisor, tenths, count, first) in cases {
        let found = divisor_differences(divisor, tenths);
        assert_eq!(found.len(), count, "{divisor}");
        assert!(found.iter().all(|it| it.python == it.exact + 1));
        let shown: Vec<_> = found.iter().take(3).map(|it| (it.seconds.as_str(), it.python, it.exact)).collect();
        assert_eq!(shown, first, "{divisor}");
    }
}

#[test]
fn multipliers_agree_everywhere() {
    for multiplier in [1, 2, 3] {
        let book = book(&format!(
            "[duration_based_costs.s]\nmultiplier = {multiplier}\n\
             estimation = {{ use_input_seconds = true }}\n"
        ));
        for i in 1..=20_000_i64 {
            let seconds = format!("{}.{}", i / 10, i % 10);
            let exact = ceil_div(i, 10) * multiplier;
            let ours = book.price("s", &Usage::seconds(&seconds).unwrap()).unwrap().points;
            assert_eq!(ours, exact, "{seconds} s * {multiplier}");
            assert_eq!(ours, python_multiplier(i as f64 / 10.0, multiplier));
            let hint = Usage::input_seconds(&seconds).unwrap();
            assert_eq!(book.estimate("s", &hint).unwrap().points, exact);
        }
    }
}

/// 1 to 3000 characters; seconds per character in hundredths, the divisor in tenths.
fn char_differences(per_char: &str, hundredths: i64, divisor: &str, tenths: i64) -> Vec<(i64, i64, i64)> {
    let book = book(&format!(
        "[duration_based_costs.s]\ndivisor = {divisor}\nestimation = {{ seconds_per_char = {per_char} }}\n"
    ));
    let mut differences = Vec::new();
    for chars in 1..=3_000_u32 {
        let count = i64::from(chars);
        let exact = ceil_div(count * hundredths, tenths * 10).max(1);
        let ours = book.estimate("s", &Usage::chars(chars.into())).unwrap().points;
        assert_eq!(ours, exact, "{chars} chars at {per_char} / {divisor}");
        let python = python_chars(chars, per_char.parse().unwrap(), divisor.parse().unwrap());
        assert!(python >= exact, "Python underestimates {chars} at {per_char}");
        if python != exact {
            differences.push((count, python, exact));
        }
    }
    differences
}

#[test]
fn characters_agree_but_where_the_float_formula_overcharges() {
    assert!(char_differences("0.25", 25, "1", 10).is_empty());
    assert!(char_differences("0.25", 25, "3", 30).is_empty());
    let cases = [
        ("1", 10, 97, [(25, 8, 7), (50, 15, 14), (75, 22, 21)]),
        ("3", 30, 33, [(75, 8, 7), (150, 15, 14), (225, 22, 21)]),
        ("0.3", 3, 172, [(15, 15, 14), (30, 29, 28), (45, 43, 42)]),
    ];
    for (divisor, tenths, count, first) in cases {
        let found = char_differences("0.28", 28, divisor, tenths);
        assert_eq!(found.len(), count, "0.28 / {divisor}");
        assert_eq!(found[..3], first, "0.28 / {divisor}");
    }
}

/// A float from the caller is its shortest text, so even float callers get the exact price.
#[test]
fn float_seconds_are_priced_as_their_text() {
    use counterfoil::quantity::{Quantity, UsageKind};
    let book = book("[duration_based_costs.s]\ndivisor = 0.3\n");
    for i in 1..=20_000_i64 {
        let seconds = Quantity::from_f64_seconds(i as f64 / 10.0).unwrap();
        let usage = Usage::new(UsageKind::Seconds, seconds);
        assert_eq!(book.price("s", &usage).unwrap().points, ceil_div(i, 3));
    }
}
