//! What ends when: tokens, secrets, certificates, keys. Where several sources name the end of the same thing, the one that was read wins over
//! the one that was typed, and that over what the definition says of all of them.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::SignedDuration;

use super::{get, not_found};
use crate::auth::tokens::lifetime;
use crate::model::{AuthMethod, Credential, CredentialStatus, Every, Integration, IntegrationState, Time};
use crate::ops::{Result, Workspace};

/// What ends within so many days and does not renew itself makes a credential `expiring`, unless the configuration says otherwise.
const SOON_DAYS: u16 = 14;
/// The same for the overview.
const OVERVIEW_DAYS: u16 = 30;

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Expiry {
    pub credential: String,
    pub name: String,
    /// `access_token`, `refresh_token`, `secret`, `certificate` or `key`.
    pub what: String,
    pub at: Time,
    /// As in [`CalendarRow`].
    pub known_from: String,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct CalendarRow {
    pub credential: String,
    pub name: String,
    pub connector: String,
    /// `access_token`, `refresh_token`, `secret`, `certificate` or `key`.
    pub what: String,
    pub at: Time,
    /// `vendor` (the vendor said so), `guess` (the vendor named several, and this is the first to end of those that it can be), `typed`,
    /// `token` (read in it) or `lifetime` (the definition's: it ends then at the latest).
    pub known_from: String,
    /// Nobody has to act: it is replaced before its end.
    pub automatic: bool,
    /// Integrations that stop with it, by name.
    pub used_by: Vec<String>,
}

/// Something of a credential that ends.
#[derive(Debug, PartialEq)]
struct Ending {
    what: String,
    at: Time,
    known_from: &'static str,
    automatic: bool,
}

/// What of a credential ends. `busy`: something uses it regularly, so that a refresh token that ends unused does not end.
fn endings(credential: &Credential, method: Option<&AuthMethod>, busy: bool) -> Vec<Ending> {
    let known = &credential.known;
    let mut all = Vec::new();
    for (what, at) in [("access_token", credential.access_expires), ("refresh_token", credential.refresh_expires)] {
        let Some(at) = at else { continue };
        let assumed = known.assumed.iter().any(|one| one == what);
        // The definition's lifetime of a refresh token is how long it may lie unused; what a vendor says of one may be its very end.
        let automatic =
            if what == "access_token" { credential.refreshes } else { assumed && busy && method.is_some_and(|m| m.lifetime.absolute.is_none()) };
        all.push(Ending { what: what.to_owned(), at, known_from: if assumed { "lifetime" } else { "vendor" }, automatic });
    }
    // A guess is worth less than what a person typed.
    let ends: Vec<_> = known.ends.iter().filter(|end| end.known_from != "guess" || credential.secret_expires.is_none()).collect();
    for end in &ends {
        let known_from = match end.known_from.as_str() {
            "token" => "token",
            "guess" => "guess",
            _ => "vendor",
        };
        all.push(Ending { what: end.what.clone(), at: end.at, known_from, automatic: false });
    }
    if ends.iter().all(|end| end.what != "secret") {
        if let Some(at) = credential.secret_expires {
            all.push(Ending { what: "secret".to_owned(), at, known_from: "typed", automatic: false });
        } else if ends.is_empty()
            && let (Some(since), Some(life)) = (known.secret_since, method.and_then(|method| lifetime(method.lifetime.secret.as_deref())))
            && let Ok(at) = since.checked_add(life)
        {
            all.push(Ending { what: "secret".to_owned(), at, known_from: "lifetime", automatic: false });
        }
    }
    all
}

/// Who uses which credential, so that it is asked once.
struct Users(HashMap<String, Vec<(String, bool)>>);

impl Users {
    fn of(ws: &Workspace) -> Result<Self> {
        let mut users: HashMap<String, Vec<(String, bool)>> = HashMap::new();
        for integration in ws.store()?.integrations()? {
            let regular = runs_by_itself(&integration);
            users.entry(integration.credential).or_default().push((integration.name, regular));
        }
        Ok(Self(users))
    }

    fn names(&self, credential: &str) -> Vec<String> {
        self.0.get(credential).into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    fn busy(&self, credential: &str) -> bool {
        self.0.get(credential).into_iter().flatten().any(|(_, regular)| *regular)
    }
}

fn runs_by_itself(integration: &Integration) -> bool {
    integration.state == IntegrationState::Active && integration.schedule.every != Every::Manual
}

/// What of these credentials ends, each with its own.
fn all_endings(ws: &Workspace, credentials: &[Credential], users: &Users) -> Vec<Vec<Ending>> {
    // Definitions are read from files: each once.
    let mut connectors = HashMap::new();
    let endings = credentials.iter().map(|credential| {
        let connector = connectors.entry(credential.connector.as_str()).or_insert_with(|| ws.catalog().get(&credential.connector).ok());
        let method = connector.as_ref().and_then(|connector| connector.auth.get(&credential.method));
        endings(credential, method, users.busy(&credential.id))
    });
    endings.collect()
}

/// What ends within so many seconds, or has ended, soonest first. What is replaced by itself is not counted.
pub fn expiring(ws: &Workspace, within: Duration) -> Result<Vec<Expiry>> {
    let horizon = SignedDuration::try_from(within).ok().and_then(|within| Time::now().checked_add(within).ok()).unwrap_or(Time::MAX);
    let rows = calendar(ws)?.into_iter().filter(|row| !row.automatic && row.at <= horizon);
    Ok(rows.map(|row| Expiry { credential: row.credential, name: row.name, what: row.what, at: row.at, known_from: row.known_from }).collect())
}

/// How long before its end something counts as expiring, as the configuration says.
#[must_use]
pub fn soon(ws: &Workspace) -> Duration {
    so_many_days(ws.config().expiring_days.unwrap_or(SOON_DAYS))
}

/// How far the overview looks ahead.
#[must_use]
pub fn overview_horizon(ws: &Workspace) -> Duration {
    so_many_days(ws.config().overview_days.unwrap_or(OVERVIEW_DAYS))
}

fn so_many_days(n: u16) -> Duration {
    Duration::from_secs(u64::from(n) * 86_400)
}

/// The expiry calendar: everything whose end is known, soonest first, ends that intertie replaces by itself included.
pub fn calendar(ws: &Workspace) -> Result<Vec<CalendarRow>> {
    let (credentials, users) = (ws.store()?.credentials()?, Users::of(ws)?);
    let endings = all_endings(ws, &credentials, &users);
    let mut rows: Vec<CalendarRow> = Vec::new();
    for (credential, endings) in credentials.iter().zip(endings) {
        rows.extend(endings.into_iter().map(|ending| CalendarRow {
            credential: credential.id.clone(),
            name: credential.name.clone(),
            connector: credential.connector.clone(),
            what: ending.what,
            at: ending.at,
            known_from: ending.known_from.to_owned(),
            automatic: ending.automatic,
            used_by: users.names(&credential.id),
        }));
    }
    rows.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.name.cmp(&b.name)));
    Ok(rows)
}

