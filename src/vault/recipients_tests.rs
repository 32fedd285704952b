//! Who can open the vault, and what a change that was cut short leaves behind.

use std::time::Duration;

use super::tests::{files, secret, value, vault};
use super::*;
use crate::model::ProblemKind;

/// An ed25519 key of OpenSSH, made by its own program, with or without a passphrase; the public half.
fn ssh_key(path: &Path, passphrase: &str) -> String {
    let mut command = std::process::Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-C", "ada@example.com", "-N", passphrase, "-f"]).arg(path);
    let output = command.output().expect("the program ssh-keygen: tests/run installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(path.with_extension("pub")).unwrap()
}

/// An identity of age's in a file; its public key.
fn identity(path: &Path) -> String {
    let identity = wrap::KeyFile::generate();
    std::fs::write(path, &*identity.text()).unwrap();
    identity.public().text()
}

fn names(vault: &Vault) -> Vec<String> {
    vault.recipients().unwrap().into_iter().map(|one| one.name).collect()
}

fn with_identity(dir: &Path, path: &Path) -> Vault {
    let v = vault(dir);
    v.set_identity(Some(path.to_owned()));
    v
}

/// A program that stands for systemd-creds: it refuses another name, and wants its input.
fn systemd(dir: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.join("fake-systemd-creds");
    let script = "#!/bin/sh\nfor one in \"$@\"; do case $one in --name=*) name=${one#--name=};; encrypt|decrypt) verb=$one;; esac; done\n\
        if [ \"$verb\" = encrypt ]; then printf '%s\\n' \"$name\"; exec base64; fi\n\
        read -r kept; if [ \"$kept\" != \"$name\" ]; then echo \"Embedded credential name '$kept' does not match\" >&2; exit 1; fi\nexec base64 -d\n";
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path
}

#[test]
fn several_admins_open_one_vault() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault");
    let v = vault(&path);
    v.put("cred_1", "token", &secret("x")).unwrap();
    let entries = std::fs::read(path.join("entries/cred_1.json")).unwrap();
    let ada = dir.path().join("ada.txt");
    v.recipient_add("ada", &New::Public(&identity(&ada))).unwrap();
    let (grace, barbara) = (dir.path().join("id_ed25519"), dir.path().join("id_locked"));
    v.recipient_add("grace (laptop)", &New::Public(&ssh_key(&grace, ""))).unwrap();
    v.recipient_add("barbara", &New::Public(&ssh_key(&barbara, "swordfish"))).unwrap();
    v.recipient_add("", &New::Passphrase(&secret("break glass"))).unwrap();
    assert_eq!(names(&v), ["key-file", "ada", "grace (laptop)", "barbara", "passphrase"]);
    assert_eq!(std::fs::read(path.join("entries/cred_1.json")).unwrap(), entries, "no entry is touched");

    // Without the key file, each by their own means.
    std::fs::rename(path.join("key.txt"), dir.path().join("key.txt")).unwrap();
    assert_eq!(vault(&path).get("cred_1", "token").err().unwrap().kind, ProblemKind::PersonMustAct);
    assert_eq!(value(&with_identity(&path, &ada), "cred_1", "token").unwrap(), "x");
    assert_eq!(value(&with_identity(&path, &dir.path().join("key.txt")), "cred_1", "token").unwrap(), "x");
    assert_eq!(value(&with_identity(&path, &grace), "cred_1", "token").unwrap(), "x");
    let locked = with_identity(&path, &barbara);
    assert_eq!(locked.status().unwrap().asks, Some(Asks::Passphrase));
    locked.unlock(&secret("swordfish")).unwrap();
    assert_eq!(value(&locked, "cred_1", "token").unwrap(), "x");
    let broken = vault(&path);
    broken.unlock(&secret("break glass")).unwrap();
    assert_eq!(value(&broken, "cred_1", "token").unwrap(), "x");

    // Without the passphrase the private key asks for its own.
    broken.recipient_remove("passphrase").unwrap();
    let locked = with_identity(&path, &barbara);
    let status = locked.status().unwrap();
    assert_eq!((status.unlocked, status.asks), (false, Some(Asks::Identity(barbara.clone()))));
    let problem = locked.get("cred_1", "token").err().unwrap();
    assert_eq!(problem.what, Problem::from(VaultError::Locked).what, "the console asks then");
    assert!(problem.why.contains("id_locked"));
    assert_eq!(locked.unlock(&secret("wrong")).unwrap_err().what, Problem::from(VaultError::WrongPassphrase).what);
    locked.unlock(&secret("swordfish")).unwrap();
    assert_eq!(value(&locked, "cred_1", "token").unwrap(), "x");
    // Who was taken away does not open it any more.
    locked.recipient_remove("ADA").unwrap();
    assert!(with_identity(&path, &ada).get("cred_1", "token").is_err());
    assert_eq!(value(&with_identity(&path, &grace), "cred_1", "token").unwrap(), "x");
    let nobody = vault(&path).get("cred_1", "token").err().unwrap();
    assert!(nobody.why.contains("key.txt"), "{nobody:?}");
    locked.recipient_remove("key-file").unwrap();
    let nobody = vault(&path).get("cred_1", "token").err().unwrap();
    assert!(nobody.next_step.contains("--identity"), "{nobody:?}");
    locked.recipient_remove("barbara").unwrap();
    assert_eq!(locked.recipient_remove("grace (laptop)").unwrap_err(), VaultError::LastRecipient.into());
    assert_eq!(value(&with_identity(&path, &grace), "cred_1", "token").unwrap(), "x");
}

