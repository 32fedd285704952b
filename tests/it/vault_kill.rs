//! The vault's own changes, killed (SIGKILL) at any moment: it opens for everybody who stays, every secret reads back, and the same command
//! again completes. And several processes that change it at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use age::secrecy::ExposeSecret as _;
use intertie::model::Secret;
use intertie::vault::{New, Outcome, Vault};
use serde_json::Value;

use crate::cli::{Shell, with_practice};
use crate::kill::Dice;
use crate::searched::{Captured as _, Ended as _};

const ENTRIES: usize = 40;

/// An admin with a key of their own; the file lies outside of the vault.
struct Admin {
    name: &'static str,
    file: PathBuf,
    identity: age::x25519::Identity,
}

impl Admin {
    fn new(shell: &Shell, name: &'static str) -> Self {
        let (identity, file) = (age::x25519::Identity::generate(), shell.home.path().join(format!("{name}.txt")));
        std::fs::write(&file, identity.to_string().expose_secret()).unwrap();
        crate::searched::own(&file, "an admin's own private key");
        Self { name, file, identity }
    }

    fn public(&self) -> String {
        self.identity.to_public().to_string()
    }
}

struct Stage {
    shell: Shell,
    dir: PathBuf,
    ada: Admin,
    bob: Admin,
    /// Owner and field, and what is kept there.
    kept: BTreeMap<(String, String), String>,
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

impl Stage {
    /// A vault with a key file, Ada's key, and some dozens of entries.
    fn new() -> Self {
        let shell = Shell::new();
        let dir = shell.workspace().join("vault");
        let (ada, bob) = (Admin::new(&shell, "ada"), Admin::new(&shell, "bob"));
        let vault = Vault::with_passphrase_file(&dir, None);
        let mut kept = BTreeMap::new();
        for n in 0..ENTRIES {
            let owner = format!("cred_{n:02}");
            let fields: Vec<(String, String)> =
                (0..=n % 3).map(|m| (format!("field_{m}"), format!("planted-{n}-{m}-{}", "x".repeat(n * 7)))).collect();
            let secrets: Vec<Secret> = fields.iter().map(|(_, value)| Secret::new(value)).collect();
            let pairs: Vec<(&str, &Secret)> = fields.iter().zip(&secrets).map(|((field, _), secret)| (field.as_str(), secret)).collect();
            vault.put_all(&owner, &pairs).unwrap();
            kept.extend(fields.into_iter().map(|(field, value)| ((owner.clone(), field), value)));
        }
        vault.recipient_add("ada", &New::Public(&ada.public())).unwrap();
        Self { shell, dir, ada, bob, kept }
    }

    /// The data key as this private key has it: all that is sealed with, the present one first. `None`: it does not open the vault.
    fn data_keys(&self, identity: &age::x25519::Identity) -> Option<Vec<Value>> {
        let payload: Value = serde_json::from_slice(&age::decrypt(identity, &std::fs::read(self.dir.join("data-key.age")).unwrap()).ok()?).unwrap();
        Some(std::iter::once(&payload["key"]).chain(payload["earlier"].as_array().into_iter().flatten()).cloned().collect())
    }

    /// Everything in the vault's directory but its lock.
    fn files(&self) -> Files {
        let mut files = Files::new();
        for dir in [self.dir.clone(), self.dir.join("entries")] {
            for entry in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_file() && !entry.ends_with("lock") {
                    files.insert(entry.clone(), std::fs::read(&entry).unwrap());
                }
            }
        }
        files
    }

    fn left_over(&self) -> Vec<PathBuf> {
        self.files().into_keys().filter(|path| path.file_name().unwrap().as_encoded_bytes().starts_with(b".")).collect()
    }

    /// As a process sees it that starts now.
    fn opened(&self) -> Vault {
        let vault = Vault::with_passphrase_file(&self.dir, None);
        vault.set_identity(Some(self.ada.file.clone()));
        vault
    }

    /// Every secret is there, as it was, and nothing else is.
    fn reads_back(&self, vault: &Vault, when: &str) {
        let mut found = BTreeMap::new();
        for owner in self.kept.keys().map(|(owner, _)| owner).collect::<BTreeSet<_>>() {
            for field in vault.fields(owner).unwrap() {
                let value = vault.get(owner, &field).unwrap_or_else(|problem| panic!("{when}: {owner} {field}: {problem:?}")).unwrap();
                found.insert((owner.clone(), field), value.expose().to_owned());
            }
        }
        assert!(found == self.kept, "{when}: {} of {} secrets are as they were", found.len(), self.kept.len());
    }

