//! How one signs in to a mail server (SASL, RFC 4422): a user name with a password, or with an OAuth token.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Server;
use crate::model::Secret;
use crate::vendor::client::Login;
use crate::words::clean;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// IMAP's command LOGIN (RFC 9051 §6.2.3); with SMTP, AUTH LOGIN (draft-murchison-sasl-login), which Microsoft's servers know beside XOAUTH2.
    Login,
    /// RFC 7628.
    OAuthBearer,
    /// developers.google.com/workspace/gmail/imap/xoauth2-protocol; the only one for tokens at Microsoft (learn.microsoft.com,
    /// exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth).
    Xoauth2,
}

impl Mechanism {
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::Xoauth2 => "XOAUTH2",
        }
    }

    /// The one to take of those that a server offers, in capitals. A standard comes before what is none.
    pub fn choose<S: AsRef<str>>(login: &Login, offered: &[S]) -> Option<Self> {
        let wanted: &[Self] = match login {
            Login::Password { .. } => &[Self::Plain, Self::Login],
            Login::Token { .. } => &[Self::OAuthBearer, Self::Xoauth2],
        };
        wanted.iter().copied().find(|one| offered.iter().any(|offer| offer.as_ref() == one.name()))
    }

    /// The first message of the client; nothing for LOGIN, which waits to be asked.
    pub fn first(self, login: &Login, server: &Server) -> Secret {
        let (Login::Password { user, secret } | Login::Token { user, secret }) = login;
        let secret = secret.expose();
        Secret::new(match self {
            Self::Plain => format!("\0{user}\0{secret}"),
            Self::Login => String::new(),
            // RFC 5801 §4: what would end the name is escaped.
            Self::OAuthBearer => {
                let name = user.replace('=', "=3D").replace(',', "=2C");
                format!("n,a={name},\x01host={}\x01port={}\x01auth=Bearer {secret}\x01\x01", server.host, server.port)
            }
            Self::Xoauth2 => format!("user={user}\x01auth=Bearer {secret}\x01\x01"),
        })
    }

    /// What is answered to the server's report of an error, so that it refuses properly (RFC 7628 §3.2.3).
    pub fn giving_up(self) -> &'static str {
        if self == Self::OAuthBearer { "\x01" } else { "" }
    }
}

/// What a server says is wrong with a token: JSON with `status`, `schemes`, `scope` (RFC 7628 §3.2.2; the same with XOAUTH2).
pub fn report(challenge: &[u8]) -> Option<String> {
    let said: Value = serde_json::from_slice(challenge).ok()?;
    let text = |key: &str| said.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(|text| format!("{key} {text}"));
    let parts: Vec<String> = ["status", "scope", "error", "error_description"].into_iter().filter_map(text).collect();
    (!parts.is_empty()).then(|| clean::line(&parts.join(", "), 200))
}

pub fn encoded(message: &str) -> Secret {
    Secret::new(STANDARD.encode(message))
}

pub fn decoded(message: &str) -> Vec<u8> {
    STANDARD.decode(message.trim()).unwrap_or_default()
}

/// A conversation over IMAP's AUTHENTICATE.
pub struct Spoken<'s> {
    pub mechanism: Mechanism,
    pub first: Secret,
    pub said: bool,
    /// What the server reported.
    pub report: &'s mut Option<String>,
}

impl async_imap::Authenticator for Spoken<'_> {
    type Response = Vec<u8>;

    fn process(&mut self, challenge: &[u8]) -> Vec<u8> {
        if std::mem::replace(&mut self.said, true) {
            *self.report = report(challenge).or_else(|| self.report.take());
            return self.mechanism.giving_up().as_bytes().to_vec();
        }
        self.first.expose().as_bytes().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        Server::parse("imaps://server.example.com:143").unwrap()
    }

    #[test]
    fn messages_of_the_specifications() {
        let token = |user: &str, secret: &str| Login::Token { user: user.to_owned(), secret: Secret::new(secret) };
        // RFC 7628 §4.1 and §4.3.
        let login = token("user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
        let first = Mechanism::OAuthBearer.first(&login, &server());
        assert_eq!(
            encoded(first.expose()).expose(),
            "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
        );
        assert_eq!(encoded(Mechanism::OAuthBearer.giving_up()).expose(), "AQ==");
        // Google's own example.
        let login = token("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
        let first = Mechanism::Xoauth2.first(&login, &server());
        assert_eq!(
            encoded(first.expose()).expose(),
            "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ=="
        );
        // RFC 4616 §4.
        let login = Login::Password { user: "tim".to_owned(), secret: Secret::new("tanstaaftanstaaf") };
        assert_eq!(Mechanism::Plain.first(&login, &server()).expose(), "\0tim\0tanstaaftanstaaf");
        let odd = token("a,b=c", "t");
        assert!(Mechanism::OAuthBearer.first(&odd, &server()).expose().starts_with("n,a=a=2Cb=3Dc,\x01"));
    }

    #[test]
    fn the_strongest_that_fits() {
        let password = Login::Password { user: String::new(), secret: Secret::new("p") };
        let token = Login::Token { user: String::new(), secret: Secret::new("t") };
        #[rustfmt::skip]
        let table = [
            (&password, &["LOGIN", "PLAIN", "XOAUTH2"][..], Some(Mechanism::Plain)),
            (&password, &["LOGIN"], Some(Mechanism::Login)),
            (&password, &["XOAUTH2", "CRAM-MD5"], None),
            (&token, &["PLAIN", "XOAUTH2"], Some(Mechanism::Xoauth2)),
            (&token, &["XOAUTH2", "OAUTHBEARER"], Some(Mechanism::OAuthBearer)),
            (&token, &["PLAIN"], None),
        ];
        for (login, offered, wanted) in table {
            assert_eq!(Mechanism::choose(login, offered), wanted, "{offered:?}");
        }
    }

    #[test]
    fn reports_of_errors() {
        let said = br#"{"status":"invalid_token","scope":"https://mail.google.com/","openid-configuration":"https://x"}"#;
        assert_eq!(report(said).unwrap(), "status invalid_token, scope https://mail.google.com/");
        assert_eq!(report(b"not json"), None);
        assert_eq!(report(b"{}"), None);
    }
}