#[test]
fn an_identity_may_be_encrypted_by_age() {
    let dir = tempfile::tempdir().unwrap();
    let (plain, path) = (dir.path().join("plain.txt"), dir.path().join("vault"));
    let public = identity(&plain);
    let v = vault(&path);
    v.put("cred_1", "token", &secret("x")).unwrap();
    v.recipient_add("ada", &New::Public(&public)).unwrap();
    v.recipient_remove("key-file").unwrap();
    let encrypted = dir.path().join("encrypted.age");
    let bytes = wrap::with_passphrase(&std::fs::read(&plain).unwrap(), &secret("sesame"), 4, &encrypted).unwrap();
    std::fs::write(&encrypted, bytes).unwrap();
    let locked = with_identity(&path, &encrypted);
    assert!(locked.get("cred_1", "token").is_err());
    locked.unlock(&secret("sesame")).unwrap();
    assert_eq!(value(&locked, "cred_1", "token").unwrap(), "x");
}

#[test]
fn what_cannot_be_added_is_refused() {
    let (dir, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let v = vault(dir.path());
    v.put("cred_1", "token", &secret("x")).unwrap();
    let ssh = ssh_key(&keys.path().join("id"), "");
    let private = std::fs::read_to_string(keys.path().join("id")).unwrap();
    v.recipient_add("ada", &New::Public(&ssh)).unwrap();
    let before = files(dir.path());
    let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC8 x";
    for bad in ["", "age1qqqq", "AGE-SECRET-KEY-1QQQ", "ssh-ed25519 AAAA", rsa, "hunter2", private.as_str()] {
        let problem = v.recipient_add("new", &New::Public(bad)).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Usage, "{problem:?}");
        assert!(!format!("{problem:?}").contains("hunter2"), "what was given may be a secret");
    }
    let key = identity(&keys.path().join("age.txt"));
    for name in ["ADA", "two\nlines", &"x".repeat(81), "\u{202e}ada"] {
        assert_eq!(v.recipient_add(name, &New::Public(&key)).unwrap_err().kind, ProblemKind::Usage, "{name:?}");
    }
    assert!(v.recipient_add("other", &New::Public(&ssh)).is_err(), "the same key under another name");
    assert!(v.recipient_add("other", &New::KeyFile).is_err(), "a second key file");
    assert!(v.recipient_add("", &New::Passphrase(&secret(""))).is_err());
    assert!(v.recipient_remove("nobody").is_err());
    let missing = vault(dir.path()).systemd_creds(Path::new("/no/such/systemd-creds"));
    assert!(missing.recipient_add("", &New::SystemdCreds).unwrap_err().what.contains("systemd-creds"));
    assert_eq!(files(dir.path()), before);
}

