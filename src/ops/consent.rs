//! Consent: what a person needs to see, and the wait for the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::credentials::draft::{as_credential, kept, no_draft, refuse_errors};
use super::credentials::method_of;
use super::{Result, Workspace};
use crate::auth::home::{self, Home};
use crate::auth::redirect_doctor::{self, Mismatch};
use crate::auth::{browser, consent, registration, subject};
use crate::model::{Connector, CredentialDraft, Loopback, Problem, Sink, Time};
use crate::store::credentials::KeptDraft;
use crate::words::clean;

/// What the person needs to see to give consent.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ConsentView {
    /// What to open; with a device code alone, the page where it is typed.
    pub authorize_url: String,
    /// When the address ends before the wait does; the next one is reported to the sink of `finish`.
    pub authorize_url_expires: Option<Time>,
    /// Empty where nothing is redirected.
    pub redirect_uri: String,
    /// The tunnel for this host, when in an SSH session: `ssh -L 53417:127.0.0.1:53417 ada@admin01`.
    pub ssh_line: Option<String>,
    /// Whether a browser can probably be opened here.
    pub browser_here: bool,
    /// Whether the loopback listener is up; when not, the answer has to be pasted.
    pub listening: bool,
    /// The route without a redirect (RFC 8628), where the method has it: it runs beside the others.
    pub device: Option<DeviceView>,
    /// For `intertie authorize REQUEST` on another machine; holds no secret. `None` for a method without a redirect.
    pub request: Option<String>,
    pub expires: Time,
}

/// A code that a person types elsewhere (RFC 8628 §3.2).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DeviceView {
    pub user_code: String,
    pub verification_uri: String,
    /// With the code in it, for a QR code or a link. The person still compares the code (RFC 8628 §5.4).
    pub verification_uri_complete: Option<String>,
    pub expires: Time,
}

/// A consent under way: a loopback listener, a pasted answer and a device code race; the first valid answer wins, and the others end.
/// Dropping it stops them all.
pub struct Consent {
    pub view: ConsentView,
    begun: consent::Begun,
    /// An answer that was offered is the one that counts.
    offered: AtomicBool,
}

/// By which way the answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// A browser reached the listener.
    Browser,
    /// A person pasted it, or brought it back from another machine.
    Pasted,
    /// The code was typed elsewhere.
    Device,
}

impl Consent {
    /// Offers pasted text: the whole redirected URL, its query, or a bare code. An invalid answer says what is wrong with it and leaves
    /// the wait as it was. A refusal is a valid answer: `finish` tells it.
    pub fn offer(&self, pasted: &str) -> Result<()> {
        self.begun.offer(pasted)?;
        self.offered.store(true, Ordering::Release);
        Ok(())
    }

    /// By which way the answer came, once `finish` has returned.
    #[must_use]
    pub fn route(&self) -> Route {
        if self.offered.load(Ordering::Acquire) { Route::Pasted } else { Route::Browser }
    }

    /// The address that takes the place of `shown`, once that has ended because its request was pushed (RFC 9126), and when it ends itself.
    /// Waits for it, for ever where there is none; to be asked beside `finish`.
    pub async fn renewed(&self, shown: &str) -> (String, Time) {
        self.begun.renewed(shown).await
    }

    /// Waits for the first valid answer, redeems it, and keeps the tokens in the vault under the draft's id. Requests that are no valid
    /// answer are reported to the sink, and the wait goes on.
    pub async fn finish(&self, ws: &Workspace, sink: &Sink) -> Result<()> {
        let _ = ws;
        self.begun.finish(sink).await
    }
}

/// The redirect URI to register at the vendor for this draft, where its method sends a person to a browser.
#[must_use]
pub fn redirect_uri(connector: &Connector, draft: &CredentialDraft) -> Option<RedirectUri> {
    let method = connector.auth.get(&draft.method).filter(|method| method.redirects())?;
    let setting = draft.settings.get(subject::REDIRECT_URI).map(String::as_str).filter(|uri| !uri.is_empty());
    if setting.is_none() && consent::out_of_band(method) {
        return None;
    }
    let vendor = clean::line(&connector.name, 80);
    Some(RedirectUri {
        uri: consent::registered(&method.redirect, setting),
        any_port: setting.is_none() && method.redirect.loopback == Loopback::AnyPort && method.redirect.port.is_none(),
        rule: redirect_doctor::rule(&method.redirect, &vendor),
        breaks: setting.and_then(|setting| redirect_doctor::breaks(&method.redirect, &vendor, setting)),
    })
}

