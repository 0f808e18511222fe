//! White space at either end: pasted with it, a key books again, and an account is opened that looks like another.

use counterfoil::{AccountId, Consume, Error, Key, Ledger, Points, Recharge, Request, Transfer};

fn ledger() -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(folder.path().join("points.ledger")).unwrap();
    (folder, ledger)
}

/// White space as Unicode has it: space, no-break space, ideographic space, line separator, en quad.
const WHITE: [char; 5] = [' ', '\u{a0}', '\u{3000}', '\u{2028}', '\u{2000}'];

fn refused(error: Error, field: &str) {
    assert_eq!((error.code(), error.details()["field"].as_str()), ("invalid_argument", Some(field)), "{error}");
    assert!(error.to_string().contains("with white space"), "{error}");
}

/// The number of one order, pasted once with a no-break space after it, was credited twice.
#[test]
fn white_space_at_either_end_is_refused_by_every_door() {
    let (_folder, ledger) = ledger();
    let (alice, one) = (AccountId::new("alice").unwrap(), Points::new(1).unwrap());
    ledger.recharge(&alice, &Key::new("order:1").unwrap(), Recharge::new(Points::new(9).unwrap(), "wx")).unwrap();
    for white in WHITE {
        for text in [format!("order:1{white}"), format!("{white}order:1")] {
            let key = Key::new(&text).unwrap();
            refused(ledger.recharge(&alice, &key, Recharge::new(one, "wx")).unwrap_err(), "key");
            let nobody = AccountId::new(&text).unwrap();
            let k = Key::new("k").unwrap();
            refused(ledger.recharge(&nobody, &k, Recharge::new(one, "wx")).unwrap_err(), "account");
            refused(ledger.transfer(&alice, &k, Transfer::new(&nobody, one)).unwrap_err(), "to");
            for (field, rest) in [
                ("reference", r#""op":"consume","points":1"#),
                ("actor", r#""op":"consume","points":1"#),
                ("service", r#""op":"consume","points":1"#),
                ("source", r#""op":"recharge","points":1"#),
                ("reason", r#""op":"freeze""#),
            ] {
                let line = format!(r#"{{{rest},"account":"alice","key":"k","{field}":"{text}"}}"#);
                refused(ledger.apply(&Request::parse(&line).unwrap()).unwrap_err(), field);
            }
            // To be looked at it may be anything.
            assert!(!ledger.balance(&nobody).unwrap().exists);
        }
    }
    // Within it, and at the ends of a text of several lines, white space is text.
    let words = Consume::points(one).reference("task 5").description(" two\nlines \n");
    ledger.consume(&alice, &Key::new("a key").unwrap(), words).unwrap();
    assert_eq!(ledger.info().unwrap().operations, 2);
}