/// What the first form of the vault looked like: one wrap, no list.
fn first_form(dir: &Path, passphrase: Option<&str>) {
    let v = vault(dir);
    v.init(passphrase.map(secret).as_ref()).unwrap();
    v.put("cred_1", "token", &secret("x")).unwrap();
    std::fs::remove_file(dir.join("recipients.json")).unwrap();
    if passphrase.is_some() {
        std::fs::rename(dir.join("data-key.passphrase.age"), dir.join("data-key.age")).unwrap();
    }
}

#[test]
fn a_vault_of_the_first_form_goes_on() {
    let keys = tempfile::tempdir().unwrap();
    let ssh = keys.path().join("id");
    let public = ssh_key(&ssh, "");
    for passphrase in [None, Some("p")] {
        let dir = tempfile::tempdir().unwrap();
        first_form(dir.path(), passphrase);
        let before = files(dir.path());
        let open = || {
            let v = vault(dir.path());
            passphrase.iter().for_each(|p| v.unlock(&secret(p)).unwrap());
            v
        };
        let v = open();
        assert_eq!(value(&v, "cred_1", "token").unwrap(), "x");
        let kind = if passphrase.is_some() { Kind::Passphrase } else { Kind::KeyFile };
        assert_eq!(v.recipients().unwrap().iter().map(|one| one.kind).collect::<Vec<_>>(), [kind]);
        assert_eq!(v.status().unwrap().secrets, 1);
        assert_eq!(v.rehearse(passphrase.map(secret).as_ref()).unwrap().ways[0].outcome, Outcome::Opens);
        assert_eq!(files(dir.path()), before, "reading changes nothing");
        v.put("cred_1", "other", &secret("y")).unwrap();
        assert!(!dir.path().join("recipients.json").exists(), "nor does writing");
        v.recipient_add("ada", &New::Public(&public)).unwrap();
        assert_eq!(value(&with_identity(dir.path(), &ssh), "cred_1", "token").unwrap(), "x");
        assert_eq!(value(&open(), "cred_1", "other").unwrap(), "y");
        assert_eq!(dir.path().join("data-key.passphrase.age").exists(), passphrase.is_some());
    }
    // Each way from one protection to the other.
    for (passphrase, to) in [(None, Some("q")), (Some("p"), Some("q")), (Some("p"), None), (None, None)] {
        let dir = tempfile::tempdir().unwrap();
        first_form(dir.path(), passphrase);
        let v = vault(dir.path());
        passphrase.iter().for_each(|p| v.unlock(&secret(p)).unwrap());
        v.rekey(to.map(secret).as_ref()).unwrap();
        let v = vault(dir.path());
        to.iter().for_each(|p| v.unlock(&secret(p)).unwrap());
        assert_eq!(value(&v, "cred_1", "token").unwrap(), "x");
        assert_eq!(v.recipients().unwrap().len(), 1);
        assert_eq!(dir.path().join("data-key.age").exists(), to.is_none());
        assert_eq!(dir.path().join("key.txt").exists(), to.is_none());
    }
}

#[test]
fn systemd_creds_open_the_vault() {
    let dir = tempfile::tempdir().unwrap();
    let (program, path) = (systemd(dir.path()), dir.path().join("vault"));
    let host = || vault(&path).systemd_creds(&program);
    let v = host();
    v.put("cred_1", "token", &secret("x")).unwrap();
    v.recipient_add("", &New::SystemdCreds).unwrap();
    v.recipient_remove("key-file").unwrap();
    assert_eq!(value(&host(), "cred_1", "token").unwrap(), "x");
    let status = host().status().unwrap();
    assert_eq!((status.unlocked, status.protection), (true, Some(Protection::SystemdCreds)));
    // Elsewhere.
    let problem = vault(&path).systemd_creds(Path::new("/no/such/program")).get("cred_1", "token").err().unwrap();
    assert_eq!(problem, VaultError::NoSystemd.into());
    // The credential of another vault.
    let other = dir.path().join("other");
    let o = vault(&other).systemd_creds(&program);
    o.put("cred_1", "token", &secret("y")).unwrap();
    o.recipient_add("", &New::SystemdCreds).unwrap();
    std::fs::copy(other.join("data-key.systemd"), path.join("data-key.systemd")).unwrap();
    let problem = host().get("cred_1", "token").err().unwrap();
    assert!(problem.why.contains("does not match"), "{problem:?}");
}

