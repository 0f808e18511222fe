//! The table of operations: the parser reads every field of it, and what is written from it is as committed.

use counterfoil::schema::{FieldKind, OPERATIONS, question_schema, request_schema};
use counterfoil::{Error, Ledger, Request};
use serde_json::json;

fn committed(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// An app checks its requests and questions against the schemas before it sends them. With `COUNTERFOIL_BLESS` set they are
/// written anew.
#[test]
fn the_committed_schemas_are_the_tables() {
    for (path, schema) in
        [("docs/request.schema.json", request_schema()), ("docs/question.schema.json", question_schema())]
    {
        let kinds: Vec<String> = schema["oneOf"].as_array().unwrap().iter().map(ToString::to_string).collect();
        // One a line, so that a change shows which.
        let made = format!(
            "{{\"$schema\":{},\"title\":{},\"oneOf\":[\n{}\n]}}\n",
            schema["$schema"],
            schema["title"],
            kinds.join(",\n")
        );
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

/// A field that stands in the table and that nobody reads would be taken and silently ignored. So each, given as a list
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
                        FieldKind::Choice(words) => json!(words[1]),
                        FieldKind::Name | FieldKind::Text(_) => json!("some"),
                        _ => json!(1),
                    },
                );
            }
            let Err(Error::InvalidArgument { field, message, .. }) = ledger.apply(&request.with(wrong.name, json!([])))
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
