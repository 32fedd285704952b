//! Clients of the practice authorization server: the published one, and those that register themselves (RFC 7591, RFC 7592); and what they
//! push (RFC 9126).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::oauth::{Denied, Server, random};
use super::server::{Call, Reply, find};
use super::{CLIENT_ID, CLIENT_SECRET};

/// RFC 9126 §2.2 leaves it to the server; long enough for an address that is carried to another machine.
const PUSHED: Duration = Duration::from_mins(10);

#[derive(Default)]
pub struct Clients {
    made: HashMap<String, Made>,
    pushed: HashMap<String, Pushed>,
}

struct Made {
    name: String,
    /// `None` for a public client.
    secret: Option<String>,
    /// Manages the registration.
    token: String,
}

struct Pushed {
    parameters: Vec<(String, String)>,
    at: Instant,
}

impl Clients {
    /// What people call a client; `None` when there is no such client.
    pub fn name(&self, id: &str) -> Option<String> {
        if id == CLIENT_ID { Some(CLIENT_ID.to_owned()) } else { self.made.get(id).map(|made| made.name.clone()) }
    }

    /// Whether this is the client's secret; the error is for the client.
    pub fn proves(&self, id: &str, secret: &str) -> Result<(), &'static str> {
        let expected = match self.made.get(id) {
            Some(made) => made.secret.as_deref(),
            None if id == CLIENT_ID => Some(CLIENT_SECRET),
            None => return Err("There is no such client."),
        };
        match expected {
            None => Ok(()),
            Some(expected) if expected == secret => Ok(()),
            Some(_) if secret.is_empty() => Err("The client secret is missing."),
            Some(_) => Err("The client secret is wrong."),
        }
    }

    /// A pushed request, once.
    pub fn pushed(&mut self, uri: &str, client: &str) -> Option<Vec<(String, String)>> {
        let Pushed { parameters, at } = self.pushed.remove(uri)?;
        (at.elapsed() < PUSHED && find(&parameters, "client_id") == Some(client)).then_some(parameters)
    }
}

/// RFC 9126 §2.
pub fn push(server: &mut Server, call: &Call) -> Reply {
    let form = call.form();
    let client = match server.client(call, &form) {
        Ok(client) => client,
        Err(denied) => return denied.reply(),
    };
    if find(&form, "request_uri").is_some() {
        return Denied::request("A pushed request cannot name another.").reply();
    }
    let mut parameters: Vec<(String, String)> = form.into_iter().filter(|(name, _)| name != "client_secret" && name != "client_id").collect();
    parameters.push(("client_id".to_owned(), client));
    if let Err(denied) = server.in_order(&parameters) {
        return denied.reply();
    }
    let uri = format!("urn:ietf:params:oauth:request_uri:{}", random());
    server.clients.pushed.insert(uri.clone(), Pushed { parameters, at: Instant::now() });
    Reply::json(201, &json!({"request_uri": uri, "expires_in": PUSHED.as_secs()})).with("cache-control", "no-store")
}

/// RFC 7591 §3.1. Anybody may: it is practice.
pub fn register(server: &mut Server, call: &Call) -> Reply {
    let denied = |error, text| Denied { status: 400, error, text }.reply();
    let Ok(wanted) = serde_json::from_slice::<Value>(&call.body) else {
        return denied("invalid_client_metadata", "The body is not JSON.");
    };
    let list = |name: &str| wanted.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    if list("redirect_uris")
        .iter()
        .any(|uri| !uri.as_str().and_then(|uri| url::Url::parse(uri).ok()).is_some_and(|uri| super::oauth::redirect_allowed(&uri)))
    {
        return denied("invalid_redirect_uri", "Only http on a loopback address is allowed here.");
    }
    let method = wanted.get("token_endpoint_auth_method").and_then(Value::as_str).unwrap_or("client_secret_basic");
    let secret = match method {
        "none" => None,
        "client_secret_basic" | "client_secret_post" => Some(format!("practice-client-secret-{}", random())),
        _ => return denied("invalid_client_metadata", "This token_endpoint_auth_method is not known here."),
    };
    let (id, token) = (random(), random());
    let name = wanted.get("client_name").and_then(Value::as_str).unwrap_or("a client without a name");
    let mut answer = json!({
        "client_id": id,
        "client_name": name,
        "redirect_uris": list("redirect_uris"),
        "grant_types": list("grant_types"),
        "token_endpoint_auth_method": method,
        "registration_access_token": token,
        "registration_client_uri": format!("{}/oauth/register/{id}", server.issuer()),
    });
    if let Some(secret) = &secret {
        answer["client_secret"] = secret.as_str().into();
        answer["client_secret_expires_at"] = 0.into();
    }
    server.clients.made.insert(id, Made { name: crate::words::clean::line(name, 60), secret, token });
    Reply::json(201, &answer).with("cache-control", "no-store")
}

/// RFC 7592 §2.3.
pub fn withdraw(server: &mut Server, call: &Call, id: &str) -> Reply {
    let shown = call.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or("");
    if server.clients.made.get(id).is_none_or(|made| made.token != shown) {
        return Denied { status: 401, error: "invalid_token", text: "The registration access token is not this client's." }.reply();
    }
    server.clients.made.remove(id);
    Reply::empty(204)
}
