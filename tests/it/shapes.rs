//! The committed schema of answers, held against answers.

use std::collections::BTreeSet;

use counterfoil::answer::Hash;
use counterfoil::exchange::Enrol;
use counterfoil::quantity::Quantity;
use counterfoil::schema::{OPERATIONS, QUESTIONS, answer_schema};
use counterfoil::sync::ImportTerms;
use counterfoil::{Error, Key, Query, Question, Receipt, Request};
use serde_json::{Value, json};

use crate::support::{NOBODY, START, World, sample, situations};
use crate::sync::reconciled::Pair;

/// What the schema has against a value; a name it does not tell is wrong too, though a reader would pass over it.
fn wrong(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = &whole(root, schema);
    let no = |why: String| Err(format!("{at}: {why}: {value}"));
    for (keyword, says) in schema.as_object().unwrap_or_else(|| panic!("{at}: {schema}")) {
        match keyword.as_str() {
            "title" | "description" | "$schema" | "$defs" | "properties" | "default" => {}
            "type" => {
                let kinds = if says.is_array() { says.as_array().unwrap() } else { std::slice::from_ref(says) };
                let is = |kind: &Value| match kind.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "boolean" => value.is_boolean(),
                    other => panic!("{at}: {other}"),
                };
                if !kinds.iter().any(is) {
                    return no(format!("not {says}"));
                }
            }
            "format" => {
                let right = match (says.as_str().unwrap(), value.as_str()) {
                    ("date-time", Some(text)) => {
                        text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok()
                    }
                    ("uuid", Some(text)) => uuid(text),
                    ("int64" | "uint64", None) => true,
                    other => panic!("{at}: {other:?}"),
                };
                if !right {
                    return no(format!("not of {says}"));
                }
            }
            "const" if says != value => return no(format!("not {says}")),
            "enum" if !says.as_array().unwrap().contains(value) => return no(format!("none of {says}")),
            "const" | "enum" => {}
            "minimum" if value.as_i64().is_some_and(|it| Some(it) < says.as_i64()) => {
                return no(format!("below {says}"));
            }
            "maximum" if value.as_i64() > says.as_i64() => return no(format!("above {says}")),
            "pattern" => {
                let text = value.as_str().unwrap();
                let right = match says.as_str().unwrap() {
                    "^[0-9a-f]{64}$" => text.parse::<Hash>().is_ok(),
                    "^[0-9]+([.][0-9]+)?$" => Quantity::parse(text).is_ok_and(|quantity| quantity.to_string() == text),
                    other => panic!("{at}: {other}"),
                };
                if !right {
                    return no(format!("not like {says}"));
                }
            }
            "minLength" if value.as_str().unwrap().is_empty() => return no("empty".into()),
            "minimum" | "maximum" | "minLength" | "maxLength" => {}
            "items" => value
                .as_array()
                .unwrap()
                .iter()
                .enumerate()
                .try_for_each(|(place, one)| wrong(root, says, one, &format!("{at}[{place}]")))?,
            "required" => {
                if let Some(name) =
                    says.as_array().unwrap().iter().find(|name| value.get(name.as_str().unwrap()).is_none())
                {
                    return no(format!("{name} is missing"));
                }
            }
            "anyOf" | "oneOf" => {
                let tried: Vec<_> = says.as_array().unwrap().iter().map(|one| wrong(root, one, value, at)).collect();
                if tried.iter().all(Result::is_err) {
                    return Err(format!("{tried:?}"));
                }
            }
            "additionalProperties" if says == true => {}
            other => panic!("{at}: the schema says `{other}`"),
        }
    }
    let (Some(told), Some(value)) = (schema.get("properties"), value.as_object()) else { return Ok(()) };
    value.iter().try_for_each(|(name, one)| match told.get(name) {
        Some(told) => wrong(root, told, one, &format!("{at}.{name}")),
        None => Err(format!("{at}: no `{name}` is told")),
    })
}

