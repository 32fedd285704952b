//! The real binary, as a script uses it: exit codes, JSON shapes, no secret in what it prints, and the whole journey against the practice
//! vendor.

use crate::searched::{Captured as _, Ended as _};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use intertie::practice;
use serde_json::{Value, json};

pub const BINARY: &str = env!("CARGO_BIN_EXE_intertie");
/// A secret that must not appear anywhere.
pub const SECRET: &str = "s3cr3t-that-nobody-sees";

pub struct Shell {
    pub home: crate::searched::Place,
}

impl Shell {
    pub fn new() -> Self {
        Self { home: crate::searched::place() }
    }

    pub fn workspace(&self) -> std::path::PathBuf {
        self.home.path().join("acme")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        // Nothing of whoever runs the tests reaches the program.
        command.args(arguments).env_clear().env("HOME", self.home.path()).env("INTERTIE_WORKSPACE", self.workspace()).stdin(Stdio::null());
        command.env("CLIENT_SECRET", practice::CLIENT_SECRET).env("OTHER_SECRET", SECRET);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).captured()
    }

    /// Runs it with `--json`, checks the exit code, and reads the one document.
    pub fn json(&self, arguments: &[&str], code: i32) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{text}"))
    }

    /// Runs it for people, checks the exit code, and gives what it printed: standard output and standard error.
    fn text(&self, arguments: &[&str], code: i32) -> (String, String) {
        let output = self.run(arguments);
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
        (out, err)
    }

    /// A credential for a practice vendor, by client id and secret.
    pub fn connect(&self, address: &str) -> Value {
        let address = format!("address={address}");
        let account = format!("account_id={}", practice::ACCOUNT);
        let client = format!("client_id={}", practice::CLIENT_ID);
        let add = ["credential", "add", "practice-clickwrap", "--name", "Practice", "--set", &address, "--set", &account, "--set", &client];
        self.json(&[&add[..], &["--set", "client_secret=env:CLIENT_SECRET"]].concat(), 0)
    }

    /// An integration of that credential that can be launched.
    pub fn draft(&self) -> Value {
        self.json(&["integration", "new", "Members", "--credential", "Practice", "--resource", "members", "--deactivate"], 0);
        self.json(&["mapping", "suggest", "Members", "--apply"], 0);
        self.json(&["mapping", "set", "Members", "user_type==employee"], 0)
    }
}

pub fn with_practice<T>(work: impl FnOnce(&practice::Practice) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let vendor = runtime.block_on(practice::start(practice::Options::default())).unwrap();
    work(&vendor)
}

/// Every command, as the words that lead to it.
fn commands(command: &clap::Command, way: &[String], into: &mut Vec<Vec<String>>) {
    for inner in command.get_subcommands() {
        let way = [way, &[inner.get_name().to_owned()]].concat();
        commands(inner, &way, into);
        into.push(way);
    }
}

#[test]
fn every_command_has_help_that_renders() {
    let shell = Shell::new();
    let mut all = vec![vec![]];
    commands(&intertie::cli::command(), &[], &mut all);
    assert!(all.len() > 40, "{all:?}");
    for way in all {
        let arguments: Vec<&str> = way.iter().map(String::as_str).chain(["--help"]).collect();
        let (out, err) = shell.text(&arguments, 0);
        assert!(out.contains("Usage: intertie") && out.contains("--json") && err.is_empty(), "{way:?}\n{out}{err}");
    }
    assert!(!shell.workspace().exists(), "help made a workspace");
}

#[test]
fn the_manual_and_the_completions_name_every_noun() {
    let shell = Shell::new();
    let (manual, _) = shell.text(&["man"], 0);
    assert!(manual.contains("intertie\\-credential\\-add") && manual.contains("intertie\\-run\\-errors"), "{manual}");
    for kind in ["bash", "zsh", "fish"] {
        let (script, _) = shell.text(&["completions", kind], 0);
        for noun in ["connector", "credential", "integration", "mapping", "permission", "run", "data", "notice", "schedule", "vault", "doctor"] {
            assert!(script.contains(noun), "{kind}: {noun}");
        }
    }
}

