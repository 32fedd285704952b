//! Private keys and certificates from text as people paste it: PEM whose lines were lost, or written out as `\n` in a JSON file, or bare
//! base64.
//!
//! Read: PKCS#8 (RFC 5208), encrypted or not, PKCS#1 RSA keys (RFC 8017), SEC 1 keys of P-256 (RFC 5915). Everything else is a Problem that
//! says what the text is and what to do.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use pkcs8::der::asn1::{AnyRef, BitStringRef, ContextSpecific, OctetStringRef};
use pkcs8::der::{Decode as _, Encode as _, Reader as _, SliceReader, TagNumber};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use pkcs8::{EncryptedPrivateKeyInfo, ObjectIdentifier, PrivateKeyInfo};
use ring::digest;
use ring::rand::SystemRandom;
use ring::signature::{self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RsaKeyPair};
use zeroize::Zeroizing;

use crate::model::{JwtAlg, Problem};
use crate::problem;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// A key that can sign. No `Debug`.
pub struct PrivateKey {
    pair: Pair,
    /// The public part as SubjectPublicKeyInfo (RFC 5280 §4.1), DER.
    spki: Vec<u8>,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    P256(Box<EcdsaKeyPair>),
}

impl PrivateKey {
    /// Reads a key. `label` is what people call the field that it was pasted into.
    pub fn read(text: &str, passphrase: Option<&str>, label: &str) -> Result<Self, Problem> {
        let block = private_block(text, label)?;
        let der = block.der.as_slice();
        match block.kind.as_str() {
            "PRIVATE KEY" => Self::pkcs8(der, label),
            "ENCRYPTED PRIVATE KEY" => Self::encrypted(der, passphrase, label),
            "RSA PRIVATE KEY" => Self::rsa(der, label),
            "EC PRIVATE KEY" => Self::sec1(der, None, label),
            // Without a BEGIN line the content has to tell.
            _ => {
                let tried = [Self::pkcs8(der, label), Self::rsa(der, label), Self::sec1(der, None, label)];
                let encrypted = EncryptedPrivateKeyInfo::try_from(der).is_ok().then(|| Self::encrypted(der, passphrase, label));
                encrypted.unwrap_or_else(|| tried.into_iter().find(Result::is_ok).unwrap_or_else(|| Err(problem!(Usage, "keys.none", label = label))))
            }
        }
    }