/// With the program of this host, where there is one and it works (it takes root, or systemd 256).
#[test]
fn the_systemd_creds_of_this_host_do() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path());
    v.put("cred_1", "token", &secret("x")).unwrap();
    match v.recipient_add("", &New::SystemdCreds) {
        Ok(()) => {
            v.recipient_remove("key-file").unwrap();
            assert_eq!(value(&vault(dir.path()), "cred_1", "token").unwrap(), "x");
        }
        Err(problem) => assert!(problem.what.contains("systemd-creds") && value(&vault(dir.path()), "cred_1", "token").is_some(), "{problem:?}"),
    }
}

#[test]
fn a_fresh_data_key_leaves_out_who_had_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let (path, ada) = (dir.path().join("vault"), dir.path().join("ada.txt"));
    let v = vault(&path).systemd_creds(&systemd(dir.path()));
    v.put_all("cred_1", &[("a", &secret("1")), ("b", &secret("2"))]).unwrap();
    v.put("cred_2", "token", &secret("3")).unwrap();
    v.recipient_add("ada", &New::Public(&identity(&ada))).unwrap();
    v.recipient_add("", &New::Passphrase(&secret("p"))).unwrap();
    v.recipient_add("", &New::SystemdCreds).unwrap();
    // What Ada may have kept.
    let kept = with_identity(&path, &ada);
    assert_eq!(value(&kept, "cred_1", "a").unwrap(), "1");
    let old_key = kept.with_key(|key| Ok(key.clone())).unwrap();
    let running = vault(&path);
    assert_eq!(value(&running, "cred_1", "a").unwrap(), "1");
    v.recipient_remove("ada").unwrap();

    let before = files(&path);
    assert_eq!(v.reseal(None).unwrap_err(), VaultError::NeedsPassphrase.into());
    assert_eq!(v.reseal(Some(&secret("typo"))).unwrap_err(), VaultError::WrongPassphrase.into());
    assert_eq!(files(&path), before);
    assert_eq!(v.reseal(Some(&secret("p"))).unwrap(), 3);

    let entry_path = path.join("entries/cred_1.json");
    let entry = Entry::read(&entry_path, "cred_1").unwrap().unwrap();
    assert!(entry.open(&old_key, &entry_path, "cred_1", "a").is_err(), "the old key opens nothing any more");
    assert!(!v.is_resealing().unwrap());
    assert_eq!(value(&running, "cred_1", "b").unwrap(), "2", "a process that was running follows");
    assert_eq!(value(&vault(&path), "cred_2", "token").unwrap(), "3");
    let rehearsal = v.rehearse(Some(&secret("p"))).unwrap();
    assert_eq!(rehearsal.secrets, 3);
    assert!(rehearsal.damaged.is_empty() && rehearsal.ways.iter().all(|way| way.outcome == Outcome::Opens), "{rehearsal:?}");
    // A damaged entry is in the way of a change that would have to open it.
    std::fs::write(path.join("entries/cred_2.json"), "{").unwrap();
    let before = files(&path);
    assert!(v.reseal(Some(&secret("p"))).is_err());
    assert_eq!(files(&path), before);
}