#[test]
fn the_version_is_said_at_once() {
    let shell = Shell::new();
    for flag in ["--version", "-V"] {
        assert_eq!(shell.text(&[flag], 0).0, concat!("intertie ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}

#[test]
fn wrong_words_are_usage_errors_in_the_form_that_was_asked_for() {
    let shell = Shell::new();
    for arguments in [
        &["connector", "lits"][..],
        &["credential"],
        &["run"],
        &["data", "peolpe"],
        &["run", "Members", "--limit", "many"],
        &["credential", "show", "nobody"],
        &["integration", "launch", "nothing"],
        &["mapping", "show", "nothing"],
        &["run", "show", "run_nothing"],
        &["connector", "show", "nobody"],
    ] {
        let error = &shell.json(arguments, 2)["error"];
        for part in ["what", "why", "next_step"] {
            assert!(error[part].as_str().is_some_and(|text| !text.is_empty()), "{arguments:?}: {error}");
        }
        assert!(error.get("code").is_some(), "{arguments:?}: {error}");
    }
    let (out, err) = shell.text(&["connector", "show", "nobody"], 2);
    assert!(out.is_empty() && err.lines().count() == 3, "{err}");
}

#[test]
fn a_console_without_a_terminal_says_so() {
    for arguments in [&[][..], &["demo"]] {
        let (out, err) = Shell::new().text(arguments, 2);
        assert!(out.is_empty() && err.contains("terminal"), "{err}");
    }
}

#[test]
fn a_faulty_configuration_is_told_with_file_and_line() {
    let shell = Shell::new();
    let file = shell.home.path().join("config.toml");
    std::fs::write(&file, "theme = \"dark\"\nmuose = true\n").unwrap();
    let error = &shell.json(&["vault", "status", "--config", file.to_str().unwrap()], 2)["error"];
    assert!(error["what"].as_str().unwrap().contains("config.toml, line 2"), "{error}");
    let error = &shell.json(&["vault", "status", "--config", "/nowhere/config.toml"], 2)["error"];
    assert!(error["what"].as_str().unwrap().contains("/nowhere/config.toml"), "{error}");
    // The example is one that can be used as it stands.
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml");
    shell.json(&["vault", "status", "--config", example.to_str().unwrap()], 0);
}

#[test]
fn the_catalog_narrows_by_flags_that_combine() {
    let shell = Shell::new();
    let ids = |arguments: &[&str]| {
        let found = shell.json(&[&["connector", "list"], arguments].concat(), 0);
        found.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = ids(&[]);
    let users = ids(&["--users"]);
    assert!(users.len() > 80 && users.len() < all.len());
    assert_eq!(ids(&["--reads", "users"]), users);
    let (hr, crm) = (ids(&["--category", "hr"]), ids(&["--category", "CRM"]));
    assert!(hr.contains(&"bamboohr".to_owned()) && crm.contains(&"salesforce".to_owned()));
    assert_eq!(ids(&["--category", "hr", "--category", "crm"]).len(), hr.iter().chain(&crm).collect::<std::collections::HashSet<_>>().len());
    assert!(ids(&["--category", "hr", "--method", "oauth2-code", "--users"]).len() < hr.len());
    assert_eq!(ids(&["--method", "oauth2_code"]), ids(&["--method", "oauth2-code"]));
    assert!(ids(&["--status", "preview"]).contains(&"hyper-v".to_owned()));
    for nothing in [&["--connected"][..], &["--recent"], &["--own"]] {
        assert_eq!(ids(nothing), Vec::<String>::new(), "{nothing:?}");
    }
    // Looking made no workspace.
    assert!(!shell.workspace().join("intertie.db").exists());
    assert_eq!(ids(&["--search", "hyperv"])[0], "hyper-v");
    assert_eq!(ids(&["--search", "courrier"])[0], "mail");
    shell.json(&["connector", "list", "--method", "telepathy"], 2);
    let row = &shell.json(&["connector", "list", "--search", "okta"], 0)[0];
    assert_eq!((&row["reads"][0], &row["connected"]), (&json!("users"), &Value::Null));
    let (_, said) = shell.text(&["connector", "list", "--search", "qqqqqq"], 0);
    assert!(said.contains("--category generic"), "{said}");

    // A definition of the workspace's own, which replaces a built-in one, and one of its own.
    std::fs::create_dir_all(shell.workspace().join("connectors")).unwrap();
    std::fs::write(
        shell.workspace().join("connectors/acme-desk.toml"),
        "schema = 1\nid = \"acme-desk\"\nname = \"Acme Desk\"\nextends = \"zendesk\"\n",
    )
    .unwrap();
    assert_eq!(ids(&["--own"]), ["acme-desk"]);
    assert!(ids(&["--users"]).contains(&"acme-desk".to_owned()));
}

#[test]
fn a_checklist_says_what_connecting_takes() {
    let shell = Shell::new();
    let (said, _) = shell.text(&["connector", "show", "slack", "--method", "oauth2_code", "--checklist"], 0);
    assert!(said.contains("[ ] Register the redirect URI https://") && said.contains("[ ] Client secret (secret)"), "{said}");
    let list = shell.json(&["connector", "show", "okta", "--checklist"], 0);
    assert_eq!((&list["method"], &list["default"], &list["consent"]), (&json!("api_key"), &json!(true), &json!(false)));
    assert_eq!(list["values"][1]["secret"], json!(true));
    assert_eq!(list["reads"][0]["paging"], json!("link_header"));
    let resolved = &shell.json(&["connector", "show", "microsoft-365", "--set", "cloud=us-government-l4"], 0)["resolved"];
    assert_eq!(resolved["missing"], json!(["tenant"]));
    let (said, _) = shell.text(&["connector", "show", "microsoft-365", "--set", "cloud=us-government-l4"], 0);
    assert!(said.contains("tenant: give them with --set"), "{said}");
    let (said, _) = shell.text(&["connector", "show", "microsoft-365", "--set", "tenant=contoso.onmicrosoft.com"], 0);
    assert!(
        said.contains("https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token") && !said.contains("give them with --set"),
        "{said}"
    );
}

#[test]
fn the_catalog_is_listed_searched_shown_and_checked() {
    let shell = Shell::new();
    let list = shell.json(&["connector", "list"], 0);
    let rows = list.as_array().unwrap();
    for id in ["ironclad-clickwrap", "icertis", "contractbook", "apporetum", "oomnitza", "microsoft-365", "okta", "github", "zendesk", "slack"] {
        let row = rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("{id} is missing"));
        for key in ["name", "status", "category", "auth", "resources", "origin"] {
            assert!(!row[key].is_null(), "{id}: {key}");
        }
        let methods = row["auth"].as_array().unwrap();
        assert_eq!(methods.iter().filter(|method| method["default"] == true).count(), 1, "{id}");
    }
    let found = shell.json(&["connector", "list", "--search", "clikwrap"], 0);
    assert!(found.as_array().unwrap().iter().any(|row| row["id"] == "ironclad-clickwrap"), "{found}");

    let shown = shell.json(&["connector", "show", "icertis", "--method", "oauth2_code"], 0);
    for key in ["inputs", "authorize_url", "token_url", "scopes", "checks", "resources", "auth"] {
        assert!(!shown[key].is_null(), "{key}: {shown}");
    }
    shell.json(&["connector", "show", "icertis", "--method", "telepathy"], 2);

    assert_eq!(shell.json(&["connector", "check"], 0), json!([]));
    let file = shell.home.path().join("mine.toml");
    std::fs::write(&file, "schema = 1\nid = \"mine\"\nname = \"Mine\"\nnonsense = true\n").unwrap();
    let faults = shell.json(&["connector", "check", file.to_str().unwrap()], 1);
    let fault = faults.as_array().unwrap().iter().find(|fault| fault["line"] == 4).unwrap_or_else(|| panic!("{faults}"));
    assert!(fault["file"].as_str().unwrap().ends_with("mine.toml"), "{fault}");
    assert!(fault["what"].as_str().unwrap().contains("nonsense") && !fault["mend"].as_str().unwrap().is_empty(), "{fault}");
}

#[test]
fn missing_inputs_without_a_terminal_name_the_flags() {
    let shell = Shell::new();
    let error = &shell.json(&["credential", "add", "ironclad-clickwrap"], 2)["error"];
    let next = error["next_step"].as_str().unwrap();
    assert!(next.contains("--set client_id=") && next.contains("--set client_secret=env:"), "{error}");
    let error = &shell.json(&["credential", "add", "ironclad-clickwrap", "--set", "clientid=x"], 2)["error"];
    assert!(error["why"].as_str().unwrap().contains("client_id"), "{error}");
    assert_eq!(shell.json(&["credential", "list"], 0), json!([]));
}

#[test]
fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
    let shell = Shell::new();
    let secret = format!("client_secret={SECRET}");
    for arguments in [
        vec!["credential", "add", "ironclad-clickwrap", "--set", "client_id=a", "--set", "account_id=1", "--set", &secret],
        // Where no secret belongs at all.
        vec!["credential", "add", "ironclad-clickwrap", "--set", SECRET],
    ] {
        for extra in [&[][..], &["--json"]] {
            let output = shell.run(&[&arguments[..], extra].concat());
            assert_eq!(output.status.code(), Some(2));
            let all = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(!all.contains(SECRET), "{all}");
            assert!(!all.is_empty());
        }
    }
}

/// Whether any file below a directory holds these bytes.
fn holds(dir: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() { holds(&path, bytes) } else { std::fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes) }
    })
}

