//! How fast the vault seals and opens, beside what its cipher takes alone on the same bytes, and what the disk takes alone.
//!
//! Seen without optimisation on two processors shared with builds, 10,000 secrets: sealed ten at once 11.7 s, 1.1 times what the disk takes for
//! as many durable files; one by one 14 ms each, which is the disk's; opened one by one 0.13 ms each, all at once 0.04 ms each (the cipher
//! alone: 0.012 ms). So whoever has several secrets of one owner puts them at once.
//!
//! `cargo bench --bench vault` takes 10,000 secrets, ten of each owner; `cargo bench --bench vault -- 1000` a thousand.

use std::io::Write as _;
use std::time::{Duration, Instant};

use chacha20poly1305::aead::{Aead as _, AeadCore as _, KeyInit as _, OsRng, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305};
use intertie::model::Secret;
use intertie::vault::Vault;

/// Secrets of one owner: what a credential with its tokens has.
const EACH: usize = 10;
/// Bytes of one secret: a client secret, not yet a token.
const LONG: usize = 64;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Cargo passes `--bench`.
    let n: usize = std::env::args().filter_map(|argument| argument.replace('_', "").parse().ok()).next().unwrap_or(10_000);
    let owners = n.div_ceil(EACH);
    println!("{n} secrets of {LONG} bytes, {EACH} of each owner\n");
    let secrets: Vec<Secret> = (0..EACH).map(|at| Secret::new(char::from(b'a' + at as u8).to_string().repeat(LONG))).collect();
    let names: Vec<String> = (0..EACH).map(|at| format!("field_{at}")).collect();
    let fields: Vec<(&str, &Secret)> = names.iter().map(String::as_str).zip(&secrets).collect();

    let cipher = XChaCha20Poly1305::new(Key::from_slice(&[7; 32]));
    let bound = [0; 100];
    let started = Instant::now();
    let sealed: Vec<_> = (0..n)
        .map(|at| {
            let nonce = XChaCha20Poly1305::generate_nonce(&mut OsRng);
            let sealed = cipher.encrypt(&nonce, Payload { msg: secrets[at % EACH].expose().as_bytes(), aad: &bound });
            (nonce, sealed.expect("a short text"))
        })
        .collect();
    let raw_seal = tell("cipher alone, sealing", n, started.elapsed(), None);
    let started = Instant::now();
    for (nonce, sealed) in &sealed {
        cipher.decrypt(nonce, Payload { msg: sealed, aad: &bound }).expect("what was sealed");
    }
    let raw_open = tell("cipher alone, opening", n, started.elapsed(), None);

    let dir = tempfile::tempdir()?;
    let started = Instant::now();
    for at in 0..owners {
        // What a durable file takes: bytes, their sync, a rename, the sync of the directory.
        let path = dir.path().join(format!("file-{at}"));
        let beside = path.with_extension("new");
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(&[b'x'; EACH * 250])?;
        file.sync_all()?;
        std::fs::rename(&beside, &path)?;
        std::fs::File::open(dir.path())?.sync_all()?;
    }
    let disk = tell("disk alone, one file for each owner", n, started.elapsed(), None);

    let dir = tempfile::tempdir()?;
    let vault = Vault::with_passphrase_file(&dir.path().join("vault"), None);
    vault.init(None)?;
    let started = Instant::now();
    for owner in 0..owners {
        vault.put_all(&format!("cred_{owner}"), &fields)?;
    }
    tell("vault, sealing, ten at once", n, started.elapsed(), Some(("disk alone", disk)));
    let few = (n / 10).max(1);
    let started = Instant::now();
    for at in 0..few {
        vault.put(&format!("cred_{}", at % owners), &names[at % EACH], &secrets[at % EACH])?;
    }
    tell("vault, sealing, one by one (a tenth)", few, started.elapsed(), Some(("cipher alone", raw_seal)));

    let fresh = Vault::with_passphrase_file(&dir.path().join("vault"), None);
    let started = Instant::now();
    for at in 0..owners * EACH {
        let found = fresh.get(&format!("cred_{}", at / EACH), &names[at % EACH])?;
        assert!(found.is_some_and(|found| found == secrets[at % EACH]));
    }
    tell("vault, opening one by one", owners * EACH, started.elapsed(), Some(("cipher alone", raw_open)));
    let started = Instant::now();
    assert_eq!(fresh.verify()?, (owners * EACH) as u64);
    tell("vault, opening all (verify)", owners * EACH, started.elapsed(), Some(("cipher alone", raw_open)));
    let started = Instant::now();
    vault.reseal(None)?;
    tell("vault, sealing all anew (reseal)", owners * EACH, started.elapsed(), Some(("disk alone", disk)));
    Ok(())
}

/// Prints a time; the seconds of one.
fn tell(what: &str, n: usize, took: Duration, beside: Option<(&str, f64)>) -> f64 {
    let one = took.as_secs_f64() / n as f64;
    let ratio = beside.map(|(name, other)| format!(", {:.1} times {name}", one / other)).unwrap_or_default();
    println!("{what:40} {:>9.3} s {:>10.2} µs each{ratio}", took.as_secs_f64(), one * 1e6);
    one
}