#[test]
fn the_list_is_not_to_be_forged() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path());
    v.put("cred_1", "token", &secret("x")).unwrap();
    let keys = tempfile::tempdir().unwrap();
    v.recipient_add("ada", &New::Public(&ssh_key(&keys.path().join("id"), ""))).unwrap();
    let list = dir.path().join("recipients.json");
    let honest = std::fs::read_to_string(&list).unwrap();
    let mallory = wrap::KeyFile::generate().public().text();
    let public = v.recipients().unwrap()[1].public.clone().unwrap();
    let forged = honest.replace("\"ssh\"", "\"age\"").replace(&public, &mallory);
    assert_ne!(forged, honest);
    std::fs::write(&list, &forged).unwrap();
    let v = vault(dir.path());
    assert_eq!(value(&v, "cred_1", "token").unwrap(), "x", "reading goes on");
    let problem = v.recipient_add("", &New::Passphrase(&secret("p"))).unwrap_err();
    assert!(problem.why.contains("recipients.json"), "{problem:?}");
    assert!(v.rekey(None).is_err() && v.reseal(None).is_err() && v.recipient_remove("ada").is_err());
    assert_eq!(v.rehearse(None).unwrap().damaged.len(), 1);
    // Nor to be lost: Ada would be left out.
    std::fs::remove_file(&list).unwrap();
    let v = vault(dir.path());
    assert_eq!(value(&v, "cred_1", "token").unwrap(), "x");
    assert!(v.rekey(None).unwrap_err().why.contains("recipients.json"));
    for bad in ["", "{}", "[1]", &honest[..honest.len() / 2]] {
        std::fs::write(&list, bad).unwrap();
        assert_eq!(value(&vault(dir.path()), "cred_1", "token").unwrap(), "x");
        assert!(vault(dir.path()).rekey(None).is_err());
        assert_eq!(std::fs::read_to_string(&list).unwrap(), bad);
    }
    std::fs::write(&list, honest.replace("\"version\": 1", "\"version\": 2")).unwrap();
    assert!(vault(dir.path()).get("cred_1", "token").err().unwrap().what.contains("newer"));
    std::fs::write(&list, &honest).unwrap();
    vault(dir.path()).rekey(None).unwrap();
}

#[test]
fn a_rehearsal_says_what_could_not_be_tried() {
    let dir = tempfile::tempdir().unwrap();
    let (path, ada) = (dir.path().join("vault"), dir.path().join("ada.txt"));
    let v = vault(&path);
    v.put("cred_1", "token", &secret("x")).unwrap();
    v.put("cred_2", "token", &secret("y")).unwrap();
    v.recipient_add("ada", &New::Public(&identity(&ada))).unwrap();
    let grace = dir.path().join("id_ed25519");
    v.recipient_add("grace", &New::Public(&ssh_key(&grace, ""))).unwrap();
    v.recipient_add("", &New::Passphrase(&secret("p"))).unwrap();
    let told = |v: &Vault, passphrase: Option<&str>| -> Vec<&'static str> {
        let ways = v.rehearse(passphrase.map(secret).as_ref()).unwrap().ways;
        let word = |outcome: &Outcome| match outcome {
            Outcome::Opens => "opens",
            Outcome::NotHere => "not here",
            Outcome::Fails(_) => "fails",
        };
        ways.iter().map(|way| word(&way.outcome)).collect()
    };
    assert_eq!(told(&v, None), ["opens", "not here", "not here", "not here"]);
    assert_eq!(told(&v, Some("p")), ["opens", "not here", "not here", "opens"]);
    assert_eq!(told(&v, Some("wrong")), ["opens", "not here", "not here", "fails"]);
    assert_eq!(told(&with_identity(&path, &ada), None), ["opens", "opens", "not here", "not here"]);
    assert_eq!(told(&with_identity(&path, &grace), None), ["opens", "not here", "opens", "not here"]);
    // A key file that was replaced by another one.
    identity(&path.join("key.txt"));
    assert_eq!(told(&with_identity(&path, &ada), None), ["fails", "opens", "not here", "not here"]);
    // Everything that is damaged, not only the first thing.
    let mut entry = std::fs::read_to_string(path.join("entries/cred_1.json")).unwrap();
    entry = entry.replace("cred_1", "cred_9");
    std::fs::write(path.join("entries/cred_1.json"), entry).unwrap();
    std::fs::write(path.join("entries/cred_2.json"), "").unwrap();
    let rehearsal = with_identity(&path, &ada).rehearse(None).unwrap();
    assert_eq!((rehearsal.secrets, rehearsal.damaged.len()), (0, 2));
}