#[test]
fn a_refused_secret_is_said_to_be_and_never_shown() {
    with_practice(|vendor| {
        let shell = Shell::new();
        let address = format!("address={}", vendor.base_url);
        let account = format!("account_id={}", practice::ACCOUNT);
        let add = [
            "credential",
            "add",
            "practice-clickwrap",
            "--name",
            "Wrong",
            "--set",
            &address,
            "--set",
            &account,
            "--set",
            "client_id=practice-client",
        ];
        let wrong = [&add[..], &["--set", "client_secret=env:OTHER_SECRET"]].concat();
        for extra in [&[][..], &["--json"]] {
            let output = shell.run(&[&wrong[..], extra].concat());
            let all = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(matches!(output.status.code(), Some(1 | 3)), "{all}");
            assert!(all.contains("invalid_client") && !all.contains(SECRET), "{all}");
        }
        assert_eq!(shell.json(&["credential", "list"], 0), json!([]));
        assert!(!holds(&shell.workspace(), SECRET.as_bytes()), "the secret is on the disk as it is");

        // The same command with the right secret goes on from the draft; this time the secret comes by standard input.
        let mut command = shell.command(&[&add[..], &["--secret-stdin", "client_secret", "--json"]].concat());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{}", practice::CLIENT_SECRET).unwrap();
        let output = child.captured();
        assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let saved: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&saved["name"], &saved["status"], &saved["test"]["ok"]), (&json!("Wrong"), &json!("valid"), &json!(true)));
        assert!(!String::from_utf8_lossy(&output.stdout).contains(practice::CLIENT_SECRET));
    });
}

