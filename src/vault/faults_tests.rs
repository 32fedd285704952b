//! Changes that fail at every possible step: a full disk, a directory that cannot be written, a process that dies.

use std::os::unix::fs::PermissionsExt as _;

use super::tests::{files, secret, value, vault};
use super::*;

/// The same bytes elsewhere.
fn copy(from: &Path, to: &Path) {
    for (file, bytes) in files(from) {
        let path = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// A vault with everything that a change may have to move: a key file, an admin's key, a passphrase, two entries.
fn full(dir: &Path, ada: &Path) -> Vault {
    let identity = wrap::KeyFile::generate();
    std::fs::write(ada, &*identity.text()).unwrap();
    let v = vault(dir);
    v.put_all("cred_1", &[("a", &secret("1")), ("b", &secret("2"))]).unwrap();
    v.put("cred_2", "token", &secret("3")).unwrap();
    v.recipient_add("ada", &New::Public(&identity.public().text())).unwrap();
    v.recipient_add("", &New::Passphrase(&secret("p"))).unwrap();
    v
}

/// The vault as somebody opens it who has only this.
fn by_key_file(dir: &Path) -> Vault {
    vault(dir)
}

/// Without the key file, on a copy.
fn by_ada_alone(dir: &Path, ada: &Path) -> bool {
    let elsewhere = tempfile::tempdir().unwrap();
    copy(dir, elsewhere.path());
    let _ = std::fs::remove_file(elsewhere.path().join("key.txt"));
    all_there(&by_ada(elsewhere.path(), ada))
}

fn by_ada(dir: &Path, ada: &Path) -> Vault {
    let v = vault(dir);
    v.set_identity(Some(ada.to_owned()));
    v
}

fn by_passphrase(dir: &Path, passphrase: &str) -> Option<Vault> {
    let v = vault(dir);
    v.unlock(&secret(passphrase)).ok().map(|()| v)
}

fn all_there(v: &Vault) -> bool {
    let is = |owner: &str, field: &str, wanted: &str| v.get(owner, field).is_ok_and(|found| found.is_some_and(|found| found.expose() == wanted));
    is("cred_1", "a", "1") && is("cred_1", "b", "2") && is("cred_2", "token", "3")
}

const NEW: &str = "age10perd6mgkkxlv7rctyzsgmuyk9nfgv99uwfpmztxmggf8mm9gajsz3t3z7";

type Change = fn(&Vault) -> Result<(), Problem>;

/// Every change, stopped before each of its writes and after the last: whoever could open the vault before and after it can open it then, and
/// sees every secret; done again, it is done.
#[test]
fn cut_short_anywhere_nothing_is_lost() {
    let changes: [(&str, Change); 9] = [
        ("add", |v| v.recipient_add("new", &New::Public(NEW))),
        ("remove ada", |v| v.recipient_remove("ada")),
        ("remove the passphrase", |v| v.recipient_remove("passphrase")),
        ("remove the key file", |v| v.recipient_remove("key-file")),
        ("another passphrase", |v| v.rekey(Some(&secret("q")))),
        ("another key file", |v| v.rekey(None)),
        ("remove ada, with a fresh data key", |v| v.recipient_remove_and_reseal("ada", Some(&secret("p"))).map(drop)),
        ("a fresh data key", |v| v.reseal(Some(&secret("p"))).map(drop)),
        ("an entry", |v| v.put("cred_3", "x", &secret("new"))),
    ];
    for (what, change) in changes {
        let place = tempfile::tempdir().unwrap();
        let (origin, ada) = (place.path().join("vault"), place.path().join("ada.txt"));
        full(&origin, &ada);
        for step in 0.. {
            let dir = place.path().join(format!("step{step}"));
            copy(&origin, &dir);
            let opener = by_ada(&dir, &ada);
            assert!(all_there(&opener));
            let done = disk::failing_after(step, || change(&opener));
            let opens = |v: Option<Vault>| v.as_ref().is_some_and(all_there);
            let (key_file, is_ada) = (all_there(&by_key_file(&dir)), by_ada_alone(&dir, &ada));
            let (old, new) = (opens(by_passphrase(&dir, "p")), opens(by_passphrase(&dir, "q")));
            let fine = match what {
                "remove ada" | "remove ada, with a fresh data key" => key_file && old && (done.is_err() || !is_ada),
                "remove the passphrase" => key_file && is_ada,
                "remove the key file" => is_ada && old,
                "another passphrase" => is_ada && (old || new),
                "another key file" => is_ada && key_file,
                _ => key_file && is_ada && old,
            };
            assert!(fine, "{what}, stopped at {step}: key file {key_file}, Ada {is_ada}, passphrase {old} or {new}: {done:?}");
            if let Err(problem) = done {
                assert!(problem.what.contains("disk is full"), "{problem:?}");
                // Again, by a new process, with room.
                let again =
                    [Some(by_ada(&dir, &ada)), by_passphrase(&dir, "p"), by_passphrase(&dir, "q")].into_iter().flatten().find(all_there).unwrap();
                match change(&again) {
                    Ok(()) => {}
                    // It was done but for a rest that does no harm.
                    Err(problem) => {
                        assert!(what.starts_with("remove") && problem.why.contains("Nobody of that name"), "{what}: {problem:?}")
                    }
                }
                assert!(all_there(&again));
                let rehearsal = again.rehearse(None).unwrap();
                assert!(rehearsal.damaged.is_empty(), "{what} at {step}: {:?}", rehearsal.damaged);
                let list = again.recipients().unwrap();
                let has = |name: &str| list.iter().any(|one| one.name == name);
                match what {
                    "add" => assert!(has("new")),
                    "remove ada" | "remove ada, with a fresh data key" => assert!(!has("ada")),
                    "remove the passphrase" => assert!(!has("passphrase")),
                    "remove the key file" => assert!(!has("key-file")),
                    _ => {}
                }
            } else {
                assert!(step > 0, "{what} wrote nothing");
                break;
            }
        }
    }
}

/// The limit of a file's size stands for a full disk that is really one: the kernel refuses in the middle of a write.
#[test]
fn a_disk_that_fills_up_in_the_middle() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path());
    v.put("cred_1", "token", &secret("x")).unwrap();
    let before = files(dir.path());
    // /dev/full answers as a full disk does, from the first byte; a file beside is what the vault writes.
    let error = std::fs::OpenOptions::new().write(true).open("/dev/full").and_then(|mut full| std::io::Write::write_all(&mut full, b"x"));
    let problem = Problem::from(VaultError::Io(dir.path().to_owned(), error.unwrap_err()));
    assert_eq!(problem.what, Problem::from(VaultError::Io(PathBuf::new(), std::io::ErrorKind::StorageFull.into())).what);
    for step in 0..1 {
        let problem = disk::failing_after(step, || v.put("cred_1", "token", &secret("y"))).unwrap_err();
        assert!(problem.what.contains("disk is full") && !problem.next_step.is_empty());
    }
    assert_eq!(files(dir.path()), before);
    assert_eq!(value(&v, "cred_1", "token").unwrap(), "x");
}

