//! Every test's workspace, and everything that the program printed or drew in it, is searched for secrets when the test is over.
//!
//! Two kinds are known without being told: what tests plant and the practice vendor issues begins with one of [`MARKS`]; and what the vault
//! of the workspace keeps at the end, with its data key, is read out of it. A test adds what only it knows with [`learn`], and excepts what it
//! wrote itself with [`own`].

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::{Mutex, PoisonError};

use intertie::vault::Vault;
use memchr::memmem::Finder;
use serde_json::Value;

use crate::secrets::forms;

/// What the secrets of tests begin with.
pub const MARKS: [&str; 11] = [
    "planted-",
    "s3cr3t-that-nobody",
    "s3cret-Value",
    "practice-access-",
    "practice-refresh-",
    "practice-code-",
    "practice-client-secret-",
    "peer-token-for-tests",
    "web-secret",
    "pushed-secret",
    "svc-secret",
];
/// The client secret of the practice vendor, which its definition shows to everybody, and the console with it: it is looked for in files
/// alone, and not in definitions.
const SHOWN: &str = intertie::practice::CLIENT_SECRET;
/// A private key of age's; only the vault's own key file may hold one.
const IDENTITY: &str = "AGE-SECRET-KEY-1";
/// Shorter than this, something is too likely to stand somewhere by chance.
const SHORTEST: usize = 8;

static LEARNED: Mutex<Vec<String>> = Mutex::new(Vec::new());
static OWN: Mutex<Vec<(PathBuf, &str)>> = Mutex::new(Vec::new());
static SEEN: Mutex<Vec<(String, Vec<u8>)>> = Mutex::new(Vec::new());

fn locked<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A secret without a mark, such as a token that somebody else's server issued.
pub fn learn(secret: &str) {
    if secret.len() >= SHORTEST {
        locked(&LEARNED).push(secret.to_owned());
    }
}

/// A file that the test wrote itself, or the person whom it plays: its secrets belong there, for this reason.
pub fn own(path: impl AsRef<Path>, reason: &'static str) {
    assert!(!reason.is_empty());
    locked(&OWN).push((path.as_ref().to_owned(), reason));
}

struct Needle {
    finder: Finder<'static>,
    what: String,
}

fn needles(secret: &str, what: &str) -> impl Iterator<Item = Needle> {
    forms(secret).into_iter().map(move |form| Needle { finder: Finder::new(&form).into_owned(), what: what.to_owned() })
}

fn marks() -> Vec<Needle> {
    MARKS.iter().flat_map(|mark| needles(mark, mark)).chain(needles(IDENTITY, "a private key of age's")).collect()
}

/// What was found, without the secret itself.
fn look(place: &str, bytes: &[u8], needles: &[Needle], found: &mut Vec<String>) {
    for needle in needles {
        if let Some(at) = needle.finder.find(bytes) {
            found.push(format!("{place}, at byte {at}: {}", needle.what));
        }
    }
}

fn none(found: &[String]) {
    assert!(found.is_empty(), "secrets lie about:\n{}", found.join("\n"));
}

/// Searches what the program printed or drew, now for marks, and when the workspace goes for what that has kept.
pub fn seen(what: &str, bytes: &[u8]) {
    let mut found = Vec::new();
    look(what, bytes, &marks(), &mut found);
    locked(&SEEN).push((what.to_owned(), bytes.to_vec()));
    none(&found);
}

fn kept(what: &str, output: Output) -> Output {
    seen(&format!("standard output of {what}"), &output.stdout);
    seen(&format!("standard error of {what}"), &output.stderr);
    output
}

/// Runs a command to its end; what it printed is searched.
pub trait Captured {
    fn captured(&mut self) -> Output;
}

impl Captured for Command {
    fn captured(&mut self) -> Output {
        let output = self.output().unwrap();
        let words: Vec<_> = self.get_args().take(3).map(|word| word.to_string_lossy().into_owned()).collect();
        kept(&words.join(" "), output)
    }
}