#[test]
fn an_answers_file_does_what_the_flags_do() {
    with_practice(|vendor| {
        let shell = Shell::new();
        let file = shell.home.path().join("answers.toml");
        let answers = format!(
            "connector = \"practice-clickwrap\"\nmethod = \"client_credentials\"\nname = \"Answered\"\n[settings]\naddress = \"{}\"\n\
             account_id = \"{}\"\nclient_id = \"{}\"\n[secrets]\nclient_secret = \"env:CLIENT_SECRET\"\n",
            vendor.base_url,
            practice::ACCOUNT,
            practice::CLIENT_ID
        );
        std::fs::write(&file, &answers).unwrap();
        let add = ["credential", "add", "practice-clickwrap", "--answers", file.to_str().unwrap()];
        assert_eq!(shell.json(&add, 0)["name"], "Answered");
        std::fs::write(&file, answers.replace("env:CLIENT_SECRET", SECRET)).unwrap();
        crate::searched::own(&file, "the person wrote the secret into it, which is refused");
        let error = shell.json(&add, 2).to_string();
        assert!(!error.contains(SECRET), "{error}");
    });
}

#[test]
fn a_credential_is_listed_shown_tested_renamed_and_deleted() {
    with_practice(|vendor| {
        let shell = Shell::new();
        let saved = shell.connect(&vendor.base_url);
        assert!(saved["id"].as_str().unwrap().starts_with("cred_"), "{saved}");
        let listed = shell.json(&["credential", "list"], 0);
        assert_eq!(listed[0]["name"], "Practice");
        let shown = shell.json(&["credential", "show", "practice"], 0);
        assert_eq!((&shown["secrets"], &shown["used_by"]), (&json!(["client_secret"]), &json!([])));
        assert_eq!(shell.json(&["credential", "test", "Practice"], 0)["ok"], true);
        let (out, _) = shell.text(&["credential", "test", "Practice"], 0);
        assert!(out.contains("200"), "{out}");

        shell.json(&["credential", "edit", "Practice", "--name", "Renamed", "--secret-expires", "2099-01-31"], 0);
        assert_eq!(shell.json(&["credential", "expiring", "--within", "14d"], 0), json!([]));
        shell.json(&["credential", "edit", "Renamed", "--secret-expires", "2020-01-31"], 0);
        let expiring = shell.json(&["credential", "expiring", "--within", "14d"], 3);
        assert_eq!(
            (&expiring[0]["name"], &expiring[0]["what"], &expiring[0]["at"]),
            (&json!("Renamed"), &json!("secret"), &json!("2020-01-31T00:00:00Z"))
        );

        // Deleting is dangerous: without a terminal it needs to be confirmed beforehand.
        let error = shell.json(&["credential", "delete", "Renamed"], 2);
        assert!(error["error"]["next_step"].as_str().unwrap().contains("--yes"), "{error}");
        assert_eq!(shell.json(&["credential", "delete", "Renamed", "--yes"], 0)["deleted"], true);
        assert_eq!(shell.json(&["credential", "list"], 0), json!([]));
    });
}