/// Sets the day on which the client secret or key ends, as typed by hand.
pub fn set_secret_expiry(ws: &Workspace, name: &str, at: Option<Time>) -> Result<Credential> {
    let credential = get(ws, name)?;
    let changed = ws.store()?.change_credential(&credential.id, |credential| credential.secret_expires = at)?;
    changed.ok_or_else(|| not_found(name))
}

/// Says of each how it stands at this moment.
pub(super) fn look(ws: &Workspace, credentials: &mut [Credential]) -> Result<()> {
    let now = Time::now();
    // Most have no end in sight, and need no look at who uses them.
    let ending: HashSet<usize> = (0..credentials.len()).filter(|&i| has_ends(&credentials[i])).collect();
    if ending.is_empty() {
        return Ok(());
    }
    let users = Users::of(ws)?;
    let endings = all_endings(ws, credentials, &users);
    let horizon = SignedDuration::try_from(soon(ws)).ok().and_then(|soon| now.checked_add(soon).ok()).unwrap_or(Time::MAX);
    for (i, (credential, endings)) in credentials.iter_mut().zip(endings).enumerate() {
        if ending.contains(&i) {
            credential.status = status_at(credential, &endings, now, horizon);
        }
    }
    Ok(())
}

fn has_ends(credential: &Credential) -> bool {
    credential.secret_expires.is_some()
        || credential.refresh_expires.is_some()
        || credential.access_expires.is_some()
        || credential.known.secret_since.is_some()
        || !credential.known.ends.is_empty()
}

