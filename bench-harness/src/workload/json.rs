//! A JSON document as an owned tree: parsed, edited all over, written out.

use serde_json::{Map, Value};

use super::random::{Random, digest};
use super::{Job, Outcome, Workload, team};

/// The workload `json`.
pub(super) struct Json;

/// Documents per scale, when the document is as large as [`USUAL`] or larger; smaller ones are done more often.
const UNITS: usize = 16;
/// Bytes of the shipped document, about.
const USUAL: usize = 200_000;
/// How much more often a smaller document is done at most.
const OFTEN: usize = 128;
/// One member in so many is edited.
const EDITED: usize = 8;
/// Levels that are edited: copies of copies stay few in a document of any depth.
const DEEPEST: usize = 12;
/// Bytes requested per byte of the document: measured on the shipped one.
const TRAFFIC: u64 = 14;
const SALT: u64 = u64::from_le_bytes(*b"json....");

fn units(job: &Job<'_>) -> usize {
    let often = (USUAL / job.inputs.json.len().max(1)).clamp(1, OFTEN);
    UNITS * often * job.scale as usize
}

fn edit(value: &mut Value, depth: usize, random: &mut Random) {
    if depth == DEEPEST {
        return;
    }
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(|member| edit(member, depth + 1, random));
            edit_object(members, random);
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| edit(item, depth + 1, random));
            edit_array(items, random);
        }
        Value::String(text) => {
            if random.below(EDITED) == 0 {
                text.push_str(" (edited)");
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn edit_object(members: &mut Map<String, Value>, random: &mut Random) {
    let chosen: Vec<String> = members.keys().filter(|_| random.below(EDITED) == 0).cloned().collect();
    for name in chosen {
        match random.below(4) {
            0 => {
                if let Some(member) = members.remove(&name) {
                    members.insert(format!("{name}, renamed"), member);
                }
            }
            1 => {
                members.insert(format!("beside {name}"), Value::String(name));
            }
            2 => {
                members.remove(&name);
            }
            _ => {
                let copy = members.get(&name).cloned().unwrap_or_default();
                members.insert(format!("copy of {name}"), copy);
            }
        }
    }
}

fn edit_array(items: &mut Vec<Value>, random: &mut Random) {
    let chosen = items.len().div_ceil(EDITED);
    for _ in 0..chosen {
        let place = random.below(items.len().max(1));
        match random.below(4) {
            0 => items.insert(place.min(items.len()), Value::String(String::from("inserted"))),
            1 if !items.is_empty() => drop(items.remove(place)),
            2 if !items.is_empty() => items.push(items[place].clone()),
            _ => {}
        }
    }
}

impl Workload for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn about(&self) -> &'static str {
        "Parses a real JSON document into an owned tree, renames, inserts, removes and copies one member in eight, and \
         writes it out; one operation is one document (serde_json's Value, as configuration and API tools use it)."
    }

    fn traffic(&self, job: &Job<'_>) -> u64 {
        (units(job) * job.inputs.json.len()) as u64 * TRAFFIC
    }

    fn run(&self, job: &Job<'_>) -> Outcome {
        let shared = team::share(job.threads, units(job), |unit| {
            let mut document: Value =
                serde_json::from_slice(job.inputs.json).expect("inputs are checked when they are loaded");
            edit(&mut document, 0, &mut Random::new(job.seed, SALT, unit));
            let written = serde_json::to_vec(&document).expect("a tree of values can be written");
            digest(&written)
        });
        Outcome { operations: units(job) as u64, elapsed: shared.elapsed, checksum: shared.sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_follow_from_the_seed_and_change_the_document() {
        let text = r#"{"a":[1,2,[3,"x"]],"b":{"c":"d","e":null},"f":[],"g":{}}"#;
        let edited = |unit| {
            let mut document: Value = serde_json::from_str(text).expect("valid");
            edit(&mut document, 0, &mut Random::new(1, SALT, unit));
            document.to_string()
        };
        let all: std::collections::BTreeSet<String> = (0..100).map(edited).collect();
        assert!(all.len() > 50);
        assert_eq!(edited(7), edited(7));
    }

    #[test]
    fn a_deep_document_stays_small() {
        let deep = format!("{}{}", "[".repeat(120), "]".repeat(120));
        for unit in 0..100 {
            let mut document: Value = serde_json::from_str(&deep).expect("valid");
            edit(&mut document, 0, &mut Random::new(1, SALT, unit));
            assert!(document.to_string().len() < 1 << 20);
        }
    }
}