/// Waits for the end of a command; what it printed is searched.
pub trait Ended {
    fn captured(self) -> Output;
}

impl Ended for Child {
    fn captured(self) -> Output {
        kept("a child", self.wait_with_output().unwrap())
    }
}

/// A directory of its own for a test. Searched, and then removed, when it is dropped.
pub struct Place(tempfile::TempDir);

pub fn place() -> Place {
    Place(tempfile::tempdir().unwrap())
}

impl std::ops::Deref for Place {
    type Target = tempfile::TempDir;

    fn deref(&self) -> &tempfile::TempDir {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A test that fails says why, and nothing else.
        if !std::thread::panicking() {
            none(&found_in(self.0.path()));
        }
    }
}

/// What lies about in a directory, or was printed while it was used.
fn found_in(dir: &Path) -> Vec<String> {
    let files = files(dir);
    let mut secrets = locked(&LEARNED).clone();
    for key_file in files.iter().filter(|path| path.ends_with("key.txt")) {
        read_out(key_file.parent().unwrap(), &mut secrets);
    }
    secrets.sort();
    secrets.dedup();
    secrets.retain(|secret| secret != SHOWN);
    let kept: Vec<Needle> = secrets.iter().flat_map(|secret| needles(secret, "a value that the vault keeps, or that was issued")).collect();
    let (marks, shown): (_, Vec<Needle>) = (marks(), needles(SHOWN, "the client secret of the practice vendor").collect());
    let mut found = Vec::new();
    let own = locked(&OWN).clone();
    for path in files {
        let place = path.strip_prefix(dir).unwrap_or(&path).display().to_string();
        for needles in [&marks, &kept] {
            look("the name of a file", path.as_os_str().as_bytes(), needles, &mut found);
        }
        // It goes while it is looked at, when a process is still at its end.
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let is_key_file = path.ends_with("key.txt") && path.with_file_name("recipients.json").exists();
        if is_key_file || own.iter().any(|(known, _)| path.starts_with(known)) {
            continue;
        }
        for needles in [&marks, &kept] {
            look(&place, &bytes, needles, &mut found);
        }
        if !path.components().any(|part| part.as_os_str() == "connectors") {
            look(&place, &bytes, &shown, &mut found);
        }
    }
    for (what, bytes) in locked(&SEEN).iter() {
        look(what, bytes, &kept, &mut found);
    }
    found
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let (mut open, mut files) = (vec![dir.to_owned()], Vec::new());
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files
}

/// Everything that a vault keeps which its key file opens, and its data key.
fn read_out(dir: &Path, secrets: &mut Vec<String>) {
    let vault = Vault::with_passphrase_file(dir, None);
    for entry in std::fs::read_dir(dir.join("entries")).into_iter().flatten().flatten() {
        let Some(owner) = entry.file_name().to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned) else { continue };
        for field in vault.fields(&owner).unwrap_or_default() {
            if let Ok(Some(secret)) = vault.get(&owner, &field) {
                parts(secret.expose(), secrets);
            }
        }
    }
    let (Ok(text), Ok(wrapped)) = (std::fs::read_to_string(dir.join("key.txt")), std::fs::read(dir.join("data-key.age"))) else { return };
    for identity in text.lines().filter_map(|line| line.parse::<age::x25519::Identity>().ok()) {
        if let Ok(payload) = age::decrypt(&identity, &wrapped)
            && let Ok(payload) = serde_json::from_slice::<Value>(&payload)
        {
            secrets.extend(payload["key"].as_str().map(str::to_owned));
        }
    }
}

/// What is secret of a value: of a set of tokens the tokens, of a key its lines, of others the whole.
fn parts(value: &str, secrets: &mut Vec<String>) {
    if let Ok(Value::Object(object)) = serde_json::from_str(value) {
        for (name, value) in object {
            match value {
                Value::String(text) if ["token", "secret", "password", "key", "assertion"].iter().any(|end| name.ends_with(end)) => {
                    parts(&text, secrets)
                }
                Value::Object(_) => parts(&value.to_string(), secrets),
                _ => {}
            }
        }
    } else if value.contains("-----BEGIN") {
        secrets.extend(value.lines().filter(|line| line.len() > 40 && !line.starts_with("-----")).map(str::to_owned));
    } else if value.len() >= SHORTEST {
        secrets.push(value.to_owned());
    }
}

