//! What a TLS connection shows and trusts beyond the usual: a client certificate (RFC 8446 §4.4.2), and authorities of one's own.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use pkcs8::EncryptedPrivateKeyInfo;
use pkcs8::der::{Decode as _, pem::PemLabel as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use url::Url;
use zeroize::Zeroizing;

use super::{Built, allowed, builder, is_loopback, with_causes};
use crate::model::{Problem, Secret, Time};
use crate::words::clean;
use crate::{problem, t};

/// A client certificate with its key, authorities beside the host's own, or both. No `Debug`: the key is a secret.
pub struct Identity {
    /// Certificate chain and key in one, PEM, the key unencrypted.
    own: Option<Secret>,
    authorities: Vec<CertificateDer<'static>>,
    fingerprint: String,
}

/// The largest file of authorities that is read.
const LARGEST: u64 = 4 << 20;

impl Identity {
    /// `certificate`: PEM, the client's own first, then its chain. `key`: PEM (PKCS#8, PKCS#1, SEC 1), with a passphrase where it is
    /// encrypted PKCS#8. A certificate whose time is over or has not begun is refused here, because a server would only hang up.
    pub fn new(certificate: &str, key: &Secret, passphrase: Option<&Secret>, now: Time) -> Result<Self, Problem> {
        let bad = |reason: &str| problem!(Usage, "vendor.identity_certificate", reason = clean::line(reason, 200));
        let chain = blocks(certificate, &["CERTIFICATE"]);
        if chain.is_empty() {
            return Err(bad(t!("vendor.identity.no_certificate")));
        }
        let chain: Vec<CertificateDer<'static>> = chain
            .iter()
            .map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()))
            .collect::<Result<_, _>>()
            .map_err(|error| bad(&error.to_string()))?;
        let leaf = x509_cert::Certificate::from_der(&chain[0]).map_err(|error| bad(&error.to_string()))?;
        let validity = leaf.tbs_certificate.validity;
        let moment = |time: x509_cert::time::Time| Time::try_from(time.to_system_time()).ok();
        if let Some(end) = moment(validity.not_after).filter(|end| *end < now) {
            return Err(bad(&t!("vendor.identity_time.expired", date = end.strftime("%F"))));
        }
        if let Some(start) = moment(validity.not_before).filter(|start| *start > now) {
            return Err(bad(&t!("vendor.identity_time.early", date = start.strftime("%F"))));
        }
        let key = unlocked(key, passphrase)?;
        let unreadable = |reason: &str| problem!(Usage, "vendor.identity_key", reason = clean::line(reason, 200));
        let der = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| unreadable(&error.to_string()))?;
        match CertifiedKey::from_der(chain.clone(), der, &rustls::crypto::ring::default_provider()) {
            Ok(_) => {}
            Err(rustls::Error::InconsistentKeys(_)) => return Err(problem!(Usage, "vendor.identity_pair")),
            Err(error) => return Err(unreadable(&error.to_string())),
        }
        let mut digest = Sha256::new();
        let mut pem = Zeroizing::new(String::new());
        for (block, der) in blocks(certificate, &["CERTIFICATE"]).iter().zip(&chain) {
            digest.update(der);
            pem.push_str(block);
        }
        pem.push_str(&key);
        Ok(Self { own: Some(Secret::new(pem.as_str())), authorities: Vec::new(), fingerprint: hex(&digest.finalize()) })
    }

    /// Nothing of its own: a place to add authorities to.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { own: None, authorities: Vec::new(), fingerprint: String::new() }
    }

    /// Trusts the authorities in a PEM file as well, for servers with a certificate of the house. Reads the file.
    pub fn with_authorities(mut self, file: &Path) -> Result<Self, Problem> {
        use std::io::Read as _;
        let bad = |reason: &str| {
            problem!(Usage, "vendor.identity_ca", file = clean::line(&file.display().to_string(), 200), reason = clean::line(reason, 200))
        };
        let mut text = String::new();
        let read = std::fs::File::open(file).and_then(|file| file.take(LARGEST).read_to_string(&mut text));
        read.map_err(|error| bad(&error.to_string()))?;
        let blocks = blocks(&text, &["CERTIFICATE", "TRUSTED CERTIFICATE"]);
        if blocks.is_empty() {
            return Err(bad(t!("vendor.identity.no_certificate")));
        }
        let mut digest = Sha256::new();
        digest.update(&self.fingerprint);
        for pem in &blocks {
            let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| bad(&error.to_string()))?;
            digest.update(&der);
            reqwest::Certificate::from_der(&der).map_err(|error| bad(&error.to_string()))?;
            self.authorities.push(der);
        }
        self.fingerprint = hex(&digest.finalize());
        Ok(self)
    }

    /// Hex SHA-256 over the certificates: the same one is the same identity. No secret.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Authorities to trust beside the host's own.
    #[must_use]
    pub fn authorities(&self) -> &[CertificateDer<'static>] {
        &self.authorities
    }

    fn build(&self, world: bool) -> Built {
        let mut builder = builder(world);
        if let Some(own) = &self.own {
            builder = builder.identity(reqwest::Identity::from_pem(own.expose().as_bytes()).map_err(|error| with_causes(&error))?);
        }
        if !self.authorities.is_empty() {
            // They were read when they were added.
            builder = builder.tls_certs_merge(self.authorities.iter().filter_map(|der| reqwest::Certificate::from_der(der).ok()));
        }
        builder.build().map_err(|error| with_causes(&error))
    }
}

