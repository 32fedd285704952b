use super::*;
use crate::model::ProblemKind;

pub fn secret(text: &str) -> Secret {
    Secret::new(text)
}

/// Cheap passphrases, and no environment.
pub fn vault(dir: &Path) -> Vault {
    Vault::with_passphrase_file(dir, None).work_factor(4)
}

pub fn value(vault: &Vault, owner: &str, field: &str) -> Option<String> {
    vault.get(owner, field).unwrap().map(|secret| secret.expose().to_owned())
}

/// All files of a vault with their bytes.
pub fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            if entry.path().is_dir() { open.push(entry.path()) } else { found.push((entry.path(), std::fs::read(entry.path()).unwrap())) }
        }
    }
    found.sort();
    found
}

#[test]
fn secrets_are_kept_and_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault");
    let first = vault(&path);
    assert_eq!(value(&first, "cred_1", "token"), None);
    assert!(!path.exists(), "reading makes nothing");
    first.put("cred_1", "token", &secret("tök\u{1F511}en")).unwrap();
    first.put_all("cred_1", &[("a", &secret("1")), ("b", &secret("2"))]).unwrap();
    first.put("cred_2", "token", &secret("")).unwrap();
    let second = vault(&path);
    assert_eq!(value(&second, "cred_1", "token").unwrap(), "tök\u{1F511}en");
    assert_eq!(value(&second, "cred_2", "token").unwrap(), "");
    assert_eq!(value(&second, "cred_1", "c"), None);
    assert_eq!(second.fields("cred_1").unwrap(), ["token", "a", "b"]);
    assert_eq!(second.verify().unwrap(), 4);
    second.remove("cred_1", "a").unwrap();
    second.remove("cred_1", "a").unwrap();
    assert_eq!(first.fields("cred_1").unwrap(), ["token", "b"]);
    second.forget("cred_1").unwrap();
    second.forget("cred_1").unwrap();
    assert_eq!(first.fields("cred_1").unwrap(), Vec::<String>::new());
    second.remove("cred_2", "token").unwrap();
    assert_eq!(second.verify().unwrap(), 0);
}

#[test]
fn no_secret_is_on_disk_and_files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault");
    vault(&path).put("cred_1", "token", &secret("s3cret-in-the-open")).unwrap();
    for (file, bytes) in files(&path) {
        assert!(!String::from_utf8_lossy(&bytes).contains("s3cret"), "{}", file.display());
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    for one in [&path, &path.join("entries")] {
        assert_eq!(std::fs::metadata(one).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn a_copy_is_bound_to_its_new_owner() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path());
    v.put_all("draft_1", &[("a", &secret("new")), ("b", &secret("2"))]).unwrap();
    v.put_all("cred_1", &[("a", &secret("old")), ("c", &secret("3"))]).unwrap();
    v.copy("draft_1", "cred_1").unwrap();
    v.copy("nobody", "cred_1").unwrap();
    v.copy("cred_1", "cred_1").unwrap();
    assert_eq!([value(&v, "cred_1", "a"), value(&v, "cred_1", "b"), value(&v, "cred_1", "c")].map(Option::unwrap), ["new", "2", "3"]);
    v.forget("draft_1").unwrap();
    assert_eq!(vault(dir.path()).verify().unwrap(), 3);
}

#[test]
fn a_passphrase_locks_and_unlocks() {
    let dir = tempfile::tempdir().unwrap();
    let first = vault(dir.path());
    first.init(Some(&secret("correct horse"))).unwrap();
    first.put("cred_1", "token", &secret("x")).unwrap();
    assert_eq!(first.init(None).unwrap_err().kind, ProblemKind::Usage);
    let second = vault(dir.path());
    let status = second.status().unwrap();
    assert_eq!((status.exists, status.unlocked, status.protection, status.secrets), (true, false, Some(Protection::Passphrase), 1));
    assert_eq!(second.get("cred_1", "token").err().unwrap().kind, ProblemKind::PersonMustAct);
    assert_eq!(second.fields("cred_1").unwrap(), ["token"], "names need no key");
    let before = files(dir.path());
    assert!(second.put("cred_1", "token", &secret("y")).is_err());
    let wrong = second.unlock(&secret("wrong horse")).unwrap_err();
    assert!(!format!("{wrong:?}").contains("wrong horse"));
    assert_eq!(files(dir.path()), before, "nothing is lost by trying");
    second.unlock(&secret("correct horse")).unwrap();
    assert_eq!(value(&second, "cred_1", "token").unwrap(), "x");
    second.lock_again().unwrap();
    assert!(second.get("cred_1", "token").is_err());
    assert!(vault(&dir.path().join("none")).unlock(&secret("x")).is_err());
    assert!(vault(&dir.path().join("other")).init(Some(&secret(""))).is_err());
}

#[test]
fn a_file_may_hold_the_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pass");
    std::fs::write(&file, "open sesame\nsecond line\n").unwrap();
    let path = dir.path().join("vault");
    let made = Vault::with_passphrase_file(&path, Some(file.clone())).work_factor(4);
    made.put("cred_1", "token", &secret("x")).unwrap();
    assert_eq!(made.status().unwrap().protection, Some(Protection::Passphrase));
    assert_eq!(value(&Vault::with_passphrase_file(&path, Some(file.clone())), "cred_1", "token").unwrap(), "x");
    assert!(vault(&path).get("cred_1", "token").is_err());
    let typed = vault(&path);
    typed.unlock(&secret("open sesame")).unwrap();
    assert_eq!(value(&typed, "cred_1", "token").unwrap(), "x");
    std::fs::write(&file, "\n").unwrap();
    assert!(Vault::with_passphrase_file(&path, Some(file.clone())).get("cred_1", "token").is_err());
    std::fs::remove_file(&file).unwrap();
    assert!(Vault::with_passphrase_file(&path, Some(file)).get("cred_1", "token").is_err());
}

