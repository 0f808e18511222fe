//! The table of operations: the parser reads every field of it, and what is written from it is as committed.

use counterfoil::schema::{FieldKind, OPERATIONS, answer_schema, question_schema, request_schema};
use counterfoil::{Error, Ledger, Request};
use serde_json::{Value, json};

fn committed(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A schema as it is committed: what it lists stands one a line, so that a change shows which.
fn lines(schema: &Value) -> String {
    let line = |(name, value): (&String, &Value)| match value {
        Value::Array(kinds) => {
            let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
            format!("\"{name}\":[\n{}\n]", kinds.join(",\n"))
        }
        Value::Object(shapes) => {
            let shapes: Vec<String> = shapes.iter().map(|(name, shape)| format!("\"{name}\":{shape}")).collect();
            format!("\"{name}\":{{\n{}\n}}", shapes.join(",\n"))
        }
        _ => format!("\"{name}\":{value}"),
    };
    let mut parts: Vec<String> = schema.as_object().unwrap().iter().map(line).collect();
    // What it is, before what is in it.
    parts.sort_by_key(|part| part.contains('\n'));
    format!("{{{}}}\n", parts.join(","))
}

/// An app checks its requests and questions against the schemas before it sends them, and reads the answers by theirs. With
/// `COUNTERFOIL_BLESS` set they are written anew.
#[test]
fn the_committed_schemas_are_the_tables_and_the_types() {
    for (path, schema) in [
        ("docs/request.schema.json", request_schema()),
        ("docs/question.schema.json", question_schema()),
        ("docs/answer.schema.json", answer_schema()),
    ] {
        let made = lines(&schema);
        if std::env::var_os("COUNTERFOIL_BLESS").is_some() {
            std::fs::write(format!("{}/{path}", env!("CARGO_MANIFEST_DIR")), &made).unwrap();
        }
        assert!(committed(path) == made, "run this test with COUNTERFOIL_BLESS=1 and look at what changed in {path}");
    }
}

#[test]
fn the_readme_lists_the_operations() {
    let readme = committed("README.md");
    for operation in OPERATIONS {
        let mut fields: Vec<String> = Vec::new();
        for field in operation.target.into_iter().chain(operation.fields) {
            let name = field.group.map_or_else(|| format!("`{}`", field.name), str::to_string);
            if fields.last() != Some(&name) {
                fields.push(name);
            }
        }
        let row = format!("| `{}` | {} | {} |", operation.name, operation.help, fields.join(", "));
        assert!(readme.lines().any(|line| line == row), "{row}");
    }
}

/// A field that stands in the table and that nobody reads would be taken and silently ignored. So each, given as a list of lists
/// (which no field is), must be what the refusal is about.
#[test]
fn every_field_of_the_table_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(folder.path().join("points.ledger")).unwrap();
    let mut tried = 0;
    for operation in OPERATIONS {
        for wrong in operation.all_fields() {
            let mut request = Request::new(operation.name);
            let needed = operation.all_fields().filter(|field| field.required.is_some() || field.name == "points");
            for field in needed {
                request = request.with(
                    field.name,
                    match field.kind {
                        FieldKind::Id => json!("3be1b92f-83cd-859d-8000-000000100001"),
                        FieldKind::Uuid => json!("3be1b92f-83cd-459d-8000-000000100001"),
                        FieldKind::Hash => json!("7".repeat(64)),
                        FieldKind::Choice(words) => json!(words[1]),
                        FieldKind::Name | FieldKind::Text(_) => json!("some"),
                        _ => json!(1),
                    },
                );
            }
            let Err(Error::InvalidArgument { field, message, .. }) =
                ledger.apply(&request.with(wrong.name, json!([[]])))
            else {
                panic!("{} takes a list as {}", operation.name, wrong.name);
            };
            assert_eq!(field, wrong.name, "{}: {message}", operation.name);
            assert!(!message.contains("has no field"), "{}: {message}", operation.name);
            tried += 1;
        }
    }
    assert!(tried > 150, "{tried}");
}