    fn encrypted(der: &[u8], passphrase: Option<&str>, label: &str) -> Result<Self, Problem> {
        let info = EncryptedPrivateKeyInfo::try_from(der).map_err(|error| unreadable(label, &error))?;
        let Some(passphrase) = passphrase.filter(|text| !text.is_empty()) else {
            return Err(problem!(Usage, "keys.passphrase_missing", label = label));
        };
        // A wrong passphrase shows as bad padding, or by chance as something that is no key.
        let wrong = || problem!(Usage, "keys.passphrase_wrong", label = label);
        let plain = info.decrypt(passphrase).map_err(|error| match error {
            // The library calls bad padding by either name.
            pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::DecryptFailed | pkcs8::pkcs5::Error::EncryptFailed) => wrong(),
            error => problem!(Usage, "keys.encryption", label = label, reason = error),
        })?;
        PrivateKeyInfo::try_from(plain.as_bytes()).map_err(|_| wrong())?;
        Self::pkcs8(plain.as_bytes(), label)
    }

    fn pkcs8(der: &[u8], label: &str) -> Result<Self, Problem> {
        let info = PrivateKeyInfo::try_from(der).map_err(|error| unreadable(label, &error))?;
        match info.algorithm.oid {
            RSA | RSA_PSS => Self::rsa(info.private_key, label),
            EC => Self::sec1(info.private_key, info.algorithm.parameters_oid().ok(), label),
            other => Err(problem!(Usage, "keys.algorithm", label = label, found = known(other))),
        }
    }

    fn rsa(der: &[u8], label: &str) -> Result<Self, Problem> {
        let pair = RsaKeyPair::from_der(der).map_err(|rejected| rejection(label, &rejected))?;
        let spki = spki(RSA, AnyRef::NULL, pair.public_key().as_ref()).map_err(|error| unreadable(label, &error))?;
        Ok(Self { pair: Pair::Rsa(Box::new(pair)), spki })
    }

    /// RFC 5915 §3. The curve stands in the key, or around it.
    fn sec1(der: &[u8], curve: Option<ObjectIdentifier>, label: &str) -> Result<Self, Problem> {
        let parsed = SliceReader::new(der).and_then(|mut reader| {
            reader.sequence(|reader| {
                let _version = u8::decode(reader)?;
                let private = OctetStringRef::decode(reader)?.as_bytes().to_vec();
                let named = ContextSpecific::<ObjectIdentifier>::decode_explicit(reader, TagNumber::N0)?.map(|tagged| tagged.value);
                let public = ContextSpecific::<BitStringRef<'_>>::decode_explicit(reader, TagNumber::N1)?;
                Ok((Zeroizing::new(private), named, public.and_then(|tagged| tagged.value.as_bytes().map(<[u8]>::to_vec))))
            })
        });
        let (private, named, public) = parsed.map_err(|error| unreadable(label, &error))?;
        match curve.or(named) {
            Some(P256) => {}
            other => return Err(problem!(Usage, "keys.algorithm", label = label, found = other.map_or("EC", known))),
        }
        let Some(public) = public.filter(|point| point.first() == Some(&4)) else { return Err(problem!(Usage, "keys.no_public", label = label)) };
        // Some programs cut zeroes at its start.
        let mut scalar = Zeroizing::new(vec![0; 32usize.saturating_sub(private.len())]);
        scalar.extend_from_slice(&private);
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &scalar, &public, &random)
            .map_err(|rejected| rejection(label, &rejected))?;
        let spki = spki(EC, AnyRef::from(&P256), &public).map_err(|error| unreadable(label, &error))?;
        Ok(Self { pair: Pair::P256(Box::new(pair)), spki })
    }

    /// The algorithm that it signs with when nobody says another.
    #[must_use]
    pub fn natural(&self) -> JwtAlg {
        match self.pair {
            Pair::Rsa(_) => JwtAlg::RS256,
            Pair::P256(_) => JwtAlg::ES256,
        }
    }

    /// The base64 SHA-256 of the public key (SubjectPublicKeyInfo), as Snowflake names keys.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        STANDARD.encode(digest::digest(&digest::SHA256, &self.spki))
    }

    /// Signs as RFC 7518 §3.3, §3.4, §3.5 say. `None`: the algorithm is not for this key.
    #[must_use]
    pub fn sign(&self, alg: JwtAlg, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        let (pair, padding): (_, &dyn signature::RsaEncoding) = match (&self.pair, alg) {
            (Pair::Rsa(pair), JwtAlg::RS256) => (pair, &signature::RSA_PKCS1_SHA256),
            (Pair::Rsa(pair), JwtAlg::PS256) => (pair, &signature::RSA_PSS_SHA256),
            (Pair::P256(pair), JwtAlg::ES256) => return pair.sign(&random, message).ok().map(|signature| signature.as_ref().to_vec()),
            _ => return None,
        };
        let mut signed = vec![0; pair.public().modulus_len()];
        pair.sign(padding, &random, message, &mut signed).ok()?;
        Some(signed)
    }
}

/// The thumbprints of a certificate (RFC 7515 §4.1.7, §4.1.8): base64url of SHA-1 and of SHA-256.
pub struct Thumbprints {
    pub sha1: String,
    pub sha256: String,
}

/// Of the first certificate in a text, which is the client's own where a chain was pasted.
pub fn thumbprints(text: &str, label: &str) -> Result<Thumbprints, Problem> {
    let blocks = blocks(text);
    let Some(block) = blocks.iter().find(|block| block.kind.ends_with("CERTIFICATE")) else {
        return Err(problem!(Usage, "keys.no_certificate", label = label));
    };
    let der = decode(block.body).ok_or_else(|| problem!(Usage, "keys.cut", label = label))?;
    x509_cert::Certificate::from_der(&der).map_err(|error| unreadable(label, &error))?;
    let of = |algorithm| URL_SAFE_NO_PAD.encode(digest::digest(algorithm, &der));
    Ok(Thumbprints { sha1: of(&digest::SHA1_FOR_LEGACY_USE_ONLY), sha256: of(&digest::SHA256) })
}

fn spki(algorithm: ObjectIdentifier, parameters: AnyRef<'_>, public: &[u8]) -> pkcs8::der::Result<Vec<u8>> {
    let algorithm = AlgorithmIdentifierRef { oid: algorithm, parameters: Some(parameters) };
    SubjectPublicKeyInfoRef { algorithm, subject_public_key: BitStringRef::from_bytes(public)? }.to_der()
}

/// The name of a kind of key that cannot be used here.
fn known(oid: ObjectIdentifier) -> &'static str {
    match oid.to_string().as_str() {
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        "1.3.132.0.34" => "EC P-384",
        "1.3.132.0.35" => "EC P-521",
        "1.3.132.0.10" => "EC secp256k1",
        "1.2.840.10040.4.1" => "DSA",
        _ => "?",
    }
}

