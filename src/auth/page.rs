//! What the browser ends on. Holds nothing secret: it stays in the browser's window, and perhaps in its cache.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::model::Problem;
use crate::t;

/// The page's own style and script, which the policy names by their hashes: nothing else is applied or run.
const STYLE: &str = include_str!("../../assets/oauth/page.css");
/// Takes the code out of the address bar, so that it is not shown, bookmarked or sent to somebody with the address.
const SCRIPT: &str = "history.replaceState(null,'',location.pathname)";

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
});

pub struct Page {
    status: StatusCode,
    /// Chooses the colour.
    class: &'static str,
    sign: &'static str,
    heading: String,
    text: String,
    next: String,
}

impl Page {
    fn new(status: StatusCode, (class, sign): (&'static str, &'static str), heading: &str, text: &str, next: &str) -> Self {
        Self { status, class, sign, heading: heading.to_owned(), text: text.to_owned(), next: next.to_owned() }
    }

    /// Consent was given, and the code was redeemed.
    pub fn done(vendor: &str) -> Self {
        let heading = t!("auth.page.done.heading", vendor = vendor);
        Self::new(StatusCode::OK, ("done", "✓"), &heading, t!("auth.page.done.text"), t!("auth.page.done.next"))
    }

    /// The code arrived; what comes of it is not known yet.
    pub fn received() -> Self {
        let (heading, text) = (t!("auth.page.received.heading"), t!("auth.page.received.text"));
        Self::new(StatusCode::OK, ("wait", "…"), heading, text, t!("auth.page.received.next"))
    }

    /// The answer was sealed for another machine.
    pub fn sealed(vendor: &str, host: &str) -> Self {
        let (heading, text) = (t!("auth.page.sealed.heading", vendor = vendor), t!("auth.page.sealed.text", host = host));
        Self::new(StatusCode::OK, ("done", "✓"), &heading, &text, t!("auth.page.sealed.next", host = host).as_str())
    }

    pub fn refused(problem: &Problem) -> Self {
        Self::new(StatusCode::OK, ("refused", "–"), &problem.what, &problem.why, t!("auth.page.refused.next"))
    }

    /// An answer that was valid and led to nothing.
    pub fn failed(problem: &Problem) -> Self {
        Self::new(StatusCode::OK, ("failed", "✕"), &problem.what, &problem.why, &problem.next_step)
    }

    /// An answer that is not the awaited one.
    pub fn rejected(problem: &Problem) -> Self {
        Self { status: StatusCode::BAD_REQUEST, ..Self::failed(problem) }
    }

    pub fn stray() -> Self {
        let (heading, text) = (t!("auth.page.stray.heading"), t!("auth.page.stray.text"));
        Self::new(StatusCode::NOT_FOUND, ("wait", "?"), heading, text, t!("auth.page.stray.next"))
    }

    fn html(&self) -> String {
        include_str!("../../assets/oauth/page.html")
            .replace("{style}", STYLE)
            .replace("{script}", SCRIPT)
            .replace("{class}", self.class)
            .replace("{sign}", self.sign)
            .replace("{title}", t!("auth.page.title"))
            .replace("{heading}", &escape(&self.heading))
            .replace("{text}", &escape(&self.text))
            .replace("{next}", &escape(&self.next))
    }

    pub fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.html())));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-store"),
            // The address of this page holds the code: it must not travel on.
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-opener-policy", "same-origin"),
            ("connection", "close"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(policy) = HeaderValue::from_str(&POLICY) {
            headers.insert("content-security-policy", policy);
        }
        response
    }
}

fn escape(text: &str) -> String {
    // Braces too, so that no text can name a place of the page.
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('{', "&#123;").replace('}', "&#125;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProblemKind;

    fn every() -> Vec<Page> {
        let problem = Problem::new(ProblemKind::Failed, "<script>alert(1)</script>", "{next} \"quoted\" & more", "n");
        vec![
            Page::done("Contoso"),
            Page::received(),
            Page::sealed("Contoso", "admin01"),
            Page::refused(&problem),
            Page::failed(&problem),
            Page::rejected(&problem),
            Page::stray(),
        ]
    }

    #[test]
    fn outside_text_stays_text() {
        let html = every()[4].html();
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script>alert") && html.contains("&#123;next&#125;"), "{html}");
    }

    #[test]
    fn no_place_is_left_empty_and_nothing_comes_from_elsewhere() {
        for page in every() {
            let html = page.html();
            for place in ["{style}", "{script}", "{class}", "{sign}", "{title}", "{heading}", "{text}"] {
                assert!(!html.contains(place), "{place}: {html}");
            }
            assert!(!html.contains("//") && !html.contains(" src=") && !html.contains("@import") && !html.contains("url("), "{html}");
        }
    }

    #[test]
    fn the_policy_names_what_the_page_holds() {
        // What a browser hashes is exactly what stands between the tags.
        let html = Page::stray().html();
        let inside = |open: &str, close: &str| html.split(open).nth(1).unwrap().split(close).next().unwrap().to_owned();
        let hash = |text: String| STANDARD.encode(Sha256::digest(text));
        let response = Page::stray().response();
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains(&format!("style-src 'sha256-{}'", hash(inside("<style>", "</style>")))), "{policy}");
        assert!(policy.contains(&format!("script-src 'sha256-{}'", hash(inside("<script>", "</script>")))), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(
            (response.headers()["cache-control"].as_bytes(), response.headers()["referrer-policy"].as_bytes()),
            (&b"no-store"[..], &b"no-referrer"[..])
        );
    }
}