#[test]
fn consent_is_waited_for_and_taken_from_the_loopback() {
    with_practice(|vendor| {
        let shell = Shell::new();
        let address = format!("address={}", vendor.base_url);
        let account = format!("account_id={}", practice::ACCOUNT);
        let client = format!("client_id={}", practice::CLIENT_ID);
        let add = ["credential", "add", "practice-clickwrap", "--method", "oauth2_code", "--name", "Consented", "--no-browser", "--json"];
        let set = ["--set", &address, "--set", &account, "--set", &client, "--set", "client_secret=env:CLIENT_SECRET"];
        let mut command = shell.command(&[&add[..], &set].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // The address stands on a line of its own.
        let mut told = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.trim().starts_with("http") {
            line.clear();
            assert!(std::io::BufRead::read_line(&mut told, &mut line).unwrap() > 0, "no address was shown");
        }
        // What the browser would be sent to, fetched as a browser would.
        let redirected = vendor.consent(line.trim(), true).unwrap();
        let target = url::Url::parse(&redirected).unwrap();
        let mut stream = std::net::TcpStream::connect((target.host_str().unwrap(), target.port().unwrap())).unwrap();
        let host = format!("{}:{}", target.host_str().unwrap(), target.port().unwrap());
        write!(stream, "GET {}?{} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", target.path(), target.query().unwrap()).unwrap();
        let mut page = String::new();
        std::io::Read::read_to_string(&mut stream, &mut page).unwrap();
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        // Read to its end, so that the child never waits for a reader.
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut told, &mut rest).unwrap();
        let output = child.captured();
        assert!(output.status.success(), "{rest}\n{}", String::from_utf8_lossy(&output.stdout));
        let saved: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&saved["status"], &saved["method"]), (&json!("valid"), &json!("oauth2_code")));
    });
}

