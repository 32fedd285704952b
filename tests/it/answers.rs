//! Saved answers, replayed without a screen.

use crate::searched::{Captured as _, Ended as _};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Stdio;

use intertie::ops::{Config, Workspace, answers};
use intertie::practice;
use serde_json::Value;

use super::cli::{Shell, with_practice};
use super::handoff::visit;

/// A credential without what no two of them share.
fn essence(credential: &Value) -> Value {
    let mut essence = credential.clone();
    let members = essence.as_object_mut().unwrap();
    for own in ["id", "created", "tested", "last_test", "access_expires", "refresh_expires", "test", "known"] {
        members.remove(own);
    }
    essence
}

fn replay(file: &Path) -> Value {
    let shell = Shell::new();
    let file = file.display().to_string();
    let mut command = shell.command(&["credential", "add", "practice-clickwrap", "--answers", &file, "--json"]);
    let output = command.env("INTERTIE_PRACTICE_CLIENT_SECRET", practice::CLIENT_SECRET).captured();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_same_answers_give_the_same_credential() {
    with_practice(|vendor| {
        let shell = Shell::new();
        let first = shell.connect(&vendor.base_url);
        let ws = Workspace::open(&shell.workspace(), Config::default());
        let file = shell.home.path().join("practice.answers.toml");
        answers::save(&ws, &answers::Of::Credential("Practice".to_owned()), &file).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains(practice::CLIENT_SECRET), "{text}");
        let (second, third) = (replay(&file), replay(&file));
        assert_eq!(essence(&second), essence(&first), "{text}");
        assert_eq!(essence(&third), essence(&second));
        assert_eq!(second["status"], "valid");
    });
}

#[test]
fn a_reference_stays_the_reference_that_it_is() {
    with_practice(|vendor| {
        let shell = Shell::new();
        let secret = shell.home.path().join("secret");
        std::fs::write(&secret, practice::CLIENT_SECRET).unwrap();
        crate::searched::own(&secret, "a reference to it is kept; the file is the person's");
        let (address, client) = (format!("address={}", vendor.base_url), format!("client_id={}", practice::CLIENT_ID));
        let reference = format!("client_secret=file:{}", secret.display());
        let add = ["credential", "add", "practice-clickwrap", "--name", "Practice", "--set", &address, "--set", &client, "--reference", &reference];
        let first = shell.json(&add, 0);
        let ws = Workspace::open(&shell.workspace(), Config::default());
        let file = shell.home.path().join("practice.answers.toml");
        answers::save(&ws, &answers::Of::Credential("Practice".to_owned()), &file).unwrap();
        let second = replay(&file);
        assert_eq!(essence(&second), essence(&first), "{}", std::fs::read_to_string(&file).unwrap());
        assert_eq!(second["references"]["client_secret"], format!("file:{}", secret.display()));
    });
}

/// From a file by the command alone; the browser is an HTTP client.
fn consented(vendor: &practice::Practice, file: &Path) -> (Shell, Value) {
    let shell = Shell::new();
    let file = file.display().to_string();
    let mut command = shell.command(&["credential", "add", "practice-clickwrap", "--answers", &file, "--no-browser", "--json"]);
    command.env_remove("CLIENT_SECRET").env("PRACTICE_SECRET", practice::CLIENT_SECRET);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let (mut line, mut all) = (String::new(), String::new());
    while !line.trim().starts_with("http") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "no address was shown: {all}");
        all.push_str(&line);
    }
    let page = visit(&vendor.consent(line.trim(), true).unwrap());
    assert!(page.contains("is connected"), "{page}");
    told.read_to_string(&mut all).unwrap();
    let output = child.captured();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{all}");
    let credential = serde_json::from_str(&text).unwrap();
    (shell, credential)
}

#[test]
fn two_runs_of_one_file_with_consent_differ_in_nothing_but_ids_and_times() {
    with_practice(|vendor| {
        let dir = crate::searched::place();
        let file = dir.path().join("practice.answers.toml");
        let text = format!(
            r#"
            method = "oauth2_code"
            name = "By consent"
            scopes = ["members:read", "offline_access"]
            [settings]
            address = "{}"
            account_id = "{}"
            client_id = "{}"
            [secrets]
            client_secret = "env:PRACTICE_SECRET"
            "#,
            vendor.base_url,
            practice::ACCOUNT,
            practice::CLIENT_ID
        );
        std::fs::write(&file, &text).unwrap();
        let (one, first) = consented(vendor, &file);
        let (other, second) = consented(vendor, &file);
        assert_ne!(first["id"], second["id"]);
        assert_eq!(essence(&first), essence(&second));
        assert_eq!((&first["status"], &first["method"], &first["name"]), (&"valid".into(), &"oauth2_code".into(), &"By consent".into()));
        // As they are kept, too.
        let shown = |shell: &Shell| essence(&shell.json(&["credential", "show", "By consent"], 0));
        assert_eq!(shown(&one), shown(&other));
        assert_eq!(shown(&one)["granted"], serde_json::json!(["members:read", "offline_access"]));
    });
}