#[test]
fn the_protection_changes_and_the_entries_stay() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path());
    v.put("cred_1", "token", &secret("x")).unwrap();
    let entry = std::fs::read(dir.path().join("entries/cred_1.json")).unwrap();
    let old_key = std::fs::read(dir.path().join("key.txt")).unwrap();
    let other = vault(dir.path());
    assert_eq!(value(&other, "cred_1", "token").unwrap(), "x");
    v.rekey(None).unwrap();
    assert_ne!(std::fs::read(dir.path().join("key.txt")).unwrap(), old_key);
    assert_eq!(value(&other, "cred_1", "token").unwrap(), "x", "another process follows");
    v.rekey(Some(&secret("p"))).unwrap();
    assert!(!dir.path().join("key.txt").exists());
    assert_eq!(value(&v, "cred_1", "token").unwrap(), "x", "this process stays unlocked");
    assert_eq!(value(&other, "cred_1", "token").unwrap(), "x", "and one that had the data key has it still");
    assert_eq!(vault(dir.path()).get("cred_1", "token").err().unwrap().kind, ProblemKind::PersonMustAct, "a new one has to be told");
    let told = vault(dir.path());
    told.unlock(&secret("p")).unwrap();
    assert_eq!(value(&told, "cred_1", "token").unwrap(), "x");
    v.rekey(Some(&secret("q"))).unwrap();
    assert!(vault(dir.path()).unlock(&secret("p")).is_err());
    v.rekey(None).unwrap();
    assert_eq!(value(&vault(dir.path()), "cred_1", "token").unwrap(), "x");
    assert_eq!(std::fs::read(dir.path().join("entries/cred_1.json")).unwrap(), entry);
    assert!(vault(&dir.path().join("none")).rekey(None).is_err());
}

/// Stopped between any two steps of a rekey, the vault opens.
#[test]
fn a_rekey_that_was_cut_short_opens() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path());
    v.put("cred_1", "token", &secret("x")).unwrap();
    let old_key = std::fs::read(dir.path().join("key.txt")).unwrap();
    let old_data = std::fs::read(dir.path().join("data-key.age")).unwrap();
    v.rekey(None).unwrap();
    let new_key = std::fs::read(dir.path().join("key.txt")).unwrap();
    let new_data = std::fs::read(dir.path().join("data-key.age")).unwrap();
    let both = [new_key.clone(), old_key.clone()].concat();
    for (key, data) in [(&old_key, &old_data), (&both, &old_data), (&both, &new_data), (&new_key, &new_data)] {
        std::fs::write(dir.path().join("key.txt"), key).unwrap();
        std::fs::write(dir.path().join("data-key.age"), data).unwrap();
        assert_eq!(value(&vault(dir.path()), "cred_1", "token").unwrap(), "x");
    }
    std::fs::write(dir.path().join("data-key.age"), &old_data).unwrap();
    assert!(vault(dir.path()).get("cred_1", "token").is_err());
}

#[test]
fn entries_cannot_change_places() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path());
    v.put_all("cred_1", &[("a", &secret("one")), ("b", &secret("two"))]).unwrap();
    v.put("cred_2", "a", &secret("three")).unwrap();
    let path = |owner: &str| dir.path().join(format!("entries/{owner}.json"));
    let (one, two) = (std::fs::read_to_string(path("cred_1")).unwrap(), std::fs::read_to_string(path("cred_2")).unwrap());
    let refused = |v: &Vault, owner: &str| {
        let problem = v.get(owner, "a").err().unwrap();
        assert!(problem.why.contains(".json") && !problem.next_step.is_empty(), "{problem:?}");
    };
    // Whole files.
    std::fs::write(path("cred_1"), &two).unwrap();
    refused(&v, "cred_1");
    // Whole files, with the name put right.
    std::fs::write(path("cred_1"), two.replace("cred_2", "cred_1")).unwrap();
    refused(&v, "cred_1");
    // Fields of one file.
    std::fs::write(path("cred_1"), one.replace("\"a\"", "\"x\"").replace("\"b\"", "\"a\"")).unwrap();
    refused(&v, "cred_1");
    // An older revision under a newer number.
    std::fs::write(path("cred_1"), one.replacen("\"revision\": 1", "\"revision\": 2", 1)).unwrap();
    refused(&v, "cred_1");
    std::fs::write(path("cred_1"), &one).unwrap();
    assert_eq!(value(&v, "cred_1", "a").unwrap(), "one");
    // Another vault's entry under the same name.
    let elsewhere = tempfile::tempdir().unwrap();
    vault(elsewhere.path()).put("cred_1", "a", &secret("other")).unwrap();
    std::fs::copy(elsewhere.path().join("entries/cred_1.json"), path("cred_1")).unwrap();
    refused(&v, "cred_1");
    assert!(v.verify().is_err());
}