/// How many identities keep their connections at once.
const KEPT: usize = 64;

/// The client for an address and an identity, as [`super::client_for`] otherwise. Who shows the same shares its connections; nobody else does.
pub fn client_with(url: &Url, identity: &Identity) -> Result<reqwest::Client, Problem> {
    static BUILT: LazyLock<Mutex<HashMap<(String, bool), reqwest::Client>>> = LazyLock::new(Mutex::default);
    allowed(url)?;
    let world = !is_loopback(url);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (identity.fingerprint.clone(), world);
    if let Some(client) = built.get(&key) {
        return Ok(client.clone());
    }
    let client = identity.build(world).map_err(|reason| problem!(Failed, "vendor.no_client", reason = clean::line(&reason, 300)))?;
    if built.len() >= KEPT {
        built.clear();
    }
    built.insert(key, client.clone());
    Ok(client)
}

/// The key as unencrypted PEM.
fn unlocked(key: &Secret, passphrase: Option<&Secret>) -> Result<Zeroizing<String>, Problem> {
    const KEYS: [&str; 4] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", EncryptedPrivateKeyInfo::PEM_LABEL];
    let unreadable = |reason: &str| problem!(Usage, "vendor.identity_key", reason = reason);
    let locked = |reason: &str| problem!(Usage, "vendor.identity_passphrase", reason = reason);
    if key.expose().contains("Proc-Type:") {
        return Err(unreadable(t!("vendor.identity.old_encryption")));
    }
    let mut found = blocks(key.expose(), &KEYS);
    let pem = if found.is_empty() { return Err(unreadable(t!("vendor.identity.no_key"))) } else { found.swap_remove(0) };
    if !pem.contains(EncryptedPrivateKeyInfo::PEM_LABEL) {
        return Ok(pem);
    }
    let passphrase = passphrase.filter(|passphrase| !passphrase.is_empty()).ok_or_else(|| locked(t!("vendor.identity.no_passphrase")))?;
    let wrong = || locked(t!("vendor.identity.wrong_passphrase"));
    let (_, der) = pkcs8::der::pem::decode_vec(pem.as_bytes()).map_err(|_| wrong())?;
    let info = EncryptedPrivateKeyInfo::from_der(&der).map_err(|_| wrong())?;
    let plain = info.decrypt(passphrase.expose().as_bytes()).map_err(|_| wrong())?;
    plain.to_pem("PRIVATE KEY", pkcs8::LineEnding::LF).map_err(|_| wrong())
}

