//! The page on which a browser ends, as headless Chromium shows it: styled, without a complaint, and without the code in the address bar.

use intertie::model::Sink;
use intertie::ops::credentials;

use crate::oidc::Stage;
use crate::peers::browse;

#[tokio::test(flavor = "multi_thread")]
async fn the_last_page_in_a_real_browser() {
    let stage = Stage::new();
    let ws = stage.workspace();
    for (how, decision, secret, heading, mark) in [
        ("done", "allow", "web-secret", "is connected", "rgb(26, 127, 75)"),
        ("refused", "deny", "web-secret", "refused", "rgb(161, 92, 0)"),
        ("failed", "allow", "not-the-secret", "", "rgb(179, 38, 30)"),
    ] {
        let draft = stage.draft(&ws, "code", "web", Some(secret));
        let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
        let url = consent.view.authorize_url.clone();
        let browser = tokio::task::spawn_blocking(move || browse(&url, decision));
        let finished = consent.finish(&ws, &Sink::none()).await;
        assert_eq!(finished.is_ok(), how == "done", "{how}: {finished:?}");
        let ended = browser.await.unwrap();
        // What the terminal says is what the page says.
        let heading = finished.err().filter(|_| heading.is_empty()).map_or(heading.to_owned(), |problem| problem.what);
        assert!(ended.heading.contains(&heading), "{how}: “{heading}” in “{}”", ended.heading);
        assert_eq!(ended.faults, Vec::<String>::new(), "{how}");
        let card = ended.card.unwrap();
        assert_eq!((card.radius.as_str(), card.mark.as_str()), ("10px", mark), "{how}: the style was not applied");
        // The script did its work: nothing of the answer is left to be seen or copied.
        assert_eq!((card.bar.as_str(), ended.url.as_str()), ("", consent.view.redirect_uri.as_str()), "{how}");
        assert!(!ended.text.contains("code=") && !ended.text.contains("history."), "{how}: {}", ended.text);
    }
}