#[test]
fn what_is_damaged_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path());
    v.put("cred_1", "token", &secret("x")).unwrap();
    let entry = dir.path().join("entries/cred_1.json");
    let whole = std::fs::read(&entry).unwrap();
    for cut in [0, 1, whole.len() / 2, whole.len() - 3] {
        std::fs::write(&entry, &whole[..cut]).unwrap();
        assert!(v.get("cred_1", "token").is_err(), "{cut}");
        assert!(v.put("cred_1", "other", &secret("y")).is_err(), "{cut}");
        assert!(v.remove("cred_1", "token").is_err(), "{cut}");
        assert_eq!(std::fs::read(&entry).unwrap(), &whole[..cut], "left as it was");
    }
    std::fs::write(&entry, &whole).unwrap();
    for name in ["data-key.age", "key.txt"] {
        let path = dir.path().join(name);
        let whole = std::fs::read(&path).unwrap();
        for bad in [&b""[..], b"nonsense", &whole[..whole.len() / 2]] {
            std::fs::write(&path, bad).unwrap();
            assert!(vault(dir.path()).get("cred_1", "token").is_err(), "{name}");
            assert!(vault(dir.path()).put("cred_9", "token", &secret("y")).is_err(), "{name}");
            assert_eq!(std::fs::read(&path).unwrap(), bad);
        }
        std::fs::remove_file(&path).unwrap();
        let problem = vault(dir.path()).put("cred_9", "token", &secret("y")).unwrap_err();
        assert!(problem.why.contains(name), "{problem:?}");
        std::fs::write(&path, &whole).unwrap();
    }
    assert_eq!(value(&vault(dir.path()), "cred_1", "token").unwrap(), "x");
}

#[test]
fn owners_are_identifiers() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path());
    for owner in ["", "..", "../x", "a/b", "a b", "é", "a\0b"] {
        assert!(v.put(owner, "f", &secret("x")).is_err(), "{owner:?}");
        assert!(v.get(owner, "f").is_err(), "{owner:?}");
    }
    // Fields are free: they are inside the file.
    v.put("cred_1", "../odd \"field\" é", &secret("x")).unwrap();
    assert_eq!(value(&v, "cred_1", "../odd \"field\" é").unwrap(), "x");
}

#[test]
fn many_writers_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault");
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let path = path.clone();
            // Each its own `Vault`, as in a process of its own; the first one makes the vault while the others want to.
            scope.spawn(move || {
                let v = vault(&path);
                for n in 0..6 {
                    v.put("cred_shared", &format!("f{writer}_{n}"), &secret(&format!("{writer}-{n}"))).unwrap();
                }
            });
        }
    });
    let v = vault(&path);
    assert_eq!(v.verify().unwrap(), 48);
    assert_eq!(value(&v, "cred_shared", "f3_5").unwrap(), "3-5");
    assert!(files(&path).iter().all(|(file, _)| !file.to_string_lossy().ends_with(".new")));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn any_secret_comes_back(text in "(?s).{0,300}", field in "(?s).{1,20}") {
        let dir = tempfile::tempdir().unwrap();
        let v = vault(dir.path());
        v.put("cred_1", &field, &secret(&text)).unwrap();
        proptest::prop_assert_eq!(value(&vault(dir.path()), "cred_1", &field).unwrap(), text);
    }

    #[test]
    fn arbitrary_bytes_are_a_problem_not_a_panic(which in 0usize..3, bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let dir = tempfile::tempdir().unwrap();
        vault(dir.path()).put("cred_1", "token", &secret("x")).unwrap();
        std::fs::write(dir.path().join(["entries/cred_1.json", "data-key.age", "key.txt"][which]), &bytes).unwrap();
        proptest::prop_assert!(vault(dir.path()).get("cred_1", "token").is_err());
        let _ = vault(dir.path()).status();
        let _ = vault(dir.path()).verify();
        let _ = vault(dir.path()).unlock(&secret("x"));
    }

    #[test]
    fn one_flipped_byte_never_gives_another_secret(which in 0usize..3, at in 0usize..2000, bit in 0u8..8) {
        let dir = tempfile::tempdir().unwrap();
        vault(dir.path()).put("cred_1", "token", &secret("the secret")).unwrap();
        let path = dir.path().join(["entries/cred_1.json", "data-key.age", "key.txt"][which]);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        std::fs::write(&path, &bytes).unwrap();
        // Some bits do not matter (a comment, a space); none may change the value.
        if let Ok(Some(found)) = vault(dir.path()).get("cred_1", "token") {
            proptest::prop_assert!(found.expose() == "the secret");
        }
    }
}
