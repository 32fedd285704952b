//! The vault, opened by programs that are not ours (the stock `age`, Python), and by ours as an admin uses it. `tests/run` installs them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use intertie::model::Secret;
use intertie::practice;
use intertie::vault::{New, Vault};
use serde_json::{Value, json};

use crate::cli::{SECRET, Shell, with_practice};
use crate::searched::Captured as _;

fn decode(value: &Value) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// Opens one entry with nothing but the data key and the description of the format.
fn open(dir: &Path, payload: &Value, owner: &str, field: &str) -> String {
    let entry: Value = serde_json::from_slice(&std::fs::read(dir.join(format!("entries/{owner}.json"))).unwrap()).unwrap();
    let sealed = &entry["fields"][field];
    let mut bound = b"intertie vault entry".to_vec();
    bound.extend(1u32.to_be_bytes());
    for part in [payload["vault"].as_str().unwrap(), owner, field] {
        bound.extend((part.len() as u64).to_be_bytes());
        bound.extend(part.as_bytes());
    }
    bound.extend(sealed["revision"].as_u64().unwrap().to_be_bytes());
    let key = decode(&payload["key"]);
    let plain = XChaCha20Poly1305::new(Key::from_slice(&key))
        .decrypt(XNonce::from_slice(&decode(&sealed["nonce"])), Payload { msg: &decode(&sealed["sealed"]), aad: &bound })
        .unwrap();
    String::from_utf8(plain).unwrap()
}