#[test]
fn the_whole_journey_by_commands() {
    with_practice(|vendor| {
        let shell = Shell::new();
        shell.connect(&vendor.base_url);
        let new = shell.json(
            &[
                "integration",
                "new",
                "Members",
                "--credential",
                "Practice",
                "--kind",
                "user-and-saas-user",
                "--saas-application",
                "Clickwrap",
                "--deactivate",
            ],
            0,
        );
        assert_eq!((&new["state"], &new["kind"], &new["deactivate"]), (&json!("draft"), &json!("user_and_saas_user"), &json!(true)));
        let edit = ["integration", "edit", "Members", "--schedule", "daily@03:30", "--time-zone", "Europe/Paris", "--contact", "ada@example.org"];
        let edited = shell.json(&[&edit[..], &["--preference", "create-and-update"]].concat(), 0);
        assert_eq!(edited["schedule"], json!({ "every": "daily", "at": "03:30", "time_zone": "Europe/Paris" }));

        // A step that has to be refused: a mandatory field is not mapped.
        let suggested = shell.json(&["mapping", "suggest", "Members", "--apply"], 0);
        assert!(suggested.as_array().unwrap().iter().any(|row| row["field"] == "email"), "{suggested}");
        shell.run(&["mapping", "unset", "Members", "user_type"]);
        let findings = shell.json(&["integration", "validate", "Members"], 1);
        assert!(findings.as_array().unwrap().iter().any(|finding| finding["place"] == "mapping.user_type"), "{findings}");
        let output = shell.run(&["integration", "launch", "Members", "--json"]);
        assert!(!output.status.success() && serde_json::from_slice::<Value>(&output.stdout).unwrap()["error"]["why"].is_string());

        let mapped = shell.json(&["mapping", "set", "Members", "user_type==employee", "full_name={{ name | trim }}"], 0);
        let row = |field: &str| mapped.as_array().unwrap().iter().find(|row| row["field"] == field).unwrap().clone();
        assert_eq!((&row("user_type")["from"], &row("full_name")["from"]), (&json!("=employee"), &json!("{{ name | trim }}")));
        shell.json(&["mapping", "set", "Members", "full_name={{ name |"], 2);
        let field = shell.json(&["mapping", "add-field", "Members", "Badge", "--type", "integer"], 0);
        assert_eq!((&field["key"], &field["custom"]), (&json!("custom_badge"), &json!(true)));
        shell.json(&["mapping", "rename-field", "Members", "custom_badge", "Badge number"], 0);
        shell.json(&["mapping", "set", "Members", "custom_badge=id"], 0);
        let preview = shell.json(&["mapping", "preview", "Members", "--record", "3"], 0);
        assert_eq!((&preview["record"]["number"], &preview["record"]["fate"]), (&json!(3), &json!("created")));

        shell.json(&["permission", "grant", "Members", "--application", "Clickwrap"], 0);
        let check = ["permission", "check", "Members", "--action", "app-membership-write", "--application"];
        assert_eq!(shell.json(&[&check[..], &["Clickwrap"]].concat(), 0)["reason"], "entity");
        assert_eq!(shell.json(&[&check[..], &["Another"]].concat(), 1)["allowed"], false);
        shell.json(&["permission", "grant", "Members", "--action", "app-role-read"], 2);
        let matrix = shell.json(&["permission", "grant", "Members", "--action", "app-role-read", "--global"], 0);
        assert_eq!((&matrix[0]["entity"], &matrix[0]["actions"]["app_role_read"]), (&Value::Null, &json!("global")));
        assert!(!shell.json(&["permission", "advise", "Members"], 0).as_array().unwrap().is_empty());
        shell.json(&["permission", "revoke", "Members", "--action", "app-role-read", "--global"], 0);

        assert_eq!(shell.json(&["integration", "launch", "Members"], 0)["state"], "active");
        let rehearsed = shell.json(&["run", "Members", "--dry-run"], 0);
        assert_eq!((&rehearsed["dry_run"], &rehearsed["created"]), (&json!(true), &json!(vendor.people())));
        assert_eq!(shell.json(&["data", "people"], 0)["total"], 0);

        let run = shell.json(&["run", "Members"], 0);
        let keys = [
            "run",
            "state",
            "read",
            "filtered",
            "created",
            "updated",
            "unchanged",
            "deactivated",
            "reactivated",
            "skipped",
            "failed",
            "pages",
            "requests",
            "bytes",
            "started",
            "ended",
        ];
        for key in keys {
            assert!(!run[key].is_null(), "{key}: {run}");
        }
        assert_eq!((&run["state"], &run["created"], &run["failed"]), (&json!("succeeded"), &json!(vendor.people()), &json!(0)));
        assert_eq!(shell.json(&["run", "show", run["run"].as_str().unwrap()], 0), run);
        assert_eq!(shell.json(&["run", "errors", run["run"].as_str().unwrap()], 0), json!([]));

        let day = vendor.pass_a_day();
        let run = shell.json(&["run", "Members"], 0);
        assert_eq!((&run["deactivated"], &run["created"]), (&json!(day.left.len()), &json!(day.joined.len())), "{run}");
        let runs = shell.json(&["run", "list", "--integration", "Members"], 0);
        assert_eq!(runs[0]["run"], run["run"]);

        the_data(&shell, vendor);
        the_rest(&shell);
    });
}

fn the_data(shell: &Shell, vendor: &practice::Practice) {
    let page = shell.json(&["data", "people", "--where", "active = true", "--sort", "email:desc", "--limit", "7"], 0);
    assert_eq!((&page["total"], page["records"].as_array().unwrap().len()), (&json!(vendor.people()), 7));
    let emails: Vec<&str> = page["records"].as_array().unwrap().iter().map(|record| record["values"]["email"].as_str().unwrap()).collect();
    assert!(emails.is_sorted_by(|a, b| a >= b), "{emails:?}");
    let person = vendor.expected().remove(0);
    let record = shell.json(&["data", "people", &person.email], 0);
    assert_eq!((&record["values"]["full_name"], &record["values"]["user_type"]), (&json!(person.name), &json!("employee")));

    let (csv, _) = shell.text(&["data", "people", "--format", "csv"], 0);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert!(reader.headers().unwrap().len() > 3);
    let everybody = shell.json(&["data", "people"], 0)["total"].as_u64().unwrap();
    assert_eq!(reader.records().map(Result::unwrap).count() as u64, everybody);
    let (lines, _) = shell.text(&["data", "saas-users", "--application", "Clickwrap", "--format", "jsonl"], 0);
    let users: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(users.len() as u64, everybody);
    let (table, remark) = shell.text(&["data", "people", "--limit", "3"], 0);
    assert!(table.lines().count() == 4 && remark.contains("1 to 3"), "{table}{remark}");
    shell.json(&["data", "people", "--where", "active ="], 2);
    shell.json(&["data", "people", "--sort", "email:sideways"], 2);
}

