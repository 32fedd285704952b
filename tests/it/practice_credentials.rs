//! The practice vendor's own connector, by each of its methods.

use intertie::model::{CredentialDraft, CredentialStatus, ProblemKind, Secret, Sink};
use intertie::ops::{Config, Workspace, credentials};
use intertie::practice::{self, Practice};

async fn stage() -> (Practice, tempfile::TempDir, Workspace) {
    let practice = practice::start(practice::Options::default()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
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