/// The shape with what it refers to.
fn whole(root: &Value, schema: &Value) -> Value {
    let mut own = schema.clone();
    let Some(Value::String(name)) = own.as_object_mut().unwrap().remove("$ref") else { return own };
    let mut whole = whole(root, root.pointer(name.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{name}")));
    for (keyword, says) in own.as_object_mut().unwrap() {
        match (whole.get_mut(keyword), says.take()) {
            (Some(Value::Object(all)), Value::Object(more)) => all.extend(more),
            (Some(Value::Array(all)), Value::Array(more)) => all.extend(more),
            (_, says) => whole[keyword] = says,
        }
    }
    whole
}

fn uuid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// The schema, and the names its answers go by.
struct Shapes(Value);

impl Shapes {
    fn check(&self, name: &str, value: &Value) -> Result<(), String> {
        let shape = self.0["anyOf"].as_array().unwrap().iter().find(|shape| shape["title"] == name);
        wrong(&self.0, shape.unwrap_or_else(|| panic!("no shape {name}")), value, name)
    }

    fn fit(&self, name: &str, value: &Value) {
        self.check(name, value).unwrap_or_else(|wrong| panic!("{wrong}\n{value}"));
    }
}

/// What an expelled device did is set aside; one is approved, one dismissed, a flag acknowledged.
fn arrivals(world: &World, kiosk: &World) {
    kiosk.apply(&json!({"op": "open", "account": "rich", "key": "1"})).unwrap();
    for key in ["1", "2"] {
        kiosk.apply(&json!({"op": "consume", "account": "rich", "key": key, "points": 1})).unwrap();
    }
    let mut sent = Vec::new();
    kiosk.ledger.export(&mut sent, false).unwrap();
    let mut terms = ImportTerms::default();
    terms.accept_gap = true;
    world.ledger.exchange().import_on(std::io::Cursor::new(sent), terms).unwrap();
    let waits = world.ledger.staged(&Query::new()).unwrap().items;
    let flagged = world.ledger.flags(&Query::new()).unwrap().items[0].flagged;
    for line in [
        json!({"op": "approve", "link": waits[0].link, "key": "3"}),
        json!({"op": "dismiss", "link": waits[1].link, "key": "4", "reason": "lost"}),
        json!({"op": "acknowledge", "flagged": flagged, "key": "5", "reason": "seen"}),
    ] {
        world.apply(&line).unwrap();
    }
}

/// What is set aside, recalled, and written off.
fn allotments(world: &World, device: &str) {
    for key in ["1", "2"] {
        let line = json!({"op": "allot", "account": "rich", "key": key, "device": device, "points": 1,
            "spend_until": "2027-06-01T00:00:00Z"});
        let allotment = world.apply(&line).unwrap().operation;
        let line = match key {
            "1" => json!({"op": "recall", "allotment": allotment, "key": key}),
            _ => json!({"op": "allot_write_off", "allotment": allotment, "key": key, "reason": "lost"}),
        };
        world.apply(&line).unwrap();
    }
}

/// What a device has given back.
fn returned() -> Receipt {
    let pair = Pair::new();
    let request = |line: Value| Request::parse(&line.to_string()).unwrap();
    let line = json!({"op": "recharge", "account": "card", "key": "1", "points": 9, "source": "gift"});
    pair.hub.apply(&request(line)).unwrap();
    let line = json!({"op": "allot", "account": "card", "key": "1", "points": 5, "spend_until": "2027-01-12T00:00:00Z",
        "device": pair.kiosk.info().unwrap().device.to_string()});
    let allotment = pair.hub.apply(&request(line)).unwrap().operation;
    pair.reconcile(&["card"]);
    pair.kiosk.apply(&request(json!({"op": "return", "allotment": allotment, "key": "1"}))).unwrap()
}

#[test]
fn every_question_and_every_operation_is_answered_in_its_shape() {
    let (shapes, world) = (Shapes(answer_schema()), World::copy(situations(), Some(sample())));
    let (kiosk, key) = (World::empty(), "7".repeat(64));
    let own = kiosk.ledger.new_signer().unwrap().key().public().to_string();
    let device = kiosk.ledger.info().unwrap().device;
    for line in [
        json!({"op": "become_hub", "key": "hub", "public_key": key, "name": "office"}),
        json!({"op": "admit", "key": "1", "device": device.to_string(), "public_key": own, "name": "kiosk"}),
        json!({"op": "expel", "key": "2", "device": device.to_string(), "reason": "lost"}),
    ] {
        world.apply(&line).unwrap();
    }
    let certificate = world.ledger.certificate(&device).unwrap();
    let enrolled = kiosk.ledger.enrol(&Key::new("enrol").unwrap(), Enrol::new(&certificate)).unwrap();
    shapes.fit("receipt", &json!(enrolled));
    shapes.fit("info", &json!(kiosk.ledger.info().unwrap()));
    shapes.fit("sync", &json!(kiosk.ledger.sync_status().unwrap()));
    arrivals(&world, &kiosk);
    allotments(&world, &device.to_string());
    let mut asked = BTreeSet::new();
    let mut ask = |question: Value| {
        let answer = world.ledger.ask(&Question::parse(&question.to_string()).unwrap());
        let answer = json!(answer.unwrap_or_else(|error| panic!("{error}: {question}")));
        let name = question["get"].as_str().unwrap();
        shapes.fit(name, &answer);
        asked.insert(name.to_string());
        answer
    };
    for question in [
        json!({"get": "info"}),
        json!({"get": "sync"}),
        json!({"get": "devices"}),
        json!({"get": "staged", "all": true}),
        json!({"get": "flags", "all": true}),
        json!({"get": "allotments", "all": true}),
        json!({"get": "clock"}),
        json!({"get": "verify"}),
        json!({"get": "verify", "quick": true}),
        json!({"get": "price", "service": "tts", "seconds": "61.2"}),
        json!({"get": "estimate", "service": "tts", "chars": 1200}),
        json!({"get": "find", "key": "used"}),
        json!({"get": "find", "sequence": 1}),
        json!({"get": "expiring", "before": "2030-01-01T00:00:00Z"}),
        json!({"get": "accounts", "limit": 2}),
        json!({"get": "usage", "by": "month", "per_account": true}),
        json!({"get": "balance", "account": "nobody"}),
        json!({"get": "balance", "account": "rich", "at": START}),
        json!({"get": "missing", "account": "ritch"}),
    ] {
        ask(question);
    }
    for balance in ask(json!({"get": "accounts"}))["items"].as_array().unwrap() {
        let account = &balance["account"];
        for get in ["balance", "history", "overview", "statement", "missing"] {
            ask(json!({"get": get, "account": account}));
        }
        ask(json!({"get": "check", "account": account, "points": 1000}));
        ask(json!({"get": "holds", "account": account, "all": true}));
        ask(json!({"get": "plans", "account": account, "all": true}));
        for batch in ask(json!({"get": "batches", "account": account, "all": true}))["items"].as_array().unwrap() {
            ask(json!({"get": "explain", "batch": batch["batch"]}));
        }
    }
    let returned = returned();
    shapes.fit("receipt", &json!(returned));
    let mut done = BTreeSet::from([enrolled.op.to_string(), returned.op.to_string()]);
    for sequence in 1..=world.ledger.info().unwrap().operations {
        let id = world.ledger.operation_id(sequence).unwrap();
        ask(json!({"get": "explain", "operation": id}));
        ask(json!({"get": "operation", "operation": id}));
        let receipt = world.ledger.operation(&id).unwrap().receipt;
        shapes.fit("receipt", &json!(receipt));
        done.insert(receipt.op.to_string());
    }
    let without: Vec<_> = QUESTIONS.iter().filter(|kind| !asked.contains(kind.name)).collect();
    assert!(without.is_empty(), "{without:?}");
    let without: Vec<_> = OPERATIONS.iter().map(|kind| kind.name).filter(|name| !done.contains(*name)).collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn receipts_refusals_and_notices_have_their_shapes() {
    let (shapes, mut world) = (Shapes(answer_schema()), World::empty());
    let mut watch = world.ledger.watch().unwrap();
    let recharge = r#"{"op":"recharge","account":"a","key":"1","points":5,"source":"gift","expires_at":"never"}"#;
    let (first, again) = (world.must("", recharge), world.must("", recharge));
    assert!(again.replayed);
    shapes.fit("receipt", &json!(first));
    shapes.fit("receipt", &json!(again));
    shapes.fit("notice", &json!(watch.wait().unwrap()));
    for line in [
        json!({"op": "consume", "account": "a", "key": "2", "points": 9, "policy": "strict"}),
        json!({"op": "consume", "account": "a", "key": "2", "points": -9}),
        json!({"op": "refund", "operation": NOBODY, "key": "2", "points": "all"}),
    ] {
        let error: Error = world.apply(&line).unwrap_err();
        shapes.fit("error", &json!(error));
        shapes.fit("refusal", &json!({"error": error, "line": 1, "op": line["op"], "key": line["key"]}));
    }
}

/// A check that lets everything through would say the same.
#[test]
fn what_is_not_in_the_shape_is_found() {
    let (shapes, world) = (Shapes(answer_schema()), World::copy(situations(), Some(sample())));
    let right = json!(world.ledger.balance(&"rich".parse().unwrap()).unwrap());
    shapes.fit("balance", &right);
    for (path, value, told) in [
        ("/available", json!(1.5), "integer"),
        ("/held", json!(-1), "below 0"),
        ("/as_of", json!("yesterday"), "date-time"),
        ("/state", json!("asleep"), "active"),
        ("/account", json!(""), "empty"),
        ("/credit_limit", Value::Null, "integer"),
        ("/totals", json!({}), "missing"),
    ] {
        let mut changed = right.clone();
        *changed.pointer_mut(path).unwrap() = value;
        let wrong = shapes.check("balance", &changed).unwrap_err();
        assert!(wrong.contains(told), "{wrong}");
    }
    let mut more = right;
    more["colour"] = json!("red");
    assert!(shapes.check("balance", &more).unwrap_err().contains("colour"));
}