fn the_rest(shell: &Shell) {
    let overview = shell.json(&["overview", "--check"], 0);
    assert_eq!(overview["integrations"][0]["integration"]["name"], "Members");
    let upcoming = shell.json(&["schedule", "list"], 0);
    assert_eq!(upcoming[0]["name"], "Members");
    assert_eq!(shell.json(&["schedule", "due"], 0), json!([]));
    assert_eq!(shell.json(&["schedule", "run", "--once"], 0), json!([]));
    let (unit, _) = shell.text(&["schedule", "unit"], 0);
    assert!(unit.contains("ExecStart=") && unit.contains("schedule run") && unit.contains(shell.workspace().to_str().unwrap()), "{unit}");
    assert!(shell.json(&["notice", "list"], 0).is_array());
    shell.json(&["notice", "read", "--all"], 0);
    assert_eq!(shell.json(&["vault", "verify"], 0)["verified"].as_u64().unwrap(), shell.json(&["vault", "status"], 0)["secrets"].as_u64().unwrap());
    for one in shell.json(&["doctor"], 0).as_array().unwrap() {
        assert!(one["name"].is_string() && one["detail"].is_string() && one["ok"] == true, "{one}");
    }

    let (toml, _) = shell.text(&["integration", "export", "Members"], 0);
    let file = shell.home.path().join("members.toml");
    std::fs::write(&file, &toml).unwrap();
    let plan = shell.json(&["integration", "apply", file.to_str().unwrap(), "--dry-run"], 0);
    assert_eq!((&plan["changes"], &plan["applied"]), (&json!([]), &json!(false)), "{toml}");
    assert_eq!(shell.json(&["integration", "pause", "Members"], 0)["state"], "paused");
    shell.json(&["integration", "delete", "Members"], 2);
    assert_eq!(shell.json(&["integration", "delete", "Members", "--yes"], 0)["deleted"], true);
    assert!(shell.json(&["data", "people"], 0)["total"].as_u64().unwrap() > 0, "the records stay");
}

#[test]
fn a_vault_with_a_passphrase_asks_for_it_where_it_can_be_given() {
    let shell = Shell::new();
    let mut init = shell.command(&["vault", "init", "--with-passphrase", "--passphrase", "env:OTHER_SECRET", "--json"]);
    assert!(init.captured().status.success());
    let locked = shell.json(&["credential", "add", "practice-clickwrap"], 3);
    assert!(locked["error"]["next_step"].as_str().unwrap().contains("--passphrase"), "{locked}");
    assert_eq!(shell.json(&["vault", "verify", "--passphrase", "env:OTHER_SECRET"], 0)["verified"], 0);
    // A wrong one does not open it.
    let output = shell.run(&["vault", "verify", "--passphrase", "env:CLIENT_SECRET"]);
    assert!(matches!(output.status.code(), Some(1..=3)), "{}", String::from_utf8_lossy(&output.stderr));
    let file = shell.home.path().join("passphrase");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    crate::searched::own(&file, "where the person keeps the passphrase");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut command = shell.command(&["vault", "verify"]);
    assert!(command.env("INTERTIE_VAULT_PASSPHRASE_FILE", &file).captured().status.success());
    let error = shell.json(&["vault", "verify", "--passphrase", SECRET], 2);
    assert!(!error.to_string().contains(SECRET));
}

