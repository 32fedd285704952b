//! JSON Web Tokens that are signed here (RFC 7515, RFC 7519): assertions that are redeemed for a token, assertions of the client itself
//! (RFC 7523), and tokens that are used as they are.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Map, Value};

use super::keys::{self, PrivateKey};
use super::subject::Subject;
use super::tokens;
use crate::catalog::template;
use crate::model::{AuthKind, Jwt, JwtAlg, Problem, Secret, Time};
use crate::problem;
use crate::words::clean;

/// RFC 7523 §3 asks for a short life; some vendors accept no more than this.
const TTL: SignedDuration = SignedDuration::from_mins(5);

/// What a token is signed for.
#[derive(Clone, Copy)]
pub enum Purpose<'a> {
    /// An authorization grant (RFC 7523 §2.1), or the bearer token itself: what is in it stands in the definition.
    Subject,
    /// The client's own proof (RFC 7523 §2.2), for this token endpoint.
    Client { id: &'a str, audience: &'a str },
}

pub struct Signed {
    pub token: Secret,
    pub expires: Time,
}

/// Signs what the method's `jwt` says. A client's assertion needs no `jwt`: then it is signed with the input `private_key`, and names it by
/// the input `key_id` where there is one.
pub fn sign(subject: &Subject, purpose: Purpose<'_>) -> Result<Signed, Problem> {
    let method = subject.method();
    let plain = Jwt::default();
    let jwt = method.jwt.as_ref().unwrap_or(&plain);
    let key = Key::read(subject, jwt)?;
    // Nobody said which: the key decides.
    let alg = if method.jwt.is_some() { jwt.alg } else { key.natural() };
    let context = match &key {
        Key::Pair(key, _) => subject.context.clone().with("key_fingerprint", &key.fingerprint()),
        Key::Shared(_) => subject.context.clone(),
    };
    let now = Time::now();
    let ttl = tokens::lifetime(jwt.ttl.as_deref()).unwrap_or(TTL);
    let expires = now.checked_add(ttl).unwrap_or(Time::MAX);

    let mut header = Map::new();
    header.insert("alg".to_owned(), name(alg).into());
    header.insert("typ".to_owned(), "JWT".into());
    if method.jwt.is_none()
        && let Some(id) = subject.input("key_id")
    {
        header.insert("kid".to_owned(), id.into());
    }
    for (member, value) in &jwt.header {
        match (member.as_str(), value.as_str()) {
            ("x5t", "certificate") => {
                set(&mut header, member, keys::thumbprints(subject.required("certificate")?, &label(subject, "certificate"))?.sha1)
            }
            ("x5t#S256", "certificate") => {
                set(&mut header, member, keys::thumbprints(subject.required("certificate")?, &label(subject, "certificate"))?.sha256);
            }
            _ => set(&mut header, member, template::render(value, &context)?),
        }
    }

    let mut claims = Map::new();
    if let Purpose::Client { id, audience } = purpose {
        for (claim, value) in [("iss", id), ("sub", id), ("aud", audience)] {
            claims.insert(claim.to_owned(), value.into());
        }
    }
    claims.insert("iat".to_owned(), now.as_second().into());
    claims.insert("exp".to_owned(), expires.as_second().into());
    claims.insert("jti".to_owned(), unique()?.into());
    // The claims of a grant say nothing of the client.
    if !matches!((purpose, method.kind), (Purpose::Client { .. }, AuthKind::JwtBearer | AuthKind::SignedJwt)) {
        for (claim, value) in &jwt.claims {
            set(&mut claims, claim, template::render(value, &context)?);
        }
        if let Some(claim) = jwt.scope_claim.as_ref().filter(|_| matches!(purpose, Purpose::Subject)) {
            set(&mut claims, claim, subject.scopes.join(subject.separator()));
        }
    }
    let expires = claims.get("exp").and_then(Value::as_i64).and_then(|exp| Time::from_second(exp).ok()).unwrap_or(expires);
    let json = |map: &Map<String, Value>| serde_json::to_vec(map).map_err(|error| problem!(Failed, "keys.not_signed", reason = error));
    let token = key.seal(alg, &json(&header)?, &json(&claims)?)?;
    Ok(Signed { token, expires })
}

/// Sets a member, or takes it away when it comes out empty. Times are numbers (RFC 7519 §2).
fn set(map: &mut Map<String, Value>, name: &str, value: String) {
    if value.is_empty() {
        map.remove(name);
        return;
    }
    let time = matches!(name, "iat" | "exp" | "nbf").then(|| value.parse::<i64>().ok()).flatten();
    map.insert(name.to_owned(), time.map_or_else(|| Value::String(value), Value::from));
}

fn unique() -> Result<String, Problem> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| problem!(Failed, "keys.not_signed", reason = "random"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// RFC 7518 §3.1.
fn name(alg: JwtAlg) -> &'static str {
    match alg {
        JwtAlg::RS256 => "RS256",
        JwtAlg::PS256 => "PS256",
        JwtAlg::ES256 => "ES256",
        JwtAlg::HS256 => "HS256",
    }
}

/// What people call an input.
fn label(subject: &Subject, key: &str) -> String {
    let inputs = subject.connector.inputs_for(&subject.method_key);
    clean::line(inputs.iter().find(|one| one.key == key).map_or(key, |one| one.label.as_str()), 80)
}

/// What is signed with.
enum Key {
    Pair(Box<PrivateKey>, String),
    Shared(Secret),
}