#[test]
fn a_directory_that_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault");
    vault(&path).put("cred_1", "token", &secret("x")).unwrap();
    let mode = |dir: &Path, mode| std::fs::set_permissions(dir, std::fs::Permissions::from_mode(mode)).unwrap();
    for one in [path.join("entries"), path.clone()] {
        mode(&one, 0o500);
    }
    // Root is not bound by permissions.
    let bound = std::fs::write(path.join("probe"), "").is_err();
    let v = vault(&path);
    assert_eq!(value(&v, "cred_1", "token").unwrap(), "x", "reading needs no writing");
    if bound {
        for failed in [v.put("cred_1", "token", &secret("y")), v.recipient_remove("key-file").and(v.rekey(None)), v.rekey(Some(&secret("p")))] {
            assert!(!failed.unwrap_err().next_step.is_empty());
        }
    }
    for one in [path.clone(), path.join("entries")] {
        mode(&one, 0o700);
    }
    assert_eq!(value(&vault(&path), "cred_1", "token").unwrap(), "x");
}

/// While one process changes who can open the vault and makes fresh keys, others read and write.
#[test]
fn readers_and_writers_go_on_while_everything_is_sealed_anew() {
    let dir = tempfile::tempdir().unwrap();
    vault(dir.path()).put("cred_1", "token", &secret("x")).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for reader in 0..3 {
            let (dir, done) = (dir.path(), &done);
            scope.spawn(move || {
                let own = vault(dir);
                while !done.load(std::sync::atomic::Ordering::Acquire) {
                    assert_eq!(value(&own, "cred_1", "token").unwrap(), "x");
                    assert_eq!(value(&vault(dir), "cred_1", "token").unwrap(), "x", "one that starts now");
                    own.put(&format!("cred_w{reader}"), "n", &secret("w")).unwrap();
                    assert_eq!(value(&own, &format!("cred_w{reader}"), "n").unwrap(), "w");
                }
            });
        }
        let changer = vault(dir.path());
        for round in 0..8 {
            changer.reseal(None).unwrap();
            if round % 2 == 0 {
                changer.rekey(None).unwrap();
            }
        }
        done.store(true, std::sync::atomic::Ordering::Release);
    });
    let last = vault(dir.path());
    assert!(last.verify().unwrap() >= 1);
    assert!(!last.is_resealing().unwrap());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    /// The payload of the data key: whatever comes, it is a key or an error.
    #[test]
    fn any_payload_parses_or_is_refused(
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
        version in 0u32..5,
        id in "[a-z0-9/.-]{0,70}",
        raw in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
        earlier in 0usize..20,
    ) {
        use base64::Engine as _;
        let path = Path::new("x");
        let _ = key::DataKey::from_payload(&bytes, path);
        let text = base64::engine::general_purpose::STANDARD.encode(&raw);
        let payload = serde_json::json!({"intertie_vault": version, "vault": id, "key": text, "earlier": vec![text.clone(); earlier]});
        if let Ok(key) = key::DataKey::from_payload(payload.to_string().as_bytes(), path) {
            proptest::prop_assert!(raw.len() == 32 && (1..=2).contains(&version) && !id.contains('/') && earlier <= 16);
            let again = key::DataKey::from_payload(&key.payload(), path).unwrap();
            proptest::prop_assert!(again.same(&key) && again.has_earlier() == (earlier > 0));
        }
    }

    /// An entry: whatever comes, it is an entry or an error; what opens is what was sealed.
    #[test]
    fn any_entry_parses_or_is_refused(at in 0usize..400, with in proptest::collection::vec(proptest::num::u8::ANY, 0..6), cut in 0usize..8) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cred_1.json");
        let key = key::DataKey::generate();
        let mut entry = Entry::default();
        entry.seal(&key, "cred_1", "a", &secret("one"));
        entry.seal(&key, "cred_1", "b", &secret("two"));
        entry.write(&path, "cred_1").unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes.splice(at..(at + cut).min(bytes.len()), with);
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(Some(entry)) = Entry::read(&path, "cred_1") {
            for (field, wanted) in [("a", "one"), ("b", "two")] {
                if let Ok(Some(found)) = entry.open(&key, &path, "cred_1", field) {
                    proptest::prop_assert!(found.expose() == wanted);
                }
            }
            let other = key::DataKey::generate();
            proptest::prop_assert!(entry.fields().iter().all(|field| entry.open(&other, &path, "cred_1", field).is_err()), "another key opens nothing");
        }
    }

    /// The list of recipients: a changed one is never taken for sealed.
    #[test]
    fn a_changed_list_is_never_trusted(at in 0usize..400, bit in 0u8..8) {
        let key = key::DataKey::generate();
        let own = Recipient::own(Kind::KeyFile, Some("age1x".to_owned()));
        let all = recipients::with(std::slice::from_ref(&own), Recipient { kind: Kind::Ssh, name: "ada".to_owned(), public: Some("ssh-ed25519 AAAA".to_owned()) }).unwrap();
        let honest = recipients::List::sealed(&key, &all);
        let mut bytes = honest.clone();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(list) = recipients::List::parse(&bytes, Path::new("x")) {
            // A bit in a blank, or one that base64 does not look at, changes nothing that is said.
            proptest::prop_assert!(list.sealed_by(&key).is_none() || list.recipients == all);
        }
        proptest::prop_assert!(recipients::List::parse(&honest, Path::new("x")).unwrap().sealed_by(&key).is_some());
    }
}
