//! The vault, opened by a program that is not ours: the stock `age` (Debian package `age`, which `tests/run` installs).

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use intertie::model::Secret;
use intertie::vault::Vault;
use serde_json::Value;

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
    let dir = tempfile::tempdir().unwrap();
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
    let dir = tempfile::tempdir().unwrap();
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
    let dir = tempfile::tempdir().unwrap();
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
