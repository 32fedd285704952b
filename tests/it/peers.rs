//! Programs that others wrote, started for a test and ended with it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where `tests/run` installs what `tests/peers/package.json` names.
fn installed() -> PathBuf {
    let dir = std::env::var_os("INTERTIE_TEST_PEERS").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers"), PathBuf::from);
    assert!(dir.join("node_modules/oidc-provider").is_dir(), "{} is not installed: run tests/run once", dir.display());
    dir
}

/// A script of `tests/peers`. It is given as text, so that its imports are looked up where the packages are.
fn node(script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("node");
    command.current_dir(installed()).args(["--no-warnings", "--input-type=module", "--eval", script, "--"]).args(arguments);
    command
}

/// npm `oidc-provider` on a free port.
pub struct Provider {
    child: Child,
    pub issuer: String,
}

impl Provider {
    pub fn start() -> Self {
        let mut child = node(include_str!("../peers/oidc-provider.mjs"), &[include_str!("../keys/rsa.pub.pem")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut line).unwrap();
        let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("the provider did not start: {line:?}"));
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                said["issued"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).for_each(crate::searched::learn);
            }
        });
        Self { child, issuer: said["issuer"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What headless Chromium ended on.
#[derive(serde::Deserialize)]
pub struct Ended {
    pub url: String,
    pub heading: String,
    pub text: String,
    /// How a page of ours looked; `None` for a page without a card.
    pub card: Option<Card>,
    /// What the browser complained about on a page of ours.
    pub faults: Vec<String>,
}

/// Computed by the browser, so only there when the page's policy let the style and the script through.
#[derive(serde::Deserialize)]
pub struct Card {
    pub radius: String,
    /// The colour that says how it ended.
    pub mark: String,
    /// What the address bar shows behind the path.
    pub bar: String,
}

/// Signs in and consents (`allow`) or refuses (`deny`) in a real browser.
pub fn browse(url: &str, decision: &str) -> Ended {
    walk(&[url, decision])
}

/// The same at a device's page, where this code must be shown.
pub fn browse_device(url: &str, decision: &str, code: &str) -> Ended {
    walk(&[url, decision, code])
}

fn walk(arguments: &[&str]) -> Ended {
    let mut child = node(include_str!("../peers/browser.mjs"), arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node starts");
    let (mut said, mut complaint) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    child.wait().unwrap();
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("the browser did not get there: {said} {complaint}"))
}