    fn names(&self) -> Vec<String> {
        self.opened().recipients().unwrap().into_iter().map(|one| one.name).collect()
    }
}

/// When a child is killed.
#[derive(Debug, Clone)]
enum Moment {
    /// So long after its start.
    After(Duration),
    /// So long after this file was replaced, made or removed.
    Changed(PathBuf, Duration),
}

/// Starts the command and kills it; whether it was still at work, or else how it had ended.
fn killed(mut command: Command, moment: &Moment, took: Duration) -> Result<(), i32> {
    let inode = |path: &Path| std::fs::metadata(path).map(|data| data.ino()).ok();
    let before = if let Moment::Changed(path, _) = moment { inode(path) } else { None };
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // The moment itself is what is tested, not a wait for something.
    let until = match moment {
        Moment::After(time) => started + *time,
        Moment::Changed(path, more) => {
            let end = started + took * 2;
            // In vain when the command has ended, or does not touch that file this time.
            while inode(path) == before && Instant::now() < end && child.try_wait().unwrap().is_none() {
                std::hint::spin_loop();
            }
            Instant::now() + *more
        }
    };
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    match status.code() {
        Some(code) => {
            let mut told = String::new();
            child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
            Err(code)
        }
        None => {
            assert_eq!(status.signal(), Some(9));
            Ok(())
        }
    }
}

/// One of the vault's changes, and what is true when it is done.
struct Change {
    arguments: Vec<String>,
    /// Who is listed then.
    names: &'static [&'static str],
    /// Whether there is a fresh data key then.
    fresh_key: bool,
    /// The files that it replaces.
    touches: Vec<&'static str>,
}

fn changes(stage: &Stage) -> Vec<Change> {
    let public = stage.bob.public();
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let entries = ["entries/cred_00.json", "entries/cred_07.json", "entries/cred_20.json", "entries/cred_39.json"];
    let keys = ["recipients.json", "data-key.age", "recipients.json", "data-key.age"];
    let sealed: Vec<&str> = keys.into_iter().chain(entries).collect();
    let change = |arguments: &str, names, fresh_key, touches: &[&'static str]| Change {
        arguments: words(arguments),
        names,
        fresh_key,
        touches: touches.to_vec(),
    };
    let with_ada = &["--identity", stage.ada.file.to_str().unwrap()].join(" ");
    vec![
        change(&format!("vault recipient add bob --public {public}"), &["key-file", "ada", "bob"], false, &keys),
        change("vault recipient remove bob --reseal --yes", &["key-file", "ada"], true, &sealed),
        change("vault rekey", &["key-file", "ada"], false, &["recipients.json", "data-key.age", "key.txt"]),
        change("vault reseal", &["key-file", "ada"], true, &sealed),
        change(&format!("vault recipient remove key-file --yes {with_ada}"), &["ada"], false, &["recipients.json", "data-key.age", "key.txt"]),
        change(&format!("vault recipient add --key-file {with_ada}"), &["ada", "key-file"], false, &["recipients.json", "data-key.age", "key.txt"]),
        // The order of the list as it was.
        change(&format!("vault recipient remove ada --reseal --yes {with_ada}"), &["key-file"], true, &sealed),
        change(&format!("vault recipient add ada --public {}", stage.ada.public()), &["key-file", "ada"], false, &keys),
    ]
}

