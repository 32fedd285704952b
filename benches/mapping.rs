//! What a record costs between its page and the inventory: cut down to the mapped paths, then turned into values.
//!
//! `cargo bench --bench mapping`

use std::hint::black_box;
use std::time::Instant;

use intertie::mapping::compile::{Spec, compile};
use intertie::mapping::path::Path;
use intertie::mapping::projection::Projection;
use intertie::model::{DestinationField, FieldMapping, FieldType, Mapped, Time};
use serde_json::{Value, json};

const PAGE: u64 = 500;
const RECORDS: u32 = 200_000;

fn main() {
    // `cargo test --benches` runs benchmarks too; only `cargo bench` measures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    projection();
    values();
}

/// A page read three ways: into a type made for it, by projection, as whole values. The best of many.
fn projection() {
    #[derive(serde::Deserialize)]
    #[expect(dead_code, reason = "the fields are only read from JSON, which is what is measured")]
    struct Typed {
        id: u64,
        email: String,
        name: String,
        locale: String,
        verified: bool,
    }
    #[derive(serde::Deserialize)]
    struct Page {
        data: Vec<Typed>,
    }
    let user = |n: u64| {
        json!({"id": n, "email": format!("person{n}@example.com"), "name": format!("Person Number {n}"), "locale": "en-US",
            "time_zone": "EDT", "verified": true, "verified_time": "2025-03-01T10:00:00Z",
            "profiles": [{"site": 5, "role": "member", "created": "2024-01-01T00:00:00Z"}, {"site": 6, "role": "admin", "created": "2024-01-01T00:00:00Z"}],
            "avatar": "https://example.com/avatar/123456.png"})
    };
    let body = json!({"count": PAGE, "data": (0..PAGE).map(user).collect::<Vec<_>>(), "has_more": false}).to_string();
    let paths = ["id", "email", "name", "locale", "verified"].iter().map(|path| Path::parse(path).expect("a path")).collect();
    let (projection, list) = (Projection::new(paths), Path::key("data"));
    let page = PAGE as usize;
    let typed = best(|| serde_json::from_str::<Page>(&body).expect("a page").data.len() == page);
    let projected = best(|| projection.body(body.as_bytes(), Some(&list), &Projection::default()).expect("a body").rows.len() == page);
    let whole = best(|| serde_json::from_str::<Value>(&body).expect("a value")["data"].as_array().is_some_and(|data| data.len() == page));
    for (name, seconds) in [("page, typed", typed), ("page, projection", projected), ("page, whole values", whole)] {
        println!("{name:22} {:8.2} million records a second", PAGE as f64 / seconds / 1e6);
    }
}

/// Seconds of the quickest of 400; what it does has to come out right.
fn best(work: impl Fn() -> bool) -> f64 {
    let once = || {
        let start = Instant::now();
        assert!(black_box(work()));
        start.elapsed().as_secs_f64()
    };
    (0..400).map(|_| once()).fold(f64::MAX, f64::min)
}

/// A record's values, with nothing but paths, and with one expression among them.
fn values() {
    let kinds = [
        ("email", FieldType::Email),
        ("full_name", FieldType::Text),
        ("username", FieldType::Text),
        ("verified", FieldType::Boolean),
        ("last_login", FieldType::Time),
    ];
    let field = |(key, kind): (&str, FieldType)| DestinationField { key: key.into(), label: key.into(), kind, mandatory: false, custom: false };
    let fields = kinds.map(field);
    let record = json!({"email": "ada@example.com", "name": "Ada Lovelace", "id": 7, "ok": true, "seen": "2025-03-01T10:00:00Z"});
    for (name, from) in [("record, paths", Mapped::Path("name".into())), ("record, expression", Mapped::Expression("name | upper".into()))] {
        let path = |text: &str| Mapped::Path(text.into());
        let mapped =
            [("email", path("email")), ("full_name", from), ("username", path("id")), ("verified", path("ok")), ("last_login", path("seen"))];
        let mappings = mapped.map(|(field, from)| FieldMapping { field: field.into(), from });
        let (mappings, fields) = (&mappings[..], &fields[..]);
        let spec = Spec { mappings, fields, saas_fields: None, filter: None, active: None, credential: "bench", sync_time: Time::now() };
        let compiled = compile(&spec).expect("mappings that compile");
        let slots = compiled.projection().record(&record).expect("a record");
        let start = Instant::now();
        for _ in 0..RECORDS {
            black_box(compiled.evaluate(black_box(&slots)));
        }
        println!("{name:22} {:8.2} µs a record", start.elapsed().as_secs_f64() * 1e6 / f64::from(RECORDS));
    }
}
