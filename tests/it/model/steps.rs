//! Histories as data. Lines name a target by the step that made it, so that
//! a history stays meaningful when steps are taken out of it.

use super::books::Reading;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub struct Step {
    /// Stays with the step when others are dropped.
    pub id: usize,
    pub reading: Reading,
    pub act: Act,
}

#[derive(Clone, Debug)]
pub enum Act {
    /// A line of design §9; targets are `{"step": id}`, a batch's also has `"i"`.
    Line(Value),
    Expire,
    Read {
        account: String,
        at: Option<i64>,
        points: i64,
    },
}

/// Which operation each step made, in one run of one system.
#[derive(Clone, Debug, Default)]
pub struct Made(BTreeMap<usize, String>);

impl Made {
    /// Notes a receipt: also a replay "made" its original.
    pub fn note(&mut self, step: usize, receipt: &Value) {
        if let Some(id) = receipt["operation"].as_str() {
            self.0.insert(step, id.trim_start_matches("op:").to_string());
        }
    }

    /// Operations named by the step that made them: their numbers depend on how many sweeps were booked between.
    pub fn by_step(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.by_step(item)),
            Value::Object(fields) => {
                fields.retain(|name, _| !["sequence", "batch_number"].contains(&name.as_str()));
                fields.values_mut().for_each(|value| self.by_step(value));
            }
            Value::String(text) => {
                let Some((kind @ ("op" | "batch" | "hold" | "plan"), id)) = text.split_once(':') else { return };
                let (number, which) = id.split_once('.').unwrap_or((id, "1"));
                if let Some((step, _)) = self.0.iter().find(|(_, made)| *made == number) {
                    *text = format!("{kind} of step {step}, {which}");
                }
            }
            _ => {}
        }
    }

    /// The line with ids for targets; what no step made is unknown.
    pub fn resolve(&self, line: &Value) -> Value {
        let mut line = line.clone();
        for field in ["hold", "batch", "plan", "operation"] {
            let target = line[field].clone();
            let Some(step) = target["step"].as_u64() else {
                if target.is_null() {
                    line.as_object_mut().expect("a line is an object").remove(field);
                }
                continue;
            };
            let number = self.0.get(&(step as usize)).map_or("999999", |number| number);
            line[field] = json!(match field {
                "hold" => format!("hold:{number}"),
                "plan" => format!("plan:{number}"),
                "batch" => format!("batch:{number}.{}", target["i"].as_u64().unwrap_or(1)),
                _ => format!("op:{number}"),
            });
        }
        line
    }
}

/// What a history is run against: this model, or the real library.
///
/// Ids are "op:N", "batch:N.i", "hold:N" and "plan:N" on both sides.
pub trait System {
    /// The receipt, or the refusal's code.
    fn apply(&mut self, line: &Value, reading: Reading) -> Result<Value, String>;
    fn expire(&mut self, reading: Reading) -> i64;
    fn balance(&mut self, account: &str, at: Option<i64>, reading: Reading) -> Value;
    fn check(&mut self, account: &str, points: i64, reading: Reading) -> Value;
    /// Opening, closing, and of each line number, kind and instant; or the refusal's code.
    fn statement(&mut self, account: &str, from: Option<i64>, to: Option<i64>, reading: Reading) -> Value;
    fn history(&mut self, account: &str, reading: Reading) -> Vec<Value>;
    fn batches(&mut self, account: &str, reading: Reading) -> Vec<Value>;
    fn holds(&mut self, account: &str, reading: Reading) -> Vec<Value>;
    fn plans(&mut self, account: &str, reading: Reading) -> Vec<Value>;
    fn accounts(&mut self) -> Vec<String>;
}

impl System for super::books::Model {
    fn apply(&mut self, line: &Value, reading: Reading) -> Result<Value, String> {
        self.apply(line, reading).map_err(|refusal| refusal.code)
    }
    fn expire(&mut self, reading: Reading) -> i64 {
        self.expire(reading)
    }
    fn balance(&mut self, account: &str, at: Option<i64>, reading: Reading) -> Value {
        (*self).balance(account, at, reading)
    }
    fn check(&mut self, account: &str, points: i64, reading: Reading) -> Value {
        (*self).check(account, points, reading)
    }
    fn statement(&mut self, account: &str, from: Option<i64>, to: Option<i64>, reading: Reading) -> Value {
        (*self).statement(account, from, to, reading)
    }
    fn history(&mut self, account: &str, reading: Reading) -> Vec<Value> {
        (*self).history(account, reading)
    }
    fn batches(&mut self, account: &str, reading: Reading) -> Vec<Value> {
        (*self).batches(account, reading)
    }
    fn holds(&mut self, account: &str, reading: Reading) -> Vec<Value> {
        (*self).holds(account, reading)
    }
    fn plans(&mut self, account: &str, reading: Reading) -> Vec<Value> {
        (*self).plans(account, reading)
    }
    fn accounts(&mut self) -> Vec<String> {
        (*self).accounts()
    }
}
