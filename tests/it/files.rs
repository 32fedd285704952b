//! Files as a source: large, marked, quoted, and partly bad.

use std::fmt::Write as _;
use std::sync::Arc;

use intertie::catalog::template::Context;
use intertie::mapping::{path::Path, projection::Projection};
use intertie::model::{Connector, Problem, RecordError, Sink};
use intertie::vendor::source::{self, Source};
use serde_json::{Value, json};

fn connector() -> Arc<Connector> {
    let text = "schema = 1\nid = 'file'\nname = 'File'\n[[resource]]\nid = 'people'\nname = 'People'\nkind = 'users'\nkey = 'id'\nformat = 'file'\npath = '{{ input.path }}'";
    Arc::new(toml::from_str(text).unwrap())
}

fn context(path: &std::path::Path) -> Context {
    let mut context = Context::default();
    context.input.insert("path".to_owned(), path.display().to_string());
    context
}

/// Rows as (line, slots), and bad ones.
type Read = (Vec<(u64, Vec<Value>)>, Vec<RecordError>);

async fn read(path: &std::path::Path, paths: &[&str]) -> Result<Read, Problem> {
    let connector = connector();
    let projection = Projection::new(paths.iter().map(|path| Path::parse(path).unwrap()).collect());
    let mut source = Source::open(connector.clone(), &connector.resources[0], &context(path), None, projection, &Sink::none())?;
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    while let Some(page) = source.next().await? {
        assert!(page.rows.len() + page.bad.len() <= 1000);
        rows.extend(page.rows.into_iter().map(|row| (row.number, row.slots)));
        bad.extend(page.bad);
    }
    Ok((rows, bad))
}

#[tokio::test]
async fn a_hundred_thousand_rows_with_a_mark_quotes_and_some_bad_ones() {
    let mut text = "\u{feff}id,\"full name\",e-mail,note\r\n".as_bytes().to_vec();
    let (mut good, mut bad, mut line) = (Vec::new(), Vec::new(), 2);
    for i in 0..100_000 {
        match i {
            // Too few fields, too many, bytes that are no UTF-8, a quotation mark that nobody closes.
            777 | 50_000 => text.extend_from_slice(format!("{i},short\r\n").as_bytes()),
            12_345 => text.extend_from_slice(format!("{i},a,b,c,d\r\n").as_bytes()),
            33_333 => text.extend_from_slice(b"33333,caf\xe9,x@example.org,\r\n"),
            64_000 => text.extend_from_slice(format!("{i},\"never closed,x@example.org,\r\n").as_bytes()),
            _ => {
                let (name, lines) = match i % 4 {
                    0 => (format!("\"Löwe, \"\"Leo\"\" {i}\""), 1),
                    1 => (format!("\"two\r\nlines {i}\""), 2),
                    _ => (format!("Zoë {i}"), 1),
                };
                text.extend_from_slice(format!("{i},{name},p{i}@example.org,\r\n").as_bytes());
                good.push((line, i));
                line += lines;
                continue;
            }
        }
        bad.push(line);
        line += 1;
    }
    let dir = crate::searched::place();
    let path = dir.path().join("people.csv");
    std::fs::write(&path, text).unwrap();
    let (rows, errors) = read(&path, &["id", "[\"full name\"]", "note"]).await.unwrap();
    assert_eq!(errors.iter().map(|error| error.number).collect::<Vec<u64>>(), bad);
    assert_eq!(rows.len(), 100_000 - 5);
    assert_eq!(rows.iter().map(|(line, slots)| (*line, slots[0].as_str().unwrap().parse::<u64>().unwrap())).collect::<Vec<_>>(), good);
    assert_eq!(rows[0].1, [json!("0"), json!("Löwe, \"Leo\" 0"), json!(null)]);
    assert_eq!(rows[1].1[1], json!("two\r\nlines 1"));
}

#[tokio::test]
async fn lines_of_json() {
    let mut text = String::from("\u{feff}");
    for i in 0..20_000 {
        match i {
            5 => text.push_str("{\"id\":5,\n"),
            6 => text.push_str("null\n"),
            7 => text.push_str(&format!("{{\"id\":7,\"profile\":{{\"mail\":{}1{}}}}}\n", "[".repeat(10_000), "]".repeat(10_000))),
            _ => drop(writeln!(text, "{{\"profile\":{{\"mail\":\"p{i}@example.org\"}},\"id\":{i}}}")),
        }
    }
    let dir = crate::searched::place();
    let path = dir.path().join("people.jsonl");
    std::fs::write(&path, text).unwrap();
    let (rows, bad) = read(&path, &["id", "profile.mail"]).await.unwrap();
    assert_eq!(rows.len(), 20_000 - 3);
    assert_eq!(bad.iter().map(|error| error.number).collect::<Vec<_>>(), [6, 7, 8]);
    assert_eq!(rows[5], (9, vec![json!(8), json!("p8@example.org")]));
}

#[tokio::test]
async fn samples_stop_early_and_hostile_names_are_harmless() {
    let dir = crate::searched::place();
    let path = dir.path().join("people \u{1b}[31m\u{202e}.json");
    std::fs::write(&path, format!("[{}\"id\":\"\u{1f600}\"}}]", "{\"id\":1,\"x\":[1]},".repeat(50_000) + "{")).unwrap();
    let connector = connector();
    let (records, total) = source::sample(connector.clone(), &connector.resources[0], &context(&path), None, 5, &Sink::none()).await.unwrap();
    assert_eq!((records, total), (vec![json!({"id": 1, "x": [1]}); 5], None));
    std::fs::write(&path, "[{\"id\":").unwrap();
    let problem = read(&path, &["id"]).await.unwrap_err();
    assert!(intertie::words::clean::is_clean(&problem.why), "{problem:?}");
    let missing = read(&dir.path().join("nothing.csv"), &["id"]).await.unwrap_err();
    assert_eq!(missing.exit_code(), 2);
}
