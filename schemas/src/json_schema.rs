//! JSON Schema of what hangdog writes, made from the types. The files under `schemas/json/v1/` are these,
//! and a test compares them.

use crate::{Record, Report};

/// JSON Schema (draft 2020-12) of a line of a capture.
pub fn record() -> serde_json::Value {
    named(schemars::schema_for!(Record), "record.json")
}

/// JSON Schema (draft 2020-12) of a report.
pub fn report() -> serde_json::Value {
    named(schemars::schema_for!(Report), "report.json")
}

fn named(mut schema: schemars::Schema, file: &str) -> serde_json::Value {
    let id = format!("https://raw.githubusercontent.com/hangdog-rs/hangdog/main/schemas/json/v1/{file}");
    schema.insert("$id".to_owned(), id.into());
    schema.to_value()
}
