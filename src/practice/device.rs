//! Device codes of the practice authorization server (RFC 8628), and the page where a person types one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::oauth::{Denied, Server, random};
use super::server::{Call, Reply, find};
use super::{lock, page};
use crate::t;

/// How long a code waits for a person.
const LIFETIME: Duration = Duration::from_mins(10);
/// Short, because practice should not keep anybody waiting.
const INTERVAL: Duration = Duration::from_secs(1);
/// RFC 8628 §6.1: letters that are not taken for one another, and no vowels that make words.
const LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

#[derive(Default)]
pub struct Devices(HashMap<String, Device>);

struct Device {
    user_code: String,
    client: String,
    scope: String,
    issued: Instant,
    asked: Option<Instant>,
    interval: Duration,
    decision: Option<bool>,
}

impl Devices {
    /// RFC 8628 §3.2.
    fn issue(&mut self, issuer: &str, client: &str, scope: &str) -> Value {
        let letters: Vec<u8> = random().bytes().take(8).map(|byte| LETTERS[usize::from(byte) % LETTERS.len()]).collect();
        let (head, tail) = letters.split_at(4);
        let user_code = format!("{}-{}", String::from_utf8_lossy(head), String::from_utf8_lossy(tail));
        let device_code = random();
        let device = Device {
            user_code: user_code.clone(),
            client: client.to_owned(),
            scope: scope.to_owned(),
            issued: Instant::now(),
            asked: None,
            interval: INTERVAL,
            decision: None,
        };
        self.0.insert(device_code.clone(), device);
        json!({
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": format!("{issuer}/device"),
            "verification_uri_complete": format!("{issuer}/device?user_code={user_code}"),
            "expires_in": LIFETIME.as_secs(),
            "interval": INTERVAL.as_secs(),
        })
    }

    /// A code as a person types it: any case, with or without its dash.
    fn waiting(&mut self, typed: &str) -> Option<&mut Device> {
        let plain = |code: &str| code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect::<String>();
        let typed = plain(typed);
        self.0.values_mut().find(|device| plain(&device.user_code) == typed && device.decision.is_none() && device.issued.elapsed() < LIFETIME)
    }

    /// `false`: there is no such code, or it was decided already.
    pub fn decide(&mut self, typed: &str, approve: bool) -> bool {
        self.waiting(typed).map(|device| device.decision = Some(approve)).is_some()
    }

    /// Every code ends now.
    pub fn expire(&mut self) {
        for device in self.0.values_mut() {
            device.issued -= LIFETIME;
        }
    }

    /// RFC 8628 §3.5. The scope of the consent, once.
    pub fn redeem(&mut self, client: &str, form: &[(String, String)]) -> Result<String, Denied> {
        let denied = |error, text| Err(Denied { status: 400, error, text });
        let code = find(form, "device_code").ok_or(Denied::request("The device_code is missing."))?;
        let Some(device) = self.0.get_mut(code).filter(|device| device.client == client) else {
            return Err(Denied::grant("The device code is unknown or was used."));
        };
        let early = device.asked.replace(Instant::now()).is_some_and(|asked| asked.elapsed() < device.interval);
        if device.issued.elapsed() >= LIFETIME {
            self.0.remove(code);
            return denied("expired_token", "The device code has expired.");
        }
        match device.decision {
            None if early => {
                device.interval += Duration::from_secs(5);
                denied("slow_down", "The client asks too often.")
            }
            None => denied("authorization_pending", "Nobody has decided yet."),
            Some(false) => {
                self.0.remove(code);
                denied("access_denied", "The person did not consent.")
            }
            Some(true) => {
                let scope = device.scope.clone();
                self.0.remove(code);
                Ok(scope)
            }
        }
    }
}

/// RFC 8628 §3.1.
pub fn authorize(server: &mut Server, call: &Call) -> Reply {
    let form = call.form();
    let client = match server.client(call, &form) {
        Ok(client) => client,
        Err(denied) => return denied.reply(),
    };
    let scope = find(&form, "scope").unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" ");
    let issuer = server.issuer().to_owned();
    Reply::json(200, &server.devices.issue(&issuer, &client, &scope)).with("cache-control", "no-store")
}

/// The page for the code, or for the decision about it.
pub fn show(server: &mut Server, call: &Call) -> Reply {
    let Some(typed) = call.param("user_code").map(str::trim).filter(|code| !code.is_empty()) else {
        return Reply::html(200, page::device_code(None));
    };
    match server.devices.waiting(typed) {
        Some(device) => {
            let scopes: Vec<String> = device.scope.split_whitespace().map(str::to_owned).collect();
            Reply::html(200, page::device(&device.client, &scopes, &device.user_code)).with("cache-control", "no-store")
        }
        None => Reply::html(404, page::device_code(Some(t!("practice.device.unknown")))),
    }
}

pub fn decided(shared: &super::Shared, call: &Call) -> Reply {
    let form = call.form();
    let code = find(&form, "user_code").unwrap_or("");
    let approve = match find(&form, "decision") {
        Some("approve") => true,
        Some("refuse") => false,
        _ => return Reply::html(400, page::refused(t!("practice.oauth.decision"))),
    };
    if lock(&shared.oauth).devices.decide(code, approve) {
        return Reply::html(200, page::device_done(approve));
    }
    Reply::html(404, page::device_code(Some(t!("practice.device.unknown"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_decided_once_and_redeemed_once() {
        let mut devices = Devices::default();
        let issued = devices.issue("http://x", "c", "a b");
        let text = |name: &str| issued[name].as_str().unwrap().to_owned();
        let form = vec![("device_code".to_owned(), text("device_code"))];
        let error = |devices: &mut Devices, client: &str| devices.redeem(client, &form).err().map(|denied| denied.error);
        assert_eq!(error(&mut devices, "c"), Some("authorization_pending"));
        assert_eq!(error(&mut devices, "c"), Some("slow_down"), "at once again");
        assert_eq!(error(&mut devices, "d"), Some("invalid_grant"), "somebody else's");
        assert!(devices.decide(&text("user_code").to_lowercase().replace('-', " "), true));
        assert!(!devices.decide(&text("user_code"), false), "decided already");
        assert_eq!(devices.redeem("c", &form).ok().as_deref(), Some("a b"));
        assert_eq!(error(&mut devices, "c"), Some("invalid_grant"));

        let issued = devices.issue("http://x", "c", "");
        devices.expire();
        let form = vec![("device_code".to_owned(), issued["device_code"].as_str().unwrap().to_owned())];
        assert_eq!(devices.redeem("c", &form).err().map(|denied| denied.error), Some("expired_token"));
    }
}