impl Key {
    fn read(subject: &Subject, jwt: &Jwt) -> Result<Self, Problem> {
        let input = jwt.key.as_deref().unwrap_or("private_key");
        let label = label(subject, input);
        let pasted = subject.required(input)?;
        let text = match &jwt.key_member {
            None => Secret::new(pasted),
            Some(member) => {
                member_of(pasted, member).ok_or_else(|| problem!(Usage, "keys.not_json", label = label, member = clean::line(member, 60)))?
            }
        };
        if jwt.alg == JwtAlg::HS256 {
            return Ok(Self::Shared(text));
        }
        let passphrase = subject.input(jwt.passphrase.as_deref().unwrap_or("private_key_passphrase"));
        Ok(Self::Pair(Box::new(PrivateKey::read(text.expose(), passphrase, &label)?), label))
    }

    fn natural(&self) -> JwtAlg {
        match self {
            Self::Pair(key, _) => key.natural(),
            Self::Shared(_) => JwtAlg::HS256,
        }
    }

    /// The compact form (RFC 7515 §3.1) of a header and a payload.
    fn seal(&self, alg: JwtAlg, header: &[u8], payload: &[u8]) -> Result<Secret, Problem> {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = match self {
            Self::Shared(key) => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes()), input.as_bytes()).as_ref().to_vec(),
            Self::Pair(key, label) => key
                .sign(alg, input.as_bytes())
                .ok_or_else(|| problem!(Usage, "keys.wrong_kind", label = label, alg = name(alg), found = name(key.natural())))?,
        };
        Ok(Secret::new(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

fn member_of(text: &str, member: &str) -> Option<Secret> {
    let file: Value = serde_json::from_str(text).ok()?;
    file.get(member)?.as_str().filter(|value| !value.is_empty()).map(Secret::new)
}

/// The members of a pasted key file that are texts, but for the key itself.
pub fn members(text: &str, key: &str) -> Vec<(String, String)> {
    let Ok(Value::Object(file)) = serde_json::from_str(text) else { return Vec::new() };
    file.into_iter().filter_map(|(name, value)| if name == key { None } else { Some((name, value.as_str()?.to_owned())) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature;

    const CLAIMS: &[u8] = b"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";

    fn pair(pem: &str) -> Key {
        Key::Pair(Box::new(PrivateKey::read(pem, None, "Key").unwrap()), "Key".to_owned())
    }

    #[test]
    fn hs256_as_in_rfc_7515_a_1() {
        // The RFC's key is no text, so the signature is made of its bytes here; `Key::Shared` takes a text's.
        let key = URL_SAFE_NO_PAD.decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow").unwrap();
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}"), URL_SAFE_NO_PAD.encode(CLAIMS));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), input.as_bytes());
        assert_eq!(URL_SAFE_NO_PAD.encode(tag), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        // The example of jwt.io, whose key is a text.
        let token = Key::Shared(Secret::new("your-256-bit-secret"))
            .seal(JwtAlg::HS256, br#"{"alg":"HS256","typ":"JWT"}"#, br#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#)
            .unwrap();
        assert_eq!(
            token.expose(),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.\
             SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
        );
    }

    #[test]
    fn rs256_as_in_rfc_7515_a_2() {
        let token = pair(include_str!("../../tests/keys/rsa.pkcs8.pem")).seal(JwtAlg::RS256, br#"{"alg":"RS256"}"#, CLAIMS).unwrap();
        assert_eq!(
            token.expose(),
            "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
             cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4\
             BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv\
             hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
        );
    }

    #[test]
    fn es256_and_ps256_verify_with_the_public_key() {
        let point = [vec![4], decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")].concat();
        let verify = |algorithm: &'static dyn signature::VerificationAlgorithm, key: &[u8], token: &str| {
            let (input, signed) = token.rsplit_once('.').unwrap();
            signature::UnparsedPublicKey::new(algorithm, key).verify(input.as_bytes(), &decode(signed)).is_ok()
        };
        // The RFC's own signature: the verifier here is right.
        let known = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
            DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        assert!(verify(&signature::ECDSA_P256_SHA256_FIXED, &point, known));
        for pem in [include_str!("../../tests/keys/ec.pkcs8.pem"), include_str!("../../tests/keys/ec.sec1.pem")] {
            let token = pair(pem).seal(JwtAlg::ES256, br#"{"alg":"ES256"}"#, CLAIMS).unwrap();
            assert!(verify(&signature::ECDSA_P256_SHA256_FIXED, &point, token.expose()));
            assert!(!verify(&signature::ECDSA_P256_SHA256_FIXED, &point, &token.expose().replacen("eyJhb", "eyJha", 1)));
        }
        let token = pair(include_str!("../../tests/keys/rsa.pkcs1.pem")).seal(JwtAlg::PS256, br#"{"alg":"PS256"}"#, CLAIMS).unwrap();
        let public = include_str!("../../tests/keys/rsa.pub.pem");
        assert!(verify(&signature::RSA_PSS_2048_8192_SHA256, &rsa_public(public), token.expose()));
    }

    #[test]
    fn a_key_of_another_kind_is_said() {
        let problem = pair(include_str!("../../tests/keys/ec.sec1.pem")).seal(JwtAlg::RS256, b"{}", b"{}").err().unwrap();
        assert!(problem.why.contains("RS256") && problem.why.contains("ES256"), "{problem:?}");
    }

    fn decode(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    /// The RSAPublicKey inside a SubjectPublicKeyInfo.
    fn rsa_public(pem: &str) -> Vec<u8> {
        use x509_cert::der::Decode as _;
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
        x509_cert::spki::SubjectPublicKeyInfoOwned::from_der(&der).unwrap().subject_public_key.raw_bytes().to_vec()
    }
}
