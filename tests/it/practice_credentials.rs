//! The practice vendor's own connector, by each of its methods.

use intertie::model::{CredentialDraft, CredentialStatus, ProblemKind, Secret, Sink};
use intertie::ops::{Config, Workspace, credentials};
use intertie::practice::{self, Practice};

async fn stage() -> (Practice, crate::searched::Place, Workspace) {
    let practice = practice::start(practice::Options::default()).await.unwrap();
    let dir = crate::searched::place();
    let ws = Workspace::open(dir.path(), Config::default());
    (practice, dir, ws)
}

fn draft(ws: &Workspace, practice: &Practice, method: &str) -> CredentialDraft {
    let mut draft = credentials::draft_new(ws, "practice-clickwrap", Some(method)).unwrap();
    draft.settings.insert("address".to_owned(), practice.base_url.clone());
    draft.settings.insert("client_id".to_owned(), practice::CLIENT_ID.to_owned());
    credentials::draft_save(ws, &draft).unwrap();
    credentials::draft_secret(ws, &draft.id, "client_secret", Secret::new(practice::CLIENT_SECRET)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_refresh_revocation_and_refusal() {
    let (practice, _dir, ws) = stage().await;
    let one = draft(&ws, &practice, "oauth2_code");
    let consent = credentials::consent_begin(&ws, &one.id).await.unwrap();
    consent.offer(&practice.consent(&consent.view.authorize_url, true).unwrap()).unwrap();
    consent.finish(&ws, &Sink::none()).await.unwrap();
    let outcome = credentials::draft_test(&ws, &one.id, &Sink::none()).await.unwrap();
    assert!(outcome.ok, "{:?}", outcome.problem);
    let credential = credentials::draft_finish(&ws, &one.id).unwrap();
    assert_eq!(credential.granted, ["members:read", "offline_access"]);
    assert!(credential.refreshes && credential.refresh_expires.is_some());

    practice.expire_access_tokens();
    assert!(credentials::test(&ws, &credential.id, &Sink::none()).await.unwrap().ok, "refreshed");
    practice.expire_access_tokens();
    assert!(credentials::test(&ws, &credential.id, &Sink::none()).await.unwrap().ok, "with the refresh token that rotated");
    practice.revoke_all();
    let problem = credentials::test(&ws, &credential.id, &Sink::none()).await.unwrap().problem.unwrap();
    assert_eq!(problem.kind, ProblemKind::PersonMustAct);
    assert_eq!(credentials::get(&ws, &credential.id).unwrap().status, CredentialStatus::NeedsConsent);

    let two = draft(&ws, &practice, "oauth2_code");
    let consent = credentials::consent_begin(&ws, &two.id).await.unwrap();
    consent.offer(&practice.consent(&consent.view.authorize_url, false).unwrap()).unwrap();
    let problem = consent.finish(&ws, &Sink::none()).await.unwrap_err();
    assert_eq!(problem.code.as_deref(), Some("access_denied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn client_id_and_secret() {
    let (practice, _dir, ws) = stage().await;
    let one = draft(&ws, &practice, "client_credentials");
    assert!(credentials::draft_test(&ws, &one.id, &Sink::none()).await.unwrap().ok);
    let credential = credentials::draft_finish(&ws, &one.id).unwrap();
    assert_eq!(credential.status, CredentialStatus::Valid);
    practice.expire_access_tokens();
    assert!(credentials::test(&ws, &credential.id, &Sink::none()).await.unwrap().ok);
    assert!(credentials::revoke(&ws, &credential.id).await.unwrap());
    assert!(credentials::test(&ws, &credential.id, &Sink::none()).await.unwrap().ok, "it gets another by itself");

    let wrong = draft(&ws, &practice, "client_credentials");
    credentials::draft_secret(&ws, &wrong.id, "client_secret", Secret::new("practice-Secret")).unwrap();
    let outcome = credentials::draft_test(&ws, &wrong.id, &Sink::none()).await.unwrap();
    assert_eq!(outcome.problem.unwrap().code.as_deref(), Some("invalid_client"));
}

#[tokio::test(flavor = "multi_thread")]
async fn device_code_by_its_page() {
    let (practice, _dir, ws) = stage().await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let one = draft(&ws, &practice, "device");
    let consent = credentials::consent_begin(&ws, &one.id).await.unwrap();
    let shown = consent.view.device.clone().unwrap();
    let page = http.get(shown.verification_uri_complete.unwrap()).send().await.unwrap().text().await.unwrap();
    assert!(page.contains(&shown.user_code) && page.contains("members:read"), "{page}");
    let form = |code: &str, decision: &str| {
        let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("user_code", code).append_pair("decision", decision).finish();
        http.post(&shown.verification_uri).header("content-type", "application/x-www-form-urlencoded").body(body).send()
    };
    assert_eq!(form("NOPE-NOPE", "approve").await.unwrap().status(), 404);
    assert_eq!(form(&shown.user_code, "approve").await.unwrap().status(), 200);
    assert_eq!(form(&shown.user_code, "refuse").await.unwrap().status(), 404, "decided already");
    consent.finish(&ws, &Sink::none()).await.unwrap();
    let outcome = credentials::draft_test(&ws, &one.id, &Sink::none()).await.unwrap();
    assert!(outcome.ok, "{:?}", outcome.problem);
    let credential = credentials::draft_finish(&ws, &one.id).unwrap();
    practice.expire_access_tokens();
    assert!(credentials::test(&ws, &credential.id, &Sink::none()).await.unwrap().ok, "refreshed");

    // Ended, and refused.
    let two = draft(&ws, &practice, "device");
    let consent = credentials::consent_begin(&ws, &two.id).await.unwrap();
    practice.expire_device_codes();
    let problem = consent.finish(&ws, &Sink::none()).await.unwrap_err();
    assert_eq!(problem.code.as_deref(), Some("expired_token"), "{problem:?}");
    let consent = credentials::consent_begin(&ws, &two.id).await.unwrap();
    assert!(practice.confirm_device(&consent.view.device.as_ref().unwrap().user_code, false));
    assert_eq!(consent.finish(&ws, &Sink::none()).await.unwrap_err().code.as_deref(), Some("access_denied"));
}

/// A device that is refused beside the other ways is a refusal; and a code that merely ended is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_code_beside_the_browser() {
    let (practice, _dir, ws) = stage().await;
    let one = draft(&ws, &practice, "oauth2_code");
    let consent = credentials::consent_begin(&ws, &one.id).await.unwrap();
    assert!(consent.view.authorize_url.contains("request_uri=") && consent.view.listening);
    assert!(practice.confirm_device(&consent.view.device.as_ref().unwrap().user_code, false));
    assert_eq!(consent.finish(&ws, &Sink::none()).await.unwrap_err().code.as_deref(), Some("access_denied"));

    let consent = credentials::consent_begin(&ws, &one.id).await.unwrap();
    practice.expire_device_codes();
    let told = std::sync::Arc::new(tokio::sync::Notify::new());
    let sink = {
        let told = told.clone();
        Sink::new(
            move |progress| {
                if progress.doing.contains("no device code") {
                    told.notify_one();
                }
            },
            Default::default(),
        )
    };
    let answer = async {
        told.notified().await;
        consent.offer(&practice.consent(&consent.view.authorize_url, true).unwrap()).unwrap();
    };
    let (outcome, ()) = tokio::join!(consent.finish(&ws, &sink), answer);
    outcome.unwrap();
    assert!(credentials::draft_test(&ws, &one.id, &Sink::none()).await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_registers_itself_is_taken_along() {
    let (practice, _dir, ws) = stage().await;
    let mut one = credentials::draft_new(&ws, "practice-clickwrap", Some("client_credentials")).unwrap();
    one.settings.insert("address".to_owned(), practice.base_url.clone());
    one.settings.insert("register_url".to_owned(), format!("{}/oauth/register", practice.base_url));
    credentials::draft_save(&ws, &one).unwrap();
    let outcome = credentials::draft_test(&ws, &one.id, &Sink::none()).await.unwrap();
    assert!(outcome.ok, "{:?}", outcome.problem);
    let credential = credentials::draft_finish(&ws, &one.id).unwrap();
    assert!(credential.settings["client_id"] != practice::CLIENT_ID && credential.secrets == ["client_secret"], "{credential:?}");
    practice.expire_access_tokens();
    assert!(credentials::test(&ws, &credential.id, &Sink::none()).await.unwrap().ok);
    // Another server knows nothing of that client.
    let mut renewal = credentials::renew(&ws, &credential.id).unwrap();
    renewal.settings.insert("register_url".to_owned(), format!("{}/other", practice.base_url));
    credentials::draft_save(&ws, &renewal).unwrap();
    assert!(!credentials::draft_get(&ws, &renewal.id).unwrap().settings.contains_key("client_id"));
}