/// The PEM blocks with these labels, each as RFC 7468 writes it: however it was pasted, with its lines joined, or with `\n` for line ends.
fn blocks(text: &str, labels: &[&str]) -> Vec<Zeroizing<String>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        rest = after;
        let Some((label, body)) = after.split_once("-----") else { break };
        let Some((body, beyond)) = body.split_once(&format!("-----END {label}-----")) else { continue };
        rest = beyond;
        if !labels.contains(&label) {
            continue;
        }
        let body = Zeroizing::new(body.replace("\\n", "").replace("\\r", "").split_whitespace().collect::<String>());
        // What OpenSSL calls a trusted certificate is one with remarks after it, which the readers here leave alone.
        let label = label.trim_start_matches("TRUSTED ");
        let mut pem = Zeroizing::new(String::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 40));
        let _ = writeln!(pem, "-----BEGIN {label}-----");
        let mut line = body.as_str();
        while !line.is_empty() {
            let end = line.char_indices().nth(64).map_or(line.len(), |(at, _)| at);
            let _ = writeln!(pem, "{}", &line[..end]);
            line = &line[end..];
        }
        let _ = writeln!(pem, "-----END {label}-----");
        found.push(pem);
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn pair(params: CertificateParams) -> (String, Secret) {
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), Secret::new(key.serialize_pem()))
    }

    fn why(certificate: &str, key: &Secret) -> String {
        Identity::new(certificate, key, None, Time::now()).err().unwrap().to_string()
    }

    #[test]
    fn a_pair_is_an_identity_however_it_was_pasted() {
        let (certificate, key) = pair(CertificateParams::new(["a.example".to_owned()]).unwrap());
        let identity = Identity::new(&certificate, &key, None, Time::now()).unwrap();
        for (certificate, key) in [
            (certificate.replace('\n', " "), key.expose().replace('\n', " ")),
            (certificate.replace('\n', "\\n"), key.expose().replace('\n', "\\n")),
            (certificate.replace('\n', "\r\n"), key.expose().replace('\n', "\r\n")),
            (format!("Bag Attributes\n    friendlyName: x\n{}\n{certificate}", key.expose()), format!("{certificate}{}", key.expose())),
        ] {
            let again = Identity::new(&certificate, &Secret::new(key), None, Time::now()).unwrap();
            assert_eq!(again.fingerprint(), identity.fingerprint());
        }
        let url = Url::parse("https://a.example/").unwrap();
        assert!(client_with(&url, &identity).is_ok());
        assert!(client_with(&Url::parse("http://a.example/").unwrap(), &identity).is_err());
    }

    #[test]
    fn what_is_no_identity_is_named() {
        let (certificate, key) = pair(CertificateParams::default());
        let (other, _) = pair(CertificateParams::default());
        assert!(why(&other, &key).contains("does not belong"));
        assert!(why("nonsense", &key).contains("no PEM block of a certificate"));
        assert!(why(&certificate, &Secret::new("nonsense")).contains("no PEM block of a private key"));
        assert!(why("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", &key).contains("cannot be read"));
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----";
        assert!(why(&certificate, &Secret::new(old)).contains("Proc-Type"));
        let mut over = CertificateParams::default();
        over.not_after = date_time_ymd(2020, 2, 3);
        over.not_before = date_time_ymd(2019, 2, 3);
        let (certificate, key) = pair(over);
        assert!(why(&certificate, &key).contains("2020-02-03"));
        let mut soon = CertificateParams::default();
        soon.not_before = date_time_ymd(2090, 2, 3);
        soon.not_after = date_time_ymd(2091, 2, 3);
        let (certificate, key) = pair(soon);
        assert!(why(&certificate, &key).contains("valid only from 2090-02-03"));
    }

    #[test]
    fn a_locked_key_is_opened() {
        // RFC 8018 PBES2, as `openssl pkcs8 -topk8` writes it: the very key that the certificate is made with.
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap().pem();
        let der = key.serialize_der();
        let info = pkcs8::PrivateKeyInfo::try_from(der.as_slice()).unwrap();
        let params = pkcs8::pkcs5::pbes2::Parameters::pbkdf2_sha256_aes256cbc(2048, b"saltsalt", &[7; 16]).unwrap();
        let locked = info.encrypt_with_params(params, "open sesame").unwrap();
        let locked = Secret::new(locked.to_pem(EncryptedPrivateKeyInfo::PEM_LABEL, pkcs8::LineEnding::LF).unwrap().as_str());
        let with = |passphrase: Option<&str>| Identity::new(&certificate, &locked, passphrase.map(Secret::new).as_ref(), Time::now());
        assert!(with(Some("open sesame")).is_ok());
        assert!(with(Some("close")).err().unwrap().to_string().contains("does not open it"));
        assert!(with(None).err().unwrap().to_string().contains("no passphrase"));
    }

    #[test]
    fn authorities_make_another_client() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, _) = pair(CertificateParams::default());
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, &certificate).unwrap();
        let with = Identity::anonymous().with_authorities(&file).unwrap();
        assert_eq!(with.fingerprint().len(), 64);
        assert!(client_with(&Url::parse("https://a.example/").unwrap(), &with).is_ok());
        std::fs::write(&file, "nothing").unwrap();
        assert!(Identity::anonymous().with_authorities(&file).is_err());
        assert!(Identity::anonymous().with_authorities(&dir.path().join("absent")).err().unwrap().to_string().contains("absent"));
    }
}
