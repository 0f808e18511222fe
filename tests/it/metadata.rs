//! Metadata is evidence: what was given is what is kept, hashed and told, digit for digit.

use counterfoil::{AccountId, Consume, Key, Ledger, Metadata, Points, Query, Question, Request};

/// Digits past 2^53 and 2^64, a price with its last 0, an exponent no number holds, names in no order, an escaped letter.
const GIVEN: &str = r#"{"pay":420000123420261126123456789012,"u":18446744073709551616,"price":1.10,"b":[1e400,{"é":"\u00e9"}],"a":null}"#;

fn ledger() -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(folder.path().join("points.ledger")).unwrap();
    (folder, ledger)
}

/// A payment's id of thirty digits came back rounded, and 1.10 as 1.1: the evidence no longer fitted the payment.
#[test]
fn metadata_is_kept_digit_for_digit_by_every_door() {
    let (folder, ledger) = ledger();
    let (alice, key) = (AccountId::new("alice").unwrap(), |key| Key::new(key).unwrap());
    let one = Points::new(1).unwrap();
    let spaced = GIVEN.replace(':', " :\t").replace(',', "\n, ");
    let line = format!(r#"{{"op":"consume","account":"alice","key":"line","points":1,"metadata":{spaced}}}"#);
    ledger.apply(&Request::parse(&line).unwrap()).unwrap();
    let typed = Consume::points(one).metadata(Metadata::parse(&spaced).unwrap());
    ledger.consume(&alice, &key("typed"), typed).unwrap();
    let data = Request::new("consume").with("account", "alice").with("key", "data").with("points", 1);
    ledger.apply(&data.with_metadata(GIVEN.parse::<Metadata>().unwrap())).unwrap();
    for name in ["line", "typed", "data"] {
        let info = ledger.operation(&ledger.operation_named(name, None).unwrap()).unwrap();
        assert_eq!(info.request.metadata().unwrap().as_str(), GIVEN);
        let told = serde_json::to_string(&info).unwrap();
        assert!(told.contains(&format!("\"metadata\":{GIVEN}")), "{told}");
        let back: counterfoil::report::OperationInfo = serde_json::from_str(&told).unwrap();
        assert_eq!(back, info);
        // What was told can be asked for again.
        assert!(ledger.apply(&info.request).unwrap().replayed);
    }
    let lines = ledger.history(&alice, &Query::new().kind("consume")).unwrap();
    assert!(lines.items.iter().all(|line| line.metadata.as_ref().map(Metadata::as_str) == Some(GIVEN)));
    let asked = Question::parse(r#"{"get":"history","account":"alice"}"#).unwrap();
    let told = serde_json::to_string(&ledger.ask(&asked).unwrap()).unwrap();
    assert_eq!(told.matches(GIVEN).count(), 3);
    let statement = ledger.statement(&alice, &counterfoil::Period::all()).unwrap();
    assert_eq!(serde_json::to_string(&statement).unwrap().matches(GIVEN).count(), 3);
    // Hashed as it is: the replay makes the same bytes.
    assert!(ledger.verify().unwrap().ok);
    drop(folder);
}

/// Of two equal names the first was dropped without a word: the order's number that was kept was another one.
#[test]
fn a_name_given_twice_is_refused_at_any_depth() {
    let (_folder, ledger) = ledger();
    let line = |rest: &str| format!(r#"{{"op":"consume","account":"alice","key":"k","points":1{rest}}}"#);
    for (rest, twice) in [
        (r#","metadata":{"id":1,"id":2}"#, "id"),
        (r#","metadata":{"a":[0,{"b":{"c":1,"d":2,"c":1}}]}"#, "c"),
        (r#","metadata":{"a":1,"\u0061":2}"#, "a"),
        (r#","points":1"#, "points"),
        (r#","metadata":{},"metadata":{}"#, "metadata"),
        (r#","metadata":null,"metadata":null"#, "metadata"),
    ] {
        let refused = Request::parse(&line(rest)).and_then(|request| ledger.apply(&request)).unwrap_err();
        assert_eq!(refused.code(), "invalid_argument", "{rest}");
        assert!(refused.to_string().contains(&format!("`{twice}` is given twice")), "{rest}: {refused}");
    }
    let target = r#"{"op":"release","hold":{"ref_line":1,"ref_line":2},"key":"k"}"#;
    assert!(Request::parse(target).unwrap_err().to_string().contains("`ref_line` is given twice"));
    let question = r#"{"get":"balance","account":"alice","metadata":{"a":1}}"#;
    assert!(Question::parse(question).unwrap_err().to_string().contains("no field `metadata`"));
    // Equal names of different objects, and equal values, are no two of one.
    let fair = line(r#","metadata":{"a":{"a":"a","b":"a"},"b":[{"a":1},{"a":1}]}"#);
    ledger.apply(&Request::parse(&fair).unwrap()).unwrap();
    // Another payment's id, in digits that were lost, was taken for the same request. What says the same in another order, or says
    // nothing, is the same.
    let retry = |metadata: &str| {
        let line = format!(r#"{{"op":"consume","account":"alice","key":"pay","points":1{metadata}}}"#);
        Request::parse(&line).and_then(|request| ledger.apply(&request))
    };
    assert!(
        !retry(r#","metadata":{"id":420000123420261126123456789012,"b":[1,{"c":"é","d":1.10}]}"#).unwrap().replayed
    );
    let turned = r#","metadata":{"b":[1,{"d":1.10,"c":"\u00e9"}],"id":420000123420261126123456789012}"#;
    assert!(
        retry(turned).unwrap().replayed && retry("").unwrap().replayed && retry(r#","metadata":{}"#).unwrap().replayed
    );
    let other = retry(r#","metadata":{"id":420000123420261126123456789099,"b":[1,{"c":"é","d":1.10}]}"#).unwrap_err();
    assert_eq!((other.code(), &other.details()["fields"]), ("key_reused", &serde_json::json!(["metadata"])));
    // A form is judged where an operation is first made: what is booked under the key is the answer to a retry.
    let bare = line("").replace("\"k\"", "\"bare\"");
    ledger.apply(&Request::parse(&bare).unwrap()).unwrap();
    let again = bare.replace('}', r#","metadata":{"id":1,"id":2}}"#);
    assert!(ledger.apply(&Request::parse(&again).unwrap()).unwrap().replayed);
}

#[test]
fn what_is_no_object_that_can_be_kept_is_refused() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100));
    for text in
        ["[]", "5", "\"{}\"", "{", "{}x", r#"{"a":"\ud800"}"#, r#"{"a":"\u0000"}"#, r#"{"\u0000":1}"#, deep.as_str()]
    {
        assert_eq!(Metadata::parse(text).unwrap_err().code(), "invalid_argument", "{text}");
    }
    // Within a message of a host's own, which serde reads before it knows what it is.
    #[derive(serde::Deserialize)]
    #[serde(tag = "do", rename_all = "snake_case")]
    enum Said {
        Book { request: Request },
    }
    let text = r#"{"request":{"op":"release","hold":{"ref_line":1},"key":"k","metadata":{"a":[1]}},"do":"book"}"#;
    let Said::Book { request } = serde_json::from_str(text).unwrap();
    assert_eq!(request.metadata().unwrap().as_str(), r#"{"a":[1]}"#);
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::from_value::<Request>(value["request"].clone()).unwrap(), request);
}