#[test]
fn a_cancelled_run_ends_soon_and_says_so() {
    with_practice(|vendor| {
        let shell = Shell::new();
        shell.connect(&vendor.base_url);
        shell.draft();
        shell.json(&["integration", "launch", "Members"], 0);
        // A vendor that does not answer for a long time.
        vendor.faults.set(practice::Fault::Slow(Duration::from_secs(120)), practice::When::Always);
        let child = shell.command(&["run", "Members", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let seen = vendor.requests();
        let deadline = Instant::now() + Duration::from_secs(30);
        while shell.json(&["run", "list"], 0).as_array().unwrap().is_empty() && vendor.requests() == seen {
            assert!(Instant::now() < deadline, "the run did not start");
        }
        let started = Instant::now();
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let output = child.captured();
        assert!(started.elapsed() < Duration::from_secs(20), "it took {:?}", started.elapsed());
        assert_eq!(output.status.code(), Some(1));
        let run: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(run["state"], "cancelled", "{run}");
    });
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let shell = Shell::new();
    let mut child = shell.command(&["man"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.captured();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = shell.command(&["man"]).stdout(full).stderr(Stdio::piped()).captured();
    assert_eq!(output.status.code(), Some(1), "a full disk is one");
}

#[test]
fn the_demo_walks_the_journey_and_its_counts_agree() {
    let shell = Shell::new();
    let walked = shell.json(&["demo", "--headless"], 0);
    let runs = walked["runs"].as_array().unwrap();
    assert!(runs.len() >= 2, "{walked}");
    assert!(walked["steps"].as_array().unwrap().iter().all(|step| step["ok"] == true && step["name"].is_string()), "{walked}");
    let number = |run: &Value, key: &str| run[key].as_u64().unwrap();
    assert_eq!((number(&runs[0], "created"), number(&runs[0], "updated"), number(&runs[0], "deactivated")), (250, 0, 0));
    let sum = |key: &str| runs.iter().map(|run| number(run, key)).sum::<u64>();
    assert_eq!(sum("created"), walked["people"].as_u64().unwrap());
    assert!(sum("updated") > 0 && sum("deactivated") > 0 && sum("reactivated") > 0 && sum("failed") == 0, "{walked}");
    assert!(!shell.workspace().exists(), "the demo touched the person's own workspace");
}

#[test]
fn help_is_given_by_its_word_and_a_slip_is_met_with_what_was_meant() {
    let shell = Shell::new();
    assert_eq!(shell.text(&["help"], 0), shell.text(&["--help"], 0));
    assert_eq!(shell.text(&["help", "run", "list"], 0), shell.text(&["run", "list", "--help"], 0));
    let error = &shell.json(&["credental", "list"], 2)["error"];
    assert!(error["what"].as_str().unwrap().contains("credental") && error["next_step"].as_str().unwrap().contains("credential"), "{error}");
    shell.json(&["help", "nonsense"], 2);
}

#[test]
fn a_script_that_runs_twice_makes_no_second_integration() {
    let shell = Shell::new();
    shell.json(&["integration", "new", "Mémbers \"1\"  x"], 0);
    let error = &shell.json(&["integration", "new", "Mémbers \"1\"  x"], 2)["error"];
    assert!(error["what"].as_str().unwrap().contains("Mémbers \"1\"  x"), "{error}");
    assert_eq!(shell.json(&["integration", "list"], 0).as_array().unwrap().len(), 1);
    assert!(shell.json(&["schedule", "unit"], 0)["unit"].as_str().unwrap().contains("ExecStart="));
}

#[test]
fn a_damaged_workspace_is_called_damaged_and_left_as_it_is() {
    let shell = Shell::new();
    let database = shell.workspace().join("intertie.db");
    std::fs::create_dir(shell.workspace()).unwrap();
    std::fs::write(&database, "this is no database; ".repeat(400)).unwrap();
    std::fs::write(shell.workspace().join("console.json"), "{").unwrap();
    for arguments in [&["credential", "list"][..], &["integration", "new", "X"], &["overview"]] {
        let error = &shell.json(arguments, 1)["error"];
        assert!(error["what"].as_str().unwrap().contains("damaged") && error["next_step"].as_str().unwrap().contains("intertie.db"), "{error}");
    }
    assert_eq!(std::fs::read(&database).unwrap(), "this is no database; ".repeat(400).as_bytes());
    let file = shell.home.path().join("a file");
    std::fs::write(&file, "").unwrap();
    let error = &shell.json(&["credential", "list", "--workspace", file.to_str().unwrap()], 1)["error"];
    assert!(error["why"].as_str().unwrap().contains("a file"), "{error}");
}

#[test]
fn a_limit_on_files_is_told_and_kills_nothing() {
    let shell = Shell::new();
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 16; exec \"$0\" integration new X --json", BINARY]);
    limited.env("HOME", shell.home.path()).env("INTERTIE_WORKSPACE", shell.workspace()).stdin(Stdio::null());
    let output = limited.captured();
    assert_eq!(output.status.code(), Some(1), "{:?} {}", output.status, String::from_utf8_lossy(&output.stderr));
    let error: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(error["error"]["what"].as_str().unwrap().contains("database"), "{error}");
    shell.json(&["integration", "new", "X"], 0);
}
