//! Saved answers, replayed without a screen.

use intertie::ops::{Config, Workspace, answers};
use intertie::practice;
use serde_json::Value;

use super::cli::{Shell, with_practice};

/// A credential without what no two of them share.
fn essence(credential: &Value) -> Value {
    let mut essence = credential.clone();
    let members = essence.as_object_mut().unwrap();
    for own in ["id", "created", "tested", "last_test", "access_expires", "refresh_expires", "test", "known"] {
        members.remove(own);
    }
    essence
}

fn replay(file: &std::path::Path) -> Value {
    let shell = Shell::new();
    let file = file.display().to_string();
    let mut command = shell.command(&["credential", "add", "practice-clickwrap", "--answers", &file, "--json"]);
    let output = command.env("INTERTIE_PRACTICE_CLIENT_SECRET", practice::CLIENT_SECRET).output().unwrap();
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
        answers::save(&ws, "Practice", &file).unwrap();
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
        let (address, client) = (format!("address={}", vendor.base_url), format!("client_id={}", practice::CLIENT_ID));
        let reference = format!("client_secret=file:{}", secret.display());
        let add = ["credential", "add", "practice-clickwrap", "--name", "Practice", "--set", &address, "--set", &client, "--reference", &reference];
        let first = shell.json(&add, 0);
        let ws = Workspace::open(&shell.workspace(), Config::default());
        let file = shell.home.path().join("practice.answers.toml");
        answers::save(&ws, "Practice", &file).unwrap();
        let second = replay(&file);
        assert_eq!(essence(&second), essence(&first), "{}", std::fs::read_to_string(&file).unwrap());
        assert_eq!(second["references"]["client_secret"], format!("file:{}", secret.display()));
    });
}