/// What has to be registered at the vendor.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RedirectUri {
    pub uri: String,
    /// The vendor accepts every port on it (RFC 8252 §7.3).
    pub any_port: bool,
    /// The vendor's rule, in words.
    pub rule: String,
    /// Why the person's own setting cannot work, or breaks the rule.
    pub breaks: Option<Problem>,
}

/// Reads what a vendor says about a redirect URI that it refused: the text of its page, or its error. `None`: it speaks of something else.
/// `sent`: the redirect URI of the request, as in [`ConsentView`].
#[must_use]
pub fn redirect_mismatch(vendor: &str, sent: &str, text: &str) -> Option<Mismatch> {
    redirect_doctor::mismatch(vendor, sent, text)
}

/// Whether this draft's method needs a person's consent before it can be tested: it does until consent was given.
pub fn needs_consent(ws: &Workspace, draft: &CredentialDraft) -> Result<bool> {
    let connector = ws.catalog().get(&draft.connector)?;
    if !method_of(&connector, &draft.method)?.needs_consent() || consent::given(ws.vault(), &draft.id)? {
        return Ok(false);
    }
    // Another host may have been consented to, and share its tokens.
    let setting = draft.settings.get(home::TOKENS_IN).map(|setting| setting.trim()).filter(|setting| !setting.is_empty());
    if setting.is_none() || draft.replaces.is_some() {
        return Ok(true);
    }
    let shared = Home::of(ws.store()?, ws.vault(), &draft.id, setting, indexmap::IndexMap::new()).and_then(|home| home.load_now());
    // A store that does not answer is named when the consent is begun.
    Ok(shared.map_or(true, |held| held.tokens.is_none()))
}

/// Starts listening, asks for a device code where there is one, and makes the authorization URL (state, PKCE). Where nobody gave a client id
/// and the server registers clients (RFC 7591), it registers one first. Nothing is opened. A consent of the same draft that was begun in the
/// last minutes and lost is taken up again: its address and its answers stay valid.
pub async fn consent_begin(ws: &Workspace, draft: &str) -> Result<Consent> {
    let kept = kept(ws, draft)?;
    refuse_errors(ws, &kept.draft)?;
    if let Some(place) = home::named(&kept.draft.settings)? {
        // Tokens that cannot be kept where they should be are better not asked for.
        home::reachable(&place).await?;
    }
    let subject = registered(ws, kept).await?;
    let begun = consent::begin(Arc::clone(ws.store()?), Arc::clone(ws.vault()), subject).await?;
    let view = ConsentView {
        authorize_url: begun.authorize_url.clone(),
        authorize_url_expires: begun.authorize_url_expires,
        redirect_uri: begun.redirect_uri.clone(),
        ssh_line: begun.port.and_then(browser::ssh_line),
        browser_here: browser::here(),
        listening: begun.port.is_some(),
        device: begun.device.as_ref().map(|code| DeviceView {
            user_code: code.user_code.clone(),
            verification_uri: code.verification_uri.clone(),
            verification_uri_complete: code.verification_uri_complete.clone(),
            expires: code.expires,
        }),
        request: begun.request.clone(),
        expires: begun.expires,
    };
    Ok(Consent { view, begun, offered: AtomicBool::new(false) })
}

/// What is known of a draft, its client registered where it has none and the server makes one (RFC 7591). The client id becomes a setting of
/// the draft; the secret goes to the vault.
pub(in crate::ops) async fn registered(ws: &Workspace, before: KeptDraft) -> Result<subject::Subject> {
    let id = before.draft.id.clone();
    let load = |kept: &KeptDraft| subject::Subject::load(ws.vault(), ws.catalog(), &as_credential(ws, kept, &id));
    let subject = load(&before)?;
    let Some(client) = registration::register(&subject).await? else { return Ok(subject) };
    ws.vault().put(&id, registration::FIELD, &client.management)?;
    if let Some(secret) = &client.client_secret {
        ws.vault().put(&id, registration::CLIENT_SECRET, secret)?;
    }
    let changed = ws.store()?.change_credential_draft(&id, |kept| {
        kept.draft.settings.insert(registration::CLIENT_ID.to_owned(), client.client_id.clone());
        kept.draft.secrets.retain(|known| known != registration::CLIENT_SECRET);
        if client.client_secret.is_some() {
            kept.draft.secrets.push(registration::CLIENT_SECRET.to_owned());
            kept.standing.secret_expires = client.secret_expires;
        }
        kept.clone()
    })?;
    load(&changed.ok_or_else(|| no_draft(&id))?)
}

/// Opens the person's browser (`$BROWSER` first). `Err` says that none could be opened.
pub fn open_browser(url: &str) -> Result<()> {
    browser::open(url)
}