#[test]
fn killed_anywhere_in_a_change_the_vault_opens_and_the_command_again_completes() {
    const KILLS: usize = 140;
    let stage = Stage::new();
    let changes = changes(&stage);
    let mut dice = Dice::new(20_261_121);
    let mut took = vec![Duration::from_millis(120); changes.len()];
    let (mut before, mut between, mut after) = (0, 0, 0);
    // What the directory looked like after the kills: which files had been replaced, and how many entries.
    let mut states: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut kills = 0;
    for round in 0.. {
        if kills >= KILLS {
            break;
        }
        let change = &changes[round % changes.len()];
        let took = &mut took[round % changes.len()];
        let words: Vec<&str> = change.arguments.iter().map(String::as_str).collect();
        let command = || stage.shell.command(&words);
        let (files, keys) = (stage.files(), stage.data_keys(&stage.ada.identity).or_else(|| own_keys(&stage)).unwrap());
        assert_eq!(keys.len(), 1);
        let who = stage.names();
        let mut ended = false;
        // Up to three kills upon each other before the command may end.
        for _ in 0..=dice.below(3) {
            let moment = if dice.below(2) == 0 {
                Moment::After(Duration::from_micros(dice.next() % (took.as_micros() as u64 * 11 / 10)))
            } else {
                let file = change.touches[dice.below(change.touches.len())];
                Moment::Changed(stage.dir.join(file), Duration::from_micros(dice.below(2_500) as u64))
            };
            let outcome = killed(command(), &moment, *took);
            kills += 1;
            let when = format!("kill {kills} of {words:?} at {moment:?}");
            let now = stage.files();
            let differ: BTreeSet<&PathBuf> = files.keys().chain(now.keys()).filter(|path| files.get(*path) != now.get(*path)).collect();
            match outcome {
                Ok(()) if differ.is_empty() => before += 1,
                Ok(()) => {
                    between += 1;
                    let entries = differ.iter().filter(|path| path.starts_with(stage.dir.join("entries"))).count();
                    let others: Vec<_> = differ.iter().filter(|path| !path.starts_with(stage.dir.join("entries"))).collect();
                    let name = |path: &Path| {
                        let name = path.file_name().unwrap().to_string_lossy().into_owned();
                        name.strip_prefix('.').map_or(name.clone(), |rest| format!(".{}", rest.split('.').next().unwrap()))
                    };
                    let others: Vec<String> = others.iter().map(|path| name(path)).collect();
                    states.entry(words[..3.min(words.len())].join(" ")).or_default().insert(format!("{others:?}, {entries} entries"));
                }
                // Killed upon a kill, it may find everything done.
                Err(code) => {
                    assert!(code == 0 || ended_already(&stage, change, &keys), "{when} ended by itself with {code}");
                    after += 1;
                    ended = true;
                }
            }
            // Whoever could open the vault before and can after does so now.
            let listed = stage.names();
            for admin in [&stage.ada, &stage.bob] {
                if who.iter().any(|name| name == admin.name) && change.names.contains(&admin.name) {
                    assert!(listed.iter().any(|name| name == admin.name), "{when}: {} is not listed", admin.name);
                    assert!(stage.data_keys(&admin.identity).is_some(), "{when}: {} does not open it", admin.name);
                }
            }
            if who.iter().any(|name| name == "key-file") && change.names.contains(&"key-file") {
                assert!(own_keys(&stage).is_some(), "{when}: the key file does not open it");
                stage.reads_back(&Vault::with_passphrase_file(&stage.dir, None), &when);
            }
            let vault = stage.opened();
            stage.reads_back(&vault, &when);
            let rehearsal = vault.rehearse(None).unwrap();
            assert_eq!(rehearsal.secrets as usize, stage.kept.len(), "{when}");
            // What a kill left behind is swept away by `vault verify`, and a change that is half done is told.
            assert_eq!(stage.left_over(), Vec::<PathBuf>::new(), "{when}");
            let fine = rehearsal.damaged.is_empty() && rehearsal.ways.iter().all(|way| !matches!(way.outcome, Outcome::Fails(_)));
            if outcome.is_ok() && fine {
                let done = ended_already(&stage, change, &keys);
                // Nothing is told: so it is as before, or done; or all that was done is that somebody new is listed who is not wrapped for.
                let same_keys = stage.data_keys(&stage.ada.identity).or_else(|| own_keys(&stage)) == Some(keys.clone());
                assert!(done || (listed == who && same_keys), "{when}: {listed:?}, half done, and nothing is told");
            }
        }
        // Once more, and to the end.
        let started = Instant::now();
        let output = command().captured();
        let code = output.status.code().unwrap();
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let done_before = kills > 0 && code == 2 && told.contains("There is no recipient");
        assert!(code == 0 || done_before, "{words:?} again, after {kills} kills, {ended}: {told}");
        if code == 0 {
            *took = started.elapsed().max(Duration::from_millis(20));
        }
        assert!(ended_already(&stage, change, &keys), "{words:?} after {kills} kills: {:?}", stage.names());
        let rehearsal = stage.opened().rehearse(None).unwrap();
        assert!(rehearsal.damaged.is_empty(), "{words:?} after {kills} kills: {:?}", rehearsal.damaged);
        assert!(rehearsal.ways.iter().all(|way| !matches!(way.outcome, Outcome::Fails(_))), "{words:?}: {:?}", rehearsal.ways);
        stage.reads_back(&stage.opened(), "again");
        assert!(stage.left_over().is_empty());
        let bob_opens = stage.data_keys(&stage.bob.identity).is_some();
        assert_eq!(bob_opens, change.names.contains(&"bob"), "{words:?}");
        assert_eq!(stage.dir.join("key.txt").exists(), change.names.contains(&"key-file"), "{words:?}");
    }
    let kinds: usize = states.values().map(BTreeSet::len).sum();
    println!("{kills} kills: {before} before, {between} in between ({kinds} states), {after} after its end\n{states:#?}");
    assert!(
        before > 3 && between > KILLS / 3 && after > 3 && kinds > 20,
        "the kills missed: {before} before, {between} between, {after} after, {kinds} states"
    );
}