fn unreadable(label: &str, reason: &dyn std::fmt::Display) -> Problem {
    problem!(Usage, "keys.unreadable", label = label, reason = crate::words::clean::line(&reason.to_string(), 120))
}

fn rejection(label: &str, rejected: &ring::error::KeyRejected) -> Problem {
    match rejected.to_string().as_str() {
        "TooSmall" => problem!(Usage, "keys.too_small", label = label),
        reason => unreadable(label, &reason),
    }
}

struct Block<'t> {
    /// `PRIVATE KEY`, `CERTIFICATE` …
    kind: String,
    body: &'t str,
    /// Whether its END line is there.
    whole: bool,
}

/// A private key's content. Its kind is empty where there was no BEGIN line.
struct Private {
    kind: String,
    der: Zeroizing<Vec<u8>>,
}

fn private_block(text: &str, label: &str) -> Result<Private, Problem> {
    // Lines written out, as in a JSON file.
    let text = Zeroizing::new(text.replace("\\r", "\n").replace("\\n", "\n"));
    let blocks = blocks(&text);
    let Some(block) = blocks.iter().find(|block| block.kind.ends_with("PRIVATE KEY")) else {
        let bare = text.trim().trim_matches('"');
        return match blocks.first().map(|block| block.kind.as_str()) {
            Some(kind) if kind.ends_with("PUBLIC KEY") => Err(problem!(Usage, "keys.public", label = label)),
            Some(kind) if kind.ends_with("CERTIFICATE REQUEST") => Err(problem!(Usage, "keys.request", label = label)),
            Some(kind) if kind.ends_with("CERTIFICATE") => Err(problem!(Usage, "keys.certificate", label = label)),
            Some(_) => Err(problem!(Usage, "keys.none", label = label)),
            None if bare.starts_with("ssh-") || bare.starts_with("ecdsa-sha2-") => Err(problem!(Usage, "keys.public", label = label)),
            None if bare.starts_with("PuTTY-User-Key-File") => Err(problem!(Usage, "keys.openssh", label = label)),
            None => match decode(bare).filter(|der| der.first() == Some(&0x30) && der.len() > 60) {
                Some(der) => Ok(Private { kind: String::new(), der }),
                None => Err(problem!(Usage, "keys.none", label = label)),
            },
        };
    };
    if block.kind == "OPENSSH PRIVATE KEY" {
        return Err(problem!(Usage, "keys.openssh", label = label));
    }
    // RFC 1421 §4.6.1.1: the encryption of OpenSSL's old form stands in headers inside the block.
    if block.body.contains("Proc-Type") || block.body.contains("DEK-Info") {
        return Err(problem!(Usage, "keys.old_encryption", label = label));
    }
    if !block.whole {
        return Err(problem!(Usage, "keys.cut", label = label));
    }
    let der = decode(block.body).ok_or_else(|| problem!(Usage, "keys.cut", label = label))?;
    Ok(Private { kind: block.kind.clone(), der })
}

/// The PEM blocks of a text, wherever its lines break.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("-----BEGIN") {
        let after = &rest[start + "-----BEGIN".len()..];
        let Some(end_of_name) = after.find("-----") else { break };
        let kind = after[..end_of_name].split_whitespace().collect::<Vec<_>>().join(" ");
        let body = &after[end_of_name + 5..];
        let end = body.find("-----END");
        found.push(Block { kind, body: &body[..end.unwrap_or(body.len())], whole: end.is_some() });
        let Some(end) = end else { break };
        rest = &body[end..];
    }
    found
}

