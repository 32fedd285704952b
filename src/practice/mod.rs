//! The practice vendor: a small vendor that runs inside the program, on a loopback address, for the demo and for tests.
//!
//! **It is practice everywhere.** Its people do not exist, its client and its secret are published below, and nothing in it is a real
//! vendor's service. What it offers:
//!
//! - an authorization server: code with PKCE and a consent page, device codes with theirs, client credentials, refresh with rotation,
//!   revocation, pushed requests, registration of clients (RFC 6749, 7009, 7591, 7636, 8414, 8628, 9126, 9207);
//! - a members API in the shape of Ironclad Clickwrap's: `/v1.1/accounts/1/members` and `/v1.1/sites/{id}/memberships`;
//! - SCIM 2.0 under `/scim/v2` (RFC 7643, 7644), which takes what Entra and Okta send as well as what the RFC says;
//! - faults, set with [`Faults::set`], and days that pass, with [`Practice::pass_a_day`].
//!
//! **What is assumed.** The members list, its fields and its parameters follow public copies of the vendor's documentation. No public
//! document gives the following, so they are assumptions: the authorization, token and revocation addresses and their grants; the bodies of
//! errors; how many members a page may have (here 1,000, and 100 unless asked); the format of `verified_time` (here RFC 3339); what is in
//! `profiles` (here nothing). Parameters whose meaning is not known (`filter`, `sort`, `expand`) are refused, not ignored.

mod clients;
mod device;
mod faults;
mod members;
mod oauth;
mod page;
mod people;
mod roster;
mod scim;
mod server;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use faults::{Fault, Faults, When};
pub use people::Person;
pub use roster::Day;

use crate::model::Problem;
use crate::problem;
use crate::words::clean;

/// The published client of the practice vendor. Not a secret, whatever its name.
pub const CLIENT_ID: &str = "practice-client";
/// See [`CLIENT_ID`].
pub const CLIENT_SECRET: &str = "practice-secret";
/// A published token that always works, for the API and for SCIM.
pub const TOKEN: &str = "practice-token";
/// The only account there is; `practice` names it, too.
pub const ACCOUNT: &str = "1";

#[derive(Debug, Clone)]
pub struct Options {
    /// How many people there are at first. A million costs nothing until they are asked for.
    pub people: u64,
    /// Other people for another seed.
    pub seed: u64,
    /// How long an access token lasts.
    pub token_lifetime: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { people: 250, seed: 1, token_lifetime: Duration::from_hours(1) }
    }
}

/// A running practice vendor. It stops when this is dropped.
pub struct Practice {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub base_url: String,
    /// Faults to inject into the API and SCIM.
    pub faults: Faults,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

struct Shared {
    base_url: String,
    faults: Faults,
    roster: Mutex<roster::Roster>,
    oauth: Mutex<oauth::Server>,
    scim: Mutex<scim::Directory>,
    requests: std::sync::atomic::AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked while holding it has failed a test already.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts it on a free port of `127.0.0.1`, on the current Tokio runtime.
pub async fn start(options: Options) -> Result<Practice, Problem> {
    let failed = |error: std::io::Error| problem!(Failed, "practice.no_port", reason = clean::line(&error.to_string(), 200));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let base_url = format!("http://{}", listener.local_addr().map_err(failed)?);
    let faults = Faults::default();
    let shared = Arc::new(Shared {
        base_url: base_url.clone(),
        faults: faults.clone(),
        roster: Mutex::new(roster::Roster::new(options.seed, options.people)),
        oauth: Mutex::new(oauth::Server::new(&base_url, options.token_lifetime)),
        scim: Mutex::default(),
        requests: std::sync::atomic::AtomicU64::new(0),
    });
    let stop = CancellationToken::new();
    tokio::spawn(server::run(listener, shared.clone(), stop.clone()));
    Ok(Practice { base_url, faults, shared, stop })
}

impl Practice {
    /// Lets a day pass: some people leave, some who left the day before return, some are renamed, some join, some are verified or no longer.
    /// Nobody is in two of the lists.
    pub fn pass_a_day(&self) -> Day {
        let mut roster = lock(&self.shared.roster);
        let day = roster.pass_a_day();
        lock(&self.shared.scim).pass_a_day(&day, &roster);
        day
    }

    /// Everybody who is there now, in the order in which they are listed.
    #[must_use]
    pub fn expected(&self) -> Vec<Person> {
        lock(&self.shared.roster).present().collect()
    }

    /// How many are there now.
    #[must_use]
    pub fn people(&self) -> u64 {
        lock(&self.shared.roster).count()
    }

    /// Requests answered since the start, faults included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Every access token issued so far has ended; refreshing still works.
    pub fn expire_access_tokens(&self) {
        lock(&self.shared.oauth).expire_access_tokens();
    }

    /// Every token issued so far is revoked; a person has to consent again.
    pub fn revoke_all(&self) {
        lock(&self.shared.oauth).revoke_all();
    }

    /// Every device code ends now.
    pub fn expire_device_codes(&self) {
        lock(&self.shared.oauth).devices.expire();
    }

    /// Does what a person does on the device page. `false`: there is no such code, or it was decided already.
    pub fn confirm_device(&self, user_code: &str, approve: bool) -> bool {
        lock(&self.shared.oauth).devices.decide(user_code, approve)
    }

    /// Does what a person does on the consent page, and returns the address that the browser is sent to. The error is what the page says
    /// when it cannot send the browser anywhere.
    pub fn consent(&self, authorize_url: &str, approve: bool) -> Result<String, Problem> {
        let query = url::Url::parse(authorize_url).map(|url| url.query_pairs().into_owned().collect::<Vec<_>>()).unwrap_or_default();
        let mut oauth = lock(&self.shared.oauth);
        match oauth.ask(&query) {
            oauth::Asked::Refused(reason) => Err(problem!(Failed, "practice.refused", reason = reason)),
            oauth::Asked::Redirect(address) => Ok(address),
            oauth::Asked::Consent(consent) => oauth.decide(&consent.ticket, approve).ok_or_else(|| problem!(Failed, "practice.refused", reason = "")),
        }
    }
}

impl Drop for Practice {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