/// The search fails where it should: each kind of secret, in each form, in each kind of place.
#[test]
fn a_leak_is_found() {
    use base64::Engine as _;
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("vault");
    let vault = Vault::with_passphrase_file(&dir, None);
    let kept = "kF8+q/3Zx=0 never seen";
    let tokens = r#"{"access_token":"Zq81-of-a-server","scope":"members:read everything"}"#;
    vault.put_all("cred_1", &[("a", &intertie::model::Secret::new(kept)), ("tokens", &intertie::model::Secret::new(tokens))]).unwrap();
    assert_eq!(found_in(home.path()), Vec::<String>::new(), "the vault itself");
    std::fs::write(home.path().join("log"), "members:read everything; plant-ed").unwrap();
    assert_eq!(found_in(home.path()), Vec::<String>::new(), "what is no secret");
    let identity = std::fs::read_to_string(dir.join("key.txt")).unwrap().lines().last().unwrap().to_owned();
    let mut found = 0;
    for secret in ["planted-x", "practice-access-1", SHOWN, kept, "Zq81-of-a-server", &identity] {
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let base64 = |before: &str| base64::engine::general_purpose::STANDARD.encode(format!("{before}{secret}!"));
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        for hidden in [secret.to_owned(), encoded, hex, base64(""), base64("a"), base64("ab")] {
            std::fs::write(home.path().join("log"), format!("12345\0{hidden}\n")).unwrap();
            let told = found_in(home.path());
            assert!(told.iter().any(|told| told.starts_with("log, at byte ")), "{hidden}: {told:?}");
            assert!(!told.concat().contains(secret), "{told:?}");
            found += 1;
        }
    }
    assert_eq!(found, 36);
    own(home.path().join("log"), "to see that it is excepted");
    assert_eq!(found_in(home.path()), Vec::<String>::new());
    // In a name, on a screen, and by the helpers themselves.
    std::fs::write(home.path().join("Zq81-of-a-server"), "").unwrap();
    assert!(found_in(home.path())[0].contains("name of a file"));
    for leak in [
        || seen("a screen", b"\x1b[1mplanted-x"),
        || drop(Command::new("printf").arg("planted-%s").arg("x").captured()),
        || {
            let place = place();
            std::fs::write(place.path().join("a"), "planted-x").unwrap();
        },
    ] {
        let told = std::panic::catch_unwind(leak).unwrap_err();
        assert!(told.downcast_ref::<String>().unwrap().contains("secrets lie about"), "{told:?}");
    }
}

/// Whoever does without these helpers says why.
#[test]
fn no_test_goes_round_the_search() {
    let excepted = [
        ("searched.rs", "the helpers themselves"),
        ("secrecy.rs", "the files of the person whom it plays; what was printed it searches itself"),
        ("ldap.rs", "slapd and its certificate"),
        ("scim.rs", "a server that others wrote"),
        ("mail.rs", "mail servers that others wrote, which hold the passwords of their mailboxes"),
        ("vault.rs", "age and Python, which print the data key"),
        ("terminal.rs", "tmux, whose screens are those of the console"),
    ];
    let ways = ["tempfile::tempdir(", ".wait_with_output()", ".output()"];
    let mut seen = 0;
    for path in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        seen += text.matches("searched::place()").count() + text.matches(".captured()").count();
        if !excepted.iter().any(|(known, _)| *known == name) {
            let found: Vec<&str> = text.lines().filter(|line| ways.iter().any(|way| line.contains(way))).collect();
            assert!(found.is_empty(), "{name} goes round tests/it/searched.rs: use its place() and captured()\n{}", found.join("\n"));
        }
    }
    assert!(seen > 60, "{seen}");
}