/// Whether this kernel keeps keys at all; some sandboxes forbid it, and then that is what the vault has to say.
fn keyring_works() -> bool {
    let payload = zeroize::Zeroizing::new(b"probe".to_vec());
    let until = crate::model::Time::now() + jiff::SignedDuration::from_secs(60);
    let name = format!("probe-{}", std::process::id());
    let works = keyring::put(&name, &keyring::Kept { until, payload }, 60).is_ok();
    let _ = keyring::remove(&name);
    works
}

#[test]
fn unlocked_for_a_time_it_is_so_for_others_too() {
    let dir = tempfile::tempdir().unwrap();
    let v = vault(dir.path());
    v.init(Some(&secret("p"))).unwrap();
    v.put("cred_1", "token", &secret("x")).unwrap();
    let typed = vault(dir.path());
    assert!(typed.keep(Duration::from_secs(60)).is_err(), "a locked vault cannot be kept");
    typed.unlock(&secret("p")).unwrap();
    let kept = typed.keep(Duration::from_secs(60)).unwrap();
    if !keyring_works() {
        assert!(matches!(kept, KeptIn::Process(why) if !why.is_empty()));
        assert_eq!(value(&typed, "cred_1", "token").unwrap(), "x");
        return;
    }
    let KeptIn::Keyring(until) = kept else { panic!("{kept:?}") };
    let other = vault(dir.path());
    assert_eq!(value(&other, "cred_1", "token").unwrap(), "x");
    let status = vault(dir.path()).status().unwrap();
    assert_eq!((status.unlocked, status.until.map(|at| at.as_second())), (true, Some(until.as_second())));
    // The passphrase changes, the data key stays.
    v.rekey(Some(&secret("q"))).unwrap();
    assert_eq!(value(&vault(dir.path()), "cred_1", "token").unwrap(), "x");
    // A fresh data key: what is kept does not open the vault any more.
    v.reseal(Some(&secret("q"))).unwrap();
    assert!(vault(dir.path()).get("cred_1", "token").is_err());
    v.keep(Duration::from_secs(60)).unwrap();
    assert_eq!(value(&vault(dir.path()), "cred_1", "token").unwrap(), "x");
    // Another vault is not opened by it.
    let elsewhere = tempfile::tempdir().unwrap();
    let second = vault(elsewhere.path());
    second.init(Some(&secret("p"))).unwrap();
    second.put("cred_1", "token", &secret("y")).unwrap();
    assert!(vault(elsewhere.path()).get("cred_1", "token").is_err());
    vault(dir.path()).lock_again().unwrap();
    assert!(vault(dir.path()).get("cred_1", "token").is_err());
    assert_eq!(vault(dir.path()).status().unwrap().until, None);
    // The time goes by.
    v.keep(Duration::from_secs(1)).unwrap();
    assert_eq!(value(&vault(dir.path()), "cred_1", "token").unwrap(), "x");
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while vault(dir.path()).get("cred_1", "token").is_ok() {
        assert!(std::time::Instant::now() < deadline, "it never ended");
        std::thread::yield_now();
    }
}

/// A vault of the first form can be kept unlocked, too.
#[test]
fn a_vault_without_a_list_gets_one_to_be_kept_by() {
    let dir = tempfile::tempdir().unwrap();
    first_form(dir.path(), Some("p"));
    let v = vault(dir.path());
    v.unlock(&secret("p")).unwrap();
    let kept = v.keep(Duration::from_secs(60)).unwrap();
    if matches!(kept, KeptIn::Keyring(_)) {
        assert_eq!(value(&vault(dir.path()), "cred_1", "token").unwrap(), "x");
        v.lock_again().unwrap();
    }
    assert_eq!(names(&v), ["passphrase"]);
    assert!(vault(dir.path()).get("cred_1", "token").is_err());
}
