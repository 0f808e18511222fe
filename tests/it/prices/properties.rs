//! Properties of quantities and prices, by proptest.

use counterfoil::pricing::PriceBook;
use counterfoil::quantity::{Quantity, Usage, UsageKind};
use proptest::prelude::*;

use super::{SAMPLE, book};

fn decimal() -> impl Strategy<Value = String> {
    prop_oneof!["(0|[1-9][0-9]{0,14})(\\.[0-9]{1,22})?", "[0-9]{1,15}\\.[0-9]{1,9}", "[0-9]\\.[0-9]{1,4}e-?[0-9]",]
}

/// Seconds in thousandths, so that the sums of the tests stay small.
fn millis(value: u64) -> Usage {
    Usage::duration(std::time::Duration::from_millis(value))
}

/// A fault that lay behind a carriage return at the end of a line was drawn one column before the place it was said to have.
#[test]
fn a_carriage_return_anywhere_has_its_place() {
    for at in 0..=SAMPLE.len() {
        for put in ["\r", "\r\r", "=\r"] {
            let mut text = SAMPLE.to_string();
            if !text.is_char_boundary(at) {
                continue;
            }
            text.insert_str(at, put);
            let Err(faults) = PriceBook::parse(&text, "pricing.toml") else { continue };
            for fault in faults.faults() {
                let place = format!(":{}:{}", fault.line, fault.column);
                assert!(faults.rendered().contains(&place), "{put:?} at {at}: {faults}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_survives_the_way_there_and_back(text in decimal()) {
        let quantity = Quantity::parse(&text).unwrap();
        let canonical = quantity.to_string();
        prop_assert_eq!(Quantity::parse(&canonical), Ok(quantity));
        prop_assert!(!canonical.contains(['e', 'E']));
        prop_assert!(!canonical.contains('.') || !canonical.ends_with(['0', '.']));
        let json = serde_json::to_string(&quantity).unwrap();
        prop_assert_eq!(serde_json::from_str::<Quantity>(&json).unwrap(), quantity);
    }

    #[test]
    fn zeros_at_either_end_change_nothing(text in "[0-9]{1,9}\\.[0-9]{1,9}", zeros in 0_usize..60) {
        let padded = format!("{0}{text}{0}", "0".repeat(zeros));
        prop_assert_eq!(Quantity::parse(&padded), Quantity::parse(&text));
    }

    #[test]
    fn order_is_that_of_the_numbers(a in 0_u64..1_000_000, b in 0_u64..1_000_000, places in 0_u32..9) {
        let scaled = |value: u64| Quantity::parse(&format!("{value}e-{places}")).unwrap();
        prop_assert_eq!(scaled(a).cmp(&scaled(b)), a.cmp(&b));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}|[0-9eE.+-]{0,60}") {
        let _ = Quantity::parse(&text);
    }

    #[test]
    fn a_float_is_its_shortest_text(value in 0.0_f64..1e15) {
        match Quantity::from_f64_seconds(value) {
            Ok(quantity) => prop_assert_eq!(quantity.to_string().parse::<f64>().unwrap(), value),
            Err(_) => prop_assert!(value < 1e-20),
        }
    }

    #[test]
    fn a_duration_is_exact(seconds in any::<u32>(), nanos in 0_u32..1_000_000_000) {
        let quantity = Quantity::from(std::time::Duration::new(seconds.into(), nanos));
        prop_assert_eq!(Quantity::parse(&format!("{seconds}.{nanos:09}")), Ok(quantity));
    }

    #[test]
    fn divisors_match_whole_number_arithmetic(used in 0_u64..10_000_000, divisor in 1_u64..100_000, least in 0_i64..50) {
        let rule = format!("divisor = {}.{:03}\nmin_points = {least}", divisor / 1000, divisor % 1000);
        let book = book(&format!("[duration_based_costs.s]\n{rule}\n"));
        let exact = used.div_ceil(divisor) as i64;
        prop_assert_eq!(book.price("s", &millis(used)).unwrap().points, exact.max(least));
    }

    #[test]
    fn multipliers_match_whole_number_arithmetic(used in 0_u64..10_000_000, multiplier in 1_u64..100_000) {
        let rule = format!("multiplier = {}.{:03}", multiplier / 1000, multiplier % 1000);
        let book = book(&format!("[duration_based_costs.s]\n{rule}\n"));
        let exact = (used.div_ceil(1000) * multiplier).div_ceil(1000) as i64;
        prop_assert_eq!(book.price("s", &millis(used)).unwrap().points, exact.max(1));
    }

    #[test]
    fn more_never_costs_less(a in 0_u64..1_000_000, b in 0_u64..1_000_000, divisor in 1_u32..5_000, points in 0_u32..50) {
        let (less, more) = (a.min(b), a.max(b));
        let book = book(&format!(
            "[duration_based_costs]\nd.divisor = {divisor}e-2\nm.multiplier = {divisor}e-2\n\
             [metered_costs.c]\npackage = {divisor}e-2\npoints = {points}\nincluded = 100\nmin_points = 3\nmax_points = 90000\n"
        ));
        for service in ["d", "m"] {
            let price = |used| book.price(service, &millis(used)).unwrap().points;
            prop_assert!(price(less) <= price(more));
        }
        let price = |count: u64| book.price("c", &Usage::new(UsageKind::Quantity, count)).unwrap().points;
        prop_assert!(price(less) <= price(more));
    }

    #[test]
    fn a_damaged_book_is_read_or_refused_with_places(at in 0_usize..SAMPLE.len(), cut in 0_usize..9, put in "\\PC{0,3}|[\\[\\]{}=\"'\n\r\t#.,0-9\u{0}]{0,4}") {
        let mut text: Vec<char> = SAMPLE.chars().collect();
        let end = (at + cut).min(text.len());
        text.splice(at.min(end)..end, put.chars());
        let text: String = text.into_iter().collect();
        if let Err(faults) = PriceBook::parse(&text, "pricing.toml") {
            prop_assert!(!faults.faults().is_empty());
            let lines: Vec<&str> = text.split('\n').collect();
            for fault in faults.faults() {
                prop_assert!(fault.line <= lines.len());
                prop_assert!(fault.column <= lines[fault.line - 1].chars().count() + 1);
                prop_assert!(faults.rendered().contains(&format!(":{}:{}", fault.line, fault.column)), "{}", faults);
            }
        }
    }

    #[test]
    fn any_text_is_a_book_or_a_report(text in "\\PC{0,80}|[a-z\\[\\]{}=\"'\n\r\t#.,0-9 ]{0,80}") {
        let _ = PriceBook::parse(&text, "pricing.toml");
    }
}