/// What worked has ended when its end is past and nothing replaces it by itself.
fn status_at(credential: &Credential, endings: &[Ending], now: Time, horizon: Time) -> CredentialStatus {
    let ended = endings.iter().filter(|ending| ending.at <= now).any(|ending| match ending.what.as_str() {
        "access_token" => !credential.refreshes,
        "refresh_token" => credential.refreshes,
        // The definition's word about all secrets says nothing about what has happened to this one.
        _ => ending.known_from != "lifetime",
    });
    let soon = || endings.iter().any(|ending| !ending.automatic && ending.at <= horizon);
    match credential.status {
        CredentialStatus::Valid | CredentialStatus::Untested | CredentialStatus::Unknown if ended => CredentialStatus::Expired,
        CredentialStatus::Valid if soon() => CredentialStatus::Expiring,
        status => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{End, Lifetime};
    use serde_json::json;

    fn now() -> Time {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn days(n: i64) -> Time {
        now() + SignedDuration::from_hours(24 * n)
    }

    fn credential() -> Credential {
        let json = json!({"id": "cred_a", "name": "A", "connector": "c", "method": "m", "settings": {}, "secrets": [], "status": "valid",
            "created": "2025-12-01T00:00:00Z"});
        serde_json::from_value(json).unwrap()
    }

    fn method(lifetime: Lifetime) -> AuthMethod {
        let mut method: AuthMethod = serde_json::from_value(json!({"kind": "bearer", "name": "M"})).unwrap();
        method.lifetime = lifetime;
        method
    }

    #[test]
    fn what_ends_and_who_says_so() {
        let mut one = credential();
        one.access_expires = Some(days(1));
        one.refreshes = true;
        one.refresh_expires = Some(days(90));
        one.secret_expires = Some(days(30));
        let rows = |one: &Credential, method: &AuthMethod, busy| {
            let rows = endings(one, Some(method), busy).into_iter();
            rows.map(|row| {
                format!(
                    "{} {} {}{}",
                    row.what,
                    (row.at.as_second() - now().as_second()) / 86_400,
                    row.known_from,
                    if row.automatic { " auto" } else { "" }
                )
            })
            .collect::<Vec<_>>()
        };
        let plain = method(Lifetime::default());
        assert_eq!(rows(&one, &plain, true), ["access_token 1 vendor auto", "refresh_token 90 vendor", "secret 30 typed"]);
        one.known.assumed = vec!["refresh_token".to_owned()];
        assert_eq!(rows(&one, &plain, true)[1], "refresh_token 90 lifetime auto");
        assert_eq!(rows(&one, &plain, false)[1], "refresh_token 90 lifetime", "nobody uses it, so it ends unused");
        let absolute = method(Lifetime { absolute: Some("365d".to_owned()), ..Lifetime::default() });
        assert_eq!(rows(&one, &absolute, true)[1], "refresh_token 90 lifetime");
        one.known.ends = vec![End { what: "secret".to_owned(), field: "client_secret".to_owned(), at: days(20), known_from: "vendor".to_owned() }];
        assert_eq!(rows(&one, &plain, true)[2..], ["secret 20 vendor"], "what was read wins over what was typed");
        one.known.ends[0].known_from = "guess".to_owned();
        assert_eq!(rows(&one, &plain, true)[2..], ["secret 30 typed"], "and that over a guess");
        one.secret_expires = None;
        assert_eq!(rows(&one, &plain, true)[2..], ["secret 20 guess"]);
        let mut key = credential();
        key.known.secret_since = Some(days(-100));
        let year = method(Lifetime { secret: Some("365d".to_owned()), ..Lifetime::default() });
        assert_eq!((rows(&key, &plain, true), rows(&key, &year, true)), (vec![], vec!["secret 265 lifetime".to_owned()]));
        key.secret_expires = Some(days(3));
        assert_eq!(rows(&key, &year, true), ["secret 3 typed"]);
    }

    #[test]
    fn what_ends_soon_is_told_apart_from_what_has_ended() {
        use CredentialStatus::{Expired, Expiring, NeedsConsent, Refused, Untested, Valid};
        let status = |one: &Credential, busy| status_at(one, &endings(one, Some(&method(Lifetime::default())), busy), now(), days(14));
        let with = |change: &dyn Fn(&mut Credential)| {
            let mut one = credential();
            change(&mut one);
            one
        };
        for (in_days, before, after) in [
            (15, Valid, Valid),
            (13, Valid, Expiring),
            (-1, Valid, Expired),
            (-1, Refused, Refused),
            (3, Untested, Untested),
            (3, NeedsConsent, NeedsConsent),
        ] {
            let one = with(&|one| (one.secret_expires, one.status) = (Some(days(in_days)), before));
            assert_eq!(status(&one, false), after, "{in_days}");
        }
        let refreshed = with(&|one| (one.access_expires, one.refreshes) = (Some(days(-1)), true));
        assert_eq!(status(&refreshed, false), Valid);
        assert_eq!(status(&with(&|one| one.access_expires = Some(days(-1))), false), Expired);
        let sliding = with(&|one| {
            (one.refresh_expires, one.refreshes) = (Some(days(7)), true);
            one.known.assumed = vec!["refresh_token".to_owned()];
        });
        assert_eq!((status(&sliding, true), status(&sliding, false)), (Valid, Expiring));
        let certificate = |at| End { what: "certificate".to_owned(), field: "certificate".to_owned(), at, known_from: "token".to_owned() };
        assert_eq!(status(&with(&|one| one.known.ends = vec![certificate(days(5))]), false), Expiring);
        assert_eq!(status(&with(&|one| one.known.ends = vec![certificate(days(-5))]), false), Expired);
    }
}