/// The data key as the key file has it.
fn own_keys(stage: &Stage) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(stage.dir.join("key.txt")).ok()?;
    text.lines().filter_map(|line| line.parse().ok()).find_map(|identity| stage.data_keys(&identity))
}

/// Whether the change is done: those are listed who should be, everything is wrapped for them, and the data key is fresh where it should be.
fn ended_already(stage: &Stage, change: &Change, keys: &[Value]) -> bool {
    let now = stage.data_keys(&stage.ada.identity).or_else(|| own_keys(stage)).unwrap();
    let opens = [&stage.ada, &stage.bob].iter().all(|admin| stage.data_keys(&admin.identity).is_some() == change.names.contains(&admin.name));
    stage.names() == change.names && opens && now.len() == 1 && (now[0] != keys[0]) == change.fresh_key
}

/// The same with a passphrase, which costs a second each time: few kills, at every step.
#[test]
fn killed_while_the_passphrase_changes_one_of_both_opens_the_vault() {
    let stage = Stage::new();
    let (one, two) = ("planted one", "planted two");
    let rekey = |from: &str, to: &str| {
        let mut command = stage.shell.command(&["vault", "rekey", "--with-passphrase", "--new-passphrase", "env:TO", "--passphrase", "env:FROM"]);
        command.env("FROM", from).env("TO", to).env("INTERTIE_VAULT_IDENTITY", &stage.ada.file);
        command
    };
    let opens = |passphrase: &str| {
        let vault = Vault::with_passphrase_file(&stage.dir, None);
        vault.unlock(&Secret::new(passphrase)).is_ok() && vault.get("cred_00", "field_0").is_ok_and(|found| found.is_some())
    };
    let mut between = 0;
    let mut step = |from: &str, to: &str, file: &str| {
        let wrapped = |files: &Files| files.get(&stage.dir.join("data-key.passphrase.age")).cloned();
        let before = stage.files();
        let outcome = killed(rekey(from, to), &Moment::Changed(stage.dir.join(file), Duration::ZERO), Duration::from_secs(20));
        let now = stage.files();
        between += usize::from(outcome.is_ok() && now != before);
        // With the admin's key, and with the key file or one of the passphrases.
        stage.reads_back(&stage.opened(), file);
        let (by_file, changed) = (own_keys(&stage).is_some(), wrapped(&now) != wrapped(&before));
        assert!(by_file || wrapped(&before).is_some() || changed, "{file}");
        assert!(!changed || opens(to), "{file}: whole, or not there");
    };
    // From the key file to a passphrase, and to another one.
    for file in ["recipients.json", "data-key.passphrase.age", "data-key.age", "key.txt"] {
        step("none", one, file);
    }
    for (from, to) in [("none", one), (one, two)] {
        if to == two {
            step(from, to, "data-key.passphrase.age");
        }
        let output = rekey(from, to).captured();
        assert_eq!(output.status.code(), Some(0), "{to}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(opens(to) && stage.left_over().is_empty(), "{to}");
        assert_eq!(stage.names(), ["passphrase", "ada"]);
        assert!(!stage.dir.join("key.txt").exists());
    }
    assert!(between >= 3, "{between} kills in the middle");
}

/// Several processes add and remove at once: nobody undoes what another did.
#[test]
fn changes_at_once_all_come_about() {
    let stage = Stage::new();
    let all: Vec<Admin> = ["carol", "dan", "erin", "frank"].map(|name| Admin::new(&stage.shell, name)).into();
    for round in 0..3 {
        let mut children: Vec<_> = all
            .iter()
            .enumerate()
            .map(|(n, admin)| {
                let public = admin.public();
                let adds = ["vault", "recipient", "add", admin.name, "--public", &public];
                let removes = ["vault", "recipient", "remove", admin.name, "--reseal", "--yes"];
                // In each round some come and others go.
                let adds_now = (round + n) % 2 == 0 || round == 0;
                stage.shell.command(if adds_now { &adds } else { &removes }).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        children.push(stage.shell.command(&["vault", "reseal"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
        for child in children {
            let output = child.captured();
            assert_eq!(output.status.code(), Some(0), "round {round}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let names = stage.names();
        for (n, admin) in all.iter().enumerate() {
            let stays = (round + n) % 2 == 0 || round == 0;
            assert_eq!(names.iter().any(|name| name == admin.name), stays, "round {round}: {names:?}");
            assert_eq!(stage.data_keys(&admin.identity).is_some(), stays, "round {round}: {}", admin.name);
        }
        stage.reads_back(&stage.opened(), "at once");
        let rehearsal = stage.opened().rehearse(None).unwrap();
        assert!(rehearsal.damaged.is_empty(), "{:?}", rehearsal.damaged);
    }
}

/// While everything is sealed anew, again and again, credentials are added and tokens are got: none of them is lost.
#[test]
fn what_others_write_during_a_reseal_stays() {
    let stage = Stage::new();
    let shell = &stage.shell;
    let client = format!("client_id={}", intertie::practice::CLIENT_ID);
    let done = std::sync::atomic::AtomicBool::new(false);
    // Each writer has a vendor of its own: one makes all of its tokens expire.
    let write = |writer: usize| {
        with_practice(|practice| {
            let (address, account) = (format!("address={}", practice.base_url), format!("account_id={}", intertie::practice::ACCOUNT));
            for n in 0..3 {
                let name = format!("Practice {writer}-{n}");
                let add = ["credential", "add", "practice-clickwrap", "--name", &name, "--set", &address, "--set", &account, "--set", &client];
                shell.json(&[&add[..], &["--set", "client_secret=env:CLIENT_SECRET"]].concat(), 0);
                practice.expire_access_tokens();
                shell.json(&["credential", "test", &name], 0);
            }
            // What was kept last is what the vendor takes: nothing is obtained anew.
            for n in 0..3 {
                assert_eq!(shell.json(&["credential", "test", &format!("Practice {writer}-{n}")], 0)["ok"], true);
            }
        });
    };
    let resealed = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                scope.spawn({
                    let write = &write;
                    move || write(writer)
                })
            })
            .collect();
        let done = &done;
        let resealer = scope.spawn(move || {
            let mut n = 0;
            while !done.load(std::sync::atomic::Ordering::Acquire) {
                shell.json(&["vault", "reseal"], 0);
                n += 1;
            }
            n
        });
        // The other ends, whatever became of these.
        let written: Vec<_> = writers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        done.store(true, std::sync::atomic::Ordering::Release);
        let resealed = resealer.join().unwrap();
        assert!(written.iter().all(Result::is_ok));
        resealed
    });
    assert!(resealed >= 3, "{resealed} times only");
    stage.reads_back(&stage.opened(), "after it");
    let rehearsal = stage.opened().rehearse(None).unwrap();
    assert!(rehearsal.damaged.is_empty() && rehearsal.secrets as usize >= stage.kept.len() + 9, "{rehearsal:?}");
    let clients = |name: &str| shell.json(&["credential", "show", name], 0)["secrets"].clone();
    for writer in 0..3 {
        for n in 0..3 {
            assert_eq!(clients(&format!("Practice {writer}-{n}"))[0], "client_secret");
        }
    }
}