fn decode(body: &str) -> Option<Zeroizing<Vec<u8>>> {
    let packed: Zeroizing<String> = Zeroizing::new(body.replace("\\n", "").replace("\\r", "").split_whitespace().collect());
    let packed = packed.trim_end_matches('=');
    STANDARD_NO_PAD.decode(packed).ok().or_else(|| STANDARD.decode(packed).ok()).filter(|der| !der.is_empty()).map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    macro_rules! key {
        ($name:literal) => {
            include_str!(concat!("../../tests/keys/", $name, ".pem"))
        };
    }

    /// As `openssl rsa -pubout -outform DER | openssl dgst -sha256 -binary | base64` says.
    const RSA_PRINT: &str = "b9E8JDWjYefFiM0X9V9a098Bd6ZsFyemogCEX016uIw=";
    const EC_PRINT: &str = "K9G7DESol8MKeqCZHN442AYv5EHeUNoPRoJTRPYC6Cc=";

    #[test]
    fn keys_as_people_paste_them() {
        let pkcs8 = key!("rsa.pkcs8");
        let body: String = pkcs8.lines().filter(|line| !line.starts_with('-')).collect();
        let with_certificate = format!("Bag Attributes\n  x: y\n{}{}", key!("cert"), key!("rsa.pkcs1"));
        let table = [
            (pkcs8.to_owned(), RSA_PRINT),
            (key!("rsa.pkcs1").to_owned(), RSA_PRINT),
            (key!("ec.pkcs8").to_owned(), EC_PRINT),
            (key!("ec.sec1").to_owned(), EC_PRINT),
            (pkcs8.replace('\n', ""), RSA_PRINT),
            (pkcs8.replace('\n', " "), RSA_PRINT),
            (pkcs8.replace('\n', "\\n"), RSA_PRINT),
            (pkcs8.replace('\n', "\r\n    "), RSA_PRINT),
            (serde_json::json!({ "private_key": pkcs8 }).to_string(), RSA_PRINT),
            (format!("\u{feff}{pkcs8}"), RSA_PRINT),
            (with_certificate, RSA_PRINT),
            (body.clone(), RSA_PRINT),
            (format!("\"{body}\""), RSA_PRINT),
            (key!("ec.sec1").lines().filter(|line| !line.starts_with('-')).collect(), EC_PRINT),
        ];
        for (text, print) in table {
            let key = PrivateKey::read(&text, None, "Key").unwrap_or_else(|problem| panic!("{problem:?}\n{text}"));
            assert_eq!(key.fingerprint(), print, "{text}");
        }
    }

    #[test]
    fn encrypted_keys_open_with_their_passphrase() {
        for text in [key!("rsa.aes"), key!("rsa.des3"), key!("rsa.sha1")] {
            assert_eq!(PrivateKey::read(text, Some("open-Sesame"), "Key").unwrap().fingerprint(), RSA_PRINT);
            let problem = |passphrase| PrivateKey::read(text, passphrase, "Key").err().unwrap();
            assert!(problem(None).what.contains("missing") && problem(Some("")).what.contains("missing"));
            let wrong = problem(Some("open-sesame"));
            assert!(wrong.what.contains("does not open") && !format!("{wrong:?}").contains("sesame"), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_no_usable_key_is_called_by_its_name() {
        let cut = &key!("rsa.pkcs8")[..400];
        let damaged = key!("rsa.pkcs8").replacen("MII", "MIJ", 1);
        #[rustfmt::skip]
        let table = [
            (key!("rsa.pub"), "public key"),
            ("ssh-rsa AAAAB3NzaC1yc2E ada@host", "public key"),
            (key!("cert"), "this is a certificate"),
            ("-----BEGIN CERTIFICATE REQUEST-----\nMIIC\n-----END CERTIFICATE REQUEST-----", "certificate request"),
            (key!("rsa.openssh"), "SSH"),
            (key!("rsa.old"), "old way"),
            (key!("ed"), "Ed25519"),
            (key!("p384"), "P-384"),
            (key!("small"), "2048"),
            (key!("ec.nopub"), "public part"),
            (cut, "missing"),
            (&damaged, "cannot be read"),
            ("hunter2", "BEGIN"),
            ("", "BEGIN"),
        ];
        for (text, part) in table {
            let problem = PrivateKey::read(text, None, "Signing key").err().unwrap_or_else(|| panic!("{text}"));
            let told = format!("{} {} {}", problem.what, problem.why, problem.next_step);
            assert!(told.contains(part) && told.contains("Signing key") && !told.contains("hunter2"), "{part}: {told}");
        }
    }

    #[test]
    fn thumbprints_are_those_that_openssl_gives() {
        for text in [key!("cert").to_owned(), key!("cert").replace('\n', "\\n"), format!("{}{}", key!("rsa.pkcs8"), key!("cert"))] {
            let prints = thumbprints(&text, "Certificate").unwrap();
            // base64url of what `openssl x509 -outform DER | openssl dgst -sha1` says.
            assert_eq!(
                (prints.sha1.as_str(), prints.sha256.as_str()),
                ("53fXxruW0oPP0vfKzttTlHaLyrE", "8lOsPm2XmJENhWJUeBXT-lV2y8pDccB_eqglLCKBAH0")
            );
        }
        assert!(thumbprints(key!("rsa.pub"), "Certificate").is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(?s).{0,200}", cut in 0usize..1700) {
            let _ = PrivateKey::read(&text, Some("x"), "Key");
            let _ = PrivateKey::read(&format!("-----BEGIN PRIVATE KEY-----{text}-----END"), None, "Key");
            let pem = key!("rsa.pkcs8");
            let _ = PrivateKey::read(&format!("{}-----END", &pem[..cut.min(pem.len())]), None, "Key");
            let _ = thumbprints(&text, "Key");
        }
    }
}