#[test]
fn the_stock_age_program_recovers_the_data_key() {
    let dir = crate::searched::place();
    let vault = Vault::with_passphrase_file(dir.path(), None);
    vault.put("cred_1", "client_secret", &Secret::new("first")).unwrap();
    vault.put("cred_1", "client_secret", &Secret::new("recovered by hand")).unwrap();
    for round in 0..2 {
        let output = Command::new("age")
            .arg("--decrypt")
            .arg("--identity")
            .arg(dir.path().join("key.txt"))
            .arg(dir.path().join("data-key.age"))
            .output()
            .expect("the program age: tests/run installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let payload: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(payload["intertie_vault"], 1, "round {round}");
        assert_eq!(open(dir.path(), &payload, "cred_1", "client_secret"), "recovered by hand");
        vault.rekey(None).unwrap();
    }
}

/// The other way round: what `age` wraps for our key, we open.
#[test]
fn a_data_key_that_age_wrapped_is_accepted() {
    let dir = crate::searched::place();
    Vault::with_passphrase_file(dir.path(), None).put("cred_1", "token", &Secret::new("x")).unwrap();
    let (key, wrapped) = (dir.path().join("key.txt"), dir.path().join("data-key.age"));
    let run = |command: &mut Command| {
        let output = command.output().expect("the programs of age: tests/run installs them");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let payload = run(Command::new("age").arg("-d").arg("-i").arg(&key).arg(&wrapped));
    let plain = dir.path().join("payload");
    std::fs::write(&plain, payload).unwrap();
    crate::searched::own(&plain, "the data key, taken out by hand");
    std::fs::remove_file(&key).unwrap();
    run(Command::new("age-keygen").arg("-o").arg(&key));
    let public = String::from_utf8(run(Command::new("age-keygen").arg("-y").arg(&key))).unwrap();
    std::fs::remove_file(&wrapped).unwrap();
    run(Command::new("age").arg("-r").arg(public.trim()).arg("-o").arg(&wrapped).arg(&plain));
    let vault = Vault::with_passphrase_file(dir.path(), None);
    assert_eq!(vault.get("cred_1", "token").unwrap().unwrap().expose(), "x");
    assert_eq!(vault.verify().unwrap(), 1);
}

/// A passphrase is asked on a terminal, so it gets one.
#[test]
fn the_stock_age_program_takes_the_passphrase() {
    use std::io::{Read as _, Write as _};
    let dir = crate::searched::place();
    let vault = Vault::with_passphrase_file(dir.path(), None).work_factor(8);
    vault.init(Some(&Secret::new("correct horse battery staple"))).unwrap();
    vault.put("cred_1", "token", &Secret::new("x")).unwrap();
    let out = dir.path().join("payload");
    let pty = portable_pty::native_pty_system().openpty(portable_pty::PtySize::default()).unwrap();
    let mut command = portable_pty::CommandBuilder::new("age");
    command.args(["--decrypt", "--output"]);
    command.arg(&out);
    command.arg(dir.path().join("data-key.passphrase.age"));
    let mut child = pty.slave.spawn_command(command).expect("the program age: tests/run installs it");
    drop(pty.slave);
    let mut reader = pty.master.try_clone_reader().unwrap();
    let mut writer = pty.master.take_writer().unwrap();
    let mut said = String::new();
    let mut answered = false;
    let mut bytes = [0; 1024];
    // A pseudo-terminal whose other side is gone ends with an error.
    while let Ok(n @ 1..) = reader.read(&mut bytes) {
        said.push_str(&String::from_utf8_lossy(&bytes[..n]));
        if !answered && said.contains("passphrase") {
            writer.write_all(b"correct horse battery staple\n").unwrap();
            answered = true;
        }
    }
    assert!(child.wait().unwrap().success(), "{said}");
    let payload: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(open(dir.path(), &payload, "cred_1", "token"), "x");
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; tests/run installs it"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Each admin opens the vault with the stock program and their own key: one of age's, one of OpenSSH's.
#[test]
fn the_stock_age_program_opens_it_for_every_admin() {
    let dir = crate::searched::place();
    let place = dir.path().join("vault");
    let vault = Vault::with_passphrase_file(&place, None);
    vault.put("cred_1", "token", &Secret::new("for all of us")).unwrap();
    let (ada, grace) = (dir.path().join("ada.txt"), dir.path().join("id_ed25519"));
    run(Command::new("age-keygen").arg("-o").arg(&ada));
    crate::searched::own(&ada, "an admin's own private key");
    let public = String::from_utf8(run(Command::new("age-keygen").arg("-y").arg(&ada))).unwrap();
    vault.recipient_add("ada", &New::Public(&public)).unwrap();
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&grace));
    vault.recipient_add("grace", &New::Public(&std::fs::read_to_string(grace.with_extension("pub")).unwrap())).unwrap();
    for identity in [&ada, &grace, &place.join("key.txt")] {
        let opened = run(Command::new("age").arg("-d").arg("-i").arg(identity).arg(place.join("data-key.age")));
        let payload: Value = serde_json::from_slice(&opened).unwrap();
        assert_eq!(open(&place, &payload, "cred_1", "token"), "for all of us", "{}", identity.display());
    }
    vault.recipient_remove("ada").unwrap();
    vault.reseal(None).unwrap();
    let refused = Command::new("age").arg("-d").arg("-i").arg(&ada).arg(place.join("data-key.age")).output().unwrap();
    assert!(!refused.status.success(), "who was taken away");
    let opened = run(Command::new("age").arg("-d").arg("-i").arg(&grace).arg(place.join("data-key.age")));
    assert_eq!(open(&place, &serde_json::from_slice(&opened).unwrap(), "cred_1", "token"), "for all of us");
}

/// The documented recovery: `age`, then the script that is in the documentation.
#[test]
fn a_script_of_twenty_lines_recovers_every_secret() {
    let peers = std::env::var_os("INTERTIE_TEST_PEERS");
    let peers = peers.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/peers"), PathBuf::from);
    let dir = crate::searched::place();
    let vault = Vault::with_passphrase_file(dir.path(), None);
    vault.put_all("cred_1", &[("a", &Secret::new("one")), ("b \u{fc}", &Secret::new("zwei\nlines"))]).unwrap();
    vault.put("cred_1", "a", &Secret::new("one again")).unwrap();
    vault.put("cred_2", "token", &Secret::new("")).unwrap();
    let mut age = Command::new("age");
    let key = run(age.arg("-d").arg("-i").arg(dir.path().join("key.txt")).arg(dir.path().join("data-key.age")));
    let recover = |key: &[u8]| {
        use std::io::Write as _;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recover.py");
        let mut child = Command::new(peers.join("python/bin/python"));
        let child = child.arg(script).arg(dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().expect("Python with PyNaCl: run tests/run once");
        child.stdin.take().unwrap().write_all(key).unwrap();
        child.wait_with_output().unwrap()
    };
    let output = recover(&key);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Vec<Value> = String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let one = |owner: &str, field: &str, secret: &str| json!({"owner": owner, "field": field, "secret": secret});
    assert_eq!(found, [one("cred_1", "a", "one again"), one("cred_1", "b \u{fc}", "zwei\nlines"), one("cred_2", "token", "")]);
    vault.reseal(None).unwrap();
    assert!(!recover(&key).status.success(), "the old key opens nothing any more");
}

fn program(dir: &Path, name: &str, script: &str) {
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join(name), script).unwrap();
    std::fs::set_permissions(dir.join(name), std::fs::Permissions::from_mode(0o700)).unwrap();
}

fn json_of(command: &mut Command, code: i32) -> Value {
    let output = command.arg("--json").captured();
    let text = String::from_utf8_lossy(&output.stdout);
    let told = format!("{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!told.contains(SECRET) && !told.contains(practice::CLIENT_SECRET), "{told}");
    assert_eq!(output.status.code(), Some(code), "{told}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {told}"))
}

/// Recipients, unlocking, locking and a rehearsal, each by a process of its own.
#[test]
fn an_admin_keeps_a_vault_with_commands() {
    let shell = Shell::new();
    let vault = shell.workspace().join("vault");
    let unlocked = |arguments: &[&str], code| json_of(shell.command(arguments).args(["--passphrase", "env:OTHER_SECRET"]), code);
    unlocked(&["vault", "init", "--with-passphrase"], 0);
    let key = shell.home.path().join("ada.txt");
    run(Command::new("age-keygen").arg("-o").arg(&key));
    crate::searched::own(&key, "an admin's own private key");
    let public = String::from_utf8(run(Command::new("age-keygen").arg("-y").arg(&key))).unwrap();
    assert_eq!(shell.json(&["vault", "recipient", "add", "ada", "--public", public.trim()], 3)["error"]["what"], "The vault is locked");
    let list = unlocked(&["vault", "recipient", "add", "ada", "--public", public.trim()], 0);
    assert_eq!(list[1], json!({"kind": "age", "name": "ada", "public": public.trim()}));
    let (out, _) = (shell.json(&["vault", "recipient", "list"], 0), ());
    assert_eq!(out.as_array().unwrap().len(), 2);
    // Another admin, with a key of theirs.
    let identity = key.display().to_string();
    let rehearsal = shell.json(&["vault", "verify", "--identity", &identity], 0);
    assert_eq!(rehearsal["ways"][0]["outcome"], "not_here");
    assert_eq!(rehearsal["ways"][1]["outcome"], "opens");
    let rehearsal = unlocked(&["vault", "verify", "--identity", &identity], 0);
    assert_eq!(rehearsal["ways"][0]["outcome"], "opens");
    let status = json_of(shell.command(&["vault", "status"]).env("INTERTIE_VAULT_IDENTITY", &key), 0);
    assert_eq!((&status["unlocked"], &status["protection"]), (&json!(true), &json!("identity")));

    // For the login session, where the kernel allows it; elsewhere the command says that it does not.
    let output = shell.command(&["vault", "unlock", "--for", "2m", "--json", "--passphrase", "env:OTHER_SECRET"]).captured();
    let kept: Value = serde_json::from_slice(&output.stdout).unwrap();
    if kept["until"].is_null() {
        assert!(output.status.code() == Some(1) && kept["why_not"].as_str().is_some_and(|why| !why.is_empty()), "{kept}");
    } else {
        let status = shell.json(&["vault", "status"], 0);
        assert_eq!((&status["unlocked"], status["asks"].is_null()), (&json!(true), true), "{status}");
        assert!(status["unlocked_until"].is_string());
        shell.json(&["vault", "verify"], 0);
        assert_eq!(shell.json(&["vault", "lock"], 0)["unlocked"], false);
    }
    let status = shell.json(&["vault", "status"], 0);
    assert_eq!((&status["unlocked"], &status["asks"]), (&json!(false), &json!("passphrase")));
    assert_eq!(shell.json(&["vault", "verify"], 3)["error"]["what"], "The vault is locked");
    unlocked(&["vault", "unlock", "--for", "25h"], 2);

    // The host's own way in: a program that stands for systemd-creds.
    let bin = shell.home.path().join("bin");
    program(
        &bin,
        "systemd-creds",
        "#!/bin/sh\nPATH=/usr/bin:/bin\ntest \"$INTERTIE_FAIL\" && { echo TPM is gone >&2; exit 1; }\nif [ $1 = encrypt ]; then exec base64; else exec base64 -d; fi\n",
    );
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let list = json_of(shell.command(&["vault", "recipient", "add", "--systemd-creds", "--passphrase", "env:OTHER_SECRET"]).env("PATH", &path), 0);
    assert_eq!(list[2]["kind"], "systemd_creds");
    let status = json_of(shell.command(&["vault", "status"]).env("PATH", &path), 0);
    assert_eq!(status["protection"], "systemd_creds");
    assert_eq!(json_of(shell.command(&["vault", "verify"]).env("PATH", &path), 0)["ways"][2]["outcome"], "opens");
    let failing = json_of(shell.command(&["vault", "verify", "--passphrase", "env:OTHER_SECRET"]).env("PATH", &path).env("INTERTIE_FAIL", "1"), 1);
    assert!(failing["ways"][2]["problem"]["why"].as_str().unwrap().contains("TPM is gone"), "{failing}");

    // Ada goes, and what she may have kept with her.
    json_of(shell.command(&["vault", "recipient", "remove", "ada", "--reseal", "--yes", "--passphrase", "env:OTHER_SECRET"]).env("PATH", &path), 0);
    assert_eq!(json_of(shell.command(&["vault", "status"]).env("INTERTIE_VAULT_IDENTITY", &key), 0)["unlocked"], false);
    json_of(shell.command(&["vault", "recipient", "remove", "passphrase", "--yes"]).env("PATH", &path), 0);
    let last = json_of(shell.command(&["vault", "recipient", "remove", "systemd-creds", "--yes"]).env("PATH", &path), 2);
    assert_eq!(last["error"]["what"], "The last recipient stays");
    assert!(!vault.join("data-key.passphrase.age").exists() && !vault.join("data-key.age").exists());
}

/// A secret that is read where it lies: no copy in the workspace, and a rotation needs no command.
#[test]
fn a_reference_is_followed_each_time() {
    with_practice(|practice| {
        let shell = Shell::new();
        let bin = shell.home.path().join("bin");
        program(
            &bin,
            "pass",
            "#!/bin/sh\ntest \"$*\" = 'show work/clickwrap' || { echo \"Error: $2 is not in the password store.\" >&2; exit 1; }\nprintf '%s\\nlogin: ada\\n' \"$CLIENT_SECRET\"\n",
        );
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let file = shell.home.path().join("secret");
        std::fs::write(&file, format!("{}\n", practice::CLIENT_SECRET)).unwrap();
        crate::searched::own(&file, "a reference to it is kept; the file is the person's");
        let lying = format!("file:{}", file.display());
        let address = format!("address={}", practice.base_url);
        let (account, client) = (format!("account_id={}", practice::ACCOUNT), format!("client_id={}", practice::CLIENT_ID));
        let add = |name: &str, reference: &str, code| {
            let reference = format!("client_secret={reference}");
            let add = [
                "credential",
                "add",
                "practice-clickwrap",
                "--name",
                name,
                "--set",
                &address,
                "--set",
                &account,
                "--set",
                &client,
                "--reference",
                &reference,
            ];
            json_of(shell.command(&add).env("PATH", &path), code)
        };
        for (name, reference) in [("A", "env:CLIENT_SECRET"), ("B", lying.as_str()), ("C", "pass:work/clickwrap")] {
            let credential = add(name, reference, 0);
            assert_eq!(credential["test"]["ok"], true, "{credential}");
            assert_eq!(credential["references"]["client_secret"], reference);
            assert_eq!(credential["secrets"], json!([]));
            assert_eq!(shell.json(&["credential", "show", name], 0)["references"]["client_secret"], reference);
        }
        let told = |name: &str, reference: &str, code| add(name, reference, code)["error"]["why"].as_str().unwrap_or_default().to_owned();
        assert!(told("D", "pass:work/other", 1).contains("work/other is not in the password store"));
        assert!(told("E", "env:NOT_SET_AT_ALL", 3).contains("NOT_SET_AT_ALL"));
        assert!(told("F", "vault://secret/a#b", 3).contains("VAULT_ADDR"));
        assert!(told("G", SECRET, 2).contains("not repeated"));
        // 1Password's program: it signs in by itself, and is asked with the reference alone.
        let missing = add("H", "op://IT/Clickwrap/credential", 3);
        let (why, next) = (missing["error"]["why"].as_str().unwrap(), missing["error"]["next_step"].as_str().unwrap());
        assert!(why.contains("op://IT/Clickwrap/credential") && next.contains("1Password CLI") && next.contains("PATH"), "{missing}");
        program(
            &bin,
            "op",
            "#!/bin/sh\ntest \"$1 $2\" = 'read op://IT/Click wrap/api/key' && test $# = 2 && { printf '%s\\n' \"$CLIENT_SECRET\"; exit 0; }\n\
             echo \"[ERROR] 2026/01/01 00:00:00 could not read secret $2: isn't an item. Token $OP_SERVICE_ACCOUNT_TOKEN\" >&2\nexit 6\n",
        );
        let credential = add("I", "op://IT/Click wrap/api/key", 0);
        assert_eq!((&credential["test"]["ok"], &credential["secrets"]), (&json!(true), &json!([])), "{credential}");
        assert_eq!(credential["references"]["client_secret"], "op://IT/Click wrap/api/key");
        let arguments = ["credential", "add", "practice-clickwrap", "--name", "J", "--set", &address, "--set", &account, "--set", &client];
        let mut command = shell.command(&[&arguments[..], &["--reference", "client_secret=op://IT/Gone/credential"]].concat());
        let refused = json_of(command.env("PATH", &path).env("OP_SERVICE_ACCOUNT_TOKEN", SECRET), 1);
        let why = refused["error"]["why"].as_str().unwrap();
        assert!(why.contains("isn't an item") && why.contains("op://IT/Gone/credential") && !refused.to_string().contains(SECRET), "{refused}");
        // The item is gone later, or the program is: the credential says so, and works again when they are back.
        std::fs::rename(bin.join("op"), bin.join("op.away")).unwrap();
        let gone = json_of(shell.command(&["credential", "test", "I"]).env("PATH", &path), 3);
        assert!(gone.to_string().contains("1Password CLI"), "{gone}");
        std::fs::rename(bin.join("op.away"), bin.join("op")).unwrap();
        assert_eq!(json_of(shell.command(&["credential", "test", "I"]).env("PATH", &path), 0)["ok"], true);
        // It is gone from where it lay, and comes back.
        std::fs::remove_file(&file).unwrap();
        assert_eq!(json_of(&mut shell.command(&["credential", "test", "B"]), 3)["error"]["what"], "A secret is not where it should be");
        std::fs::write(&file, practice::CLIENT_SECRET).unwrap();
        assert_eq!(shell.json(&["credential", "test", "B"], 0)["ok"], true);
        // Nothing of it is anywhere in the workspace.
        let mut open = vec![shell.workspace()];
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(dir).unwrap().flatten() {
                if entry.path().is_dir() {
                    open.push(entry.path());
                } else {
                    let bytes = std::fs::read(entry.path()).unwrap();
                    assert!(
                        !bytes.windows(practice::CLIENT_SECRET.len()).any(|part| part == practice::CLIENT_SECRET.as_bytes()),
                        "{}",
                        entry.path().display()
                    );
                }
            }
        }
    });
}

/// A disk without room, in a process of its own: files may not grow, and the kernel says so in the middle of a write.
#[test]
fn without_room_a_secret_is_refused_and_nothing_is_lost() {
    let shell = Shell::new();
    let vault = shell.workspace().join("vault");
    shell.json(&["vault", "init"], 0);
    let own = Vault::with_passphrase_file(&vault, None);
    own.put("cred_1", "token", &Secret::new("x")).unwrap();
    drop(own);
    let all = |dir: &Path| -> Vec<(PathBuf, Vec<u8>)> {
        let files = std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path()).filter(|path| path.is_file());
        let mut files: Vec<_> = files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
        files.sort();
        files
    };
    let before = all(&vault);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 0; exec \"$@\"", "sh", crate::cli::BINARY, "vault", "rekey"]);
    limited.env_clear().env("HOME", shell.home.path()).env("INTERTIE_WORKSPACE", shell.workspace()).env("PATH", "/usr/bin:/bin");
    let told = json_of(&mut limited, 1);
    assert_eq!(told["error"]["what"], "A secret could not be saved: the disk is full", "{told}");
    assert_eq!(all(&vault), before);
    assert_eq!(shell.json(&["vault", "verify"], 0)["secrets"], 1);
}
