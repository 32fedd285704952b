//! The practice vendor's web pages. Each says what it is.

use crate::t;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem;color:#1b2430;background:#f6f7f9}\
main{background:#fff;border:1px solid #d8dde4;border-radius:8px;padding:1.5rem 2rem}h1{font-size:1.3rem}\
.practice{background:#fff4d6;border:1px solid #e6c35c;border-radius:6px;padding:.4rem .8rem;font-size:.9rem}\
code{background:#eef1f4;padding:0 .3em;border-radius:3px;overflow-wrap:anywhere}li{margin:.2rem 0}\
button{font:inherit;padding:.5rem 1.2rem;border-radius:6px;border:1px solid #8a94a3;background:#fff;cursor:pointer;margin-right:.6rem}\
button.yes{background:#1f5f8b;border-color:#1f5f8b;color:#fff}button:focus-visible{outline:3px solid #7fb4d9}\
@media(prefers-color-scheme:dark){body{background:#14181d;color:#e3e7ec}main{background:#1c2229;border-color:#333c47}\
.practice{background:#3a3115;border-color:#7a6424}code{background:#2a323c}button{background:#2a323c;color:inherit}}";

/// Text in HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn page(title: &str, inside: &str) -> String {
    let (title, note) = (escaped(title), escaped(t!("practice.page.note")));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main><p class=\"practice\">{note}</p><h1>{title}</h1>{inside}</main></body></html>\n"
    )
}

pub fn welcome(base_url: &str) -> String {
    page(t!("practice.page.welcome"), &format!("<p>{}</p><p><code>{}</code></p>", escaped(t!("practice.page.about")), escaped(base_url)))
}

/// Asks for consent.
pub fn consent(client: &str, scopes: &[String], goes_to: &str, ticket: &str) -> String {
    let list: String = scopes.iter().map(|scope| format!("<li><code>{}</code></li>", escaped(scope))).collect();
    let rights = if scopes.is_empty() { String::new() } else { format!("<p>{}</p><ul>{list}</ul>", escaped(t!("practice.page.rights"))) };
    page(
        &t!("practice.page.ask", client = client),
        &format!(
            "{rights}<p>{}</p><p><code>{}</code></p><form method=\"post\" action=\"/oauth/authorize\">\
             <input type=\"hidden\" name=\"ticket\" value=\"{}\">\
             <button class=\"yes\" id=\"approve\" name=\"decision\" value=\"approve\">{}</button>\
             <button id=\"refuse\" name=\"decision\" value=\"refuse\">{}</button></form>",
            escaped(t!("practice.page.goes_to")),
            escaped(goes_to),
            escaped(ticket),
            escaped(t!("practice.page.approve")),
            escaped(t!("practice.page.refuse")),
        ),
    )
}

/// Where a device code is typed.
pub fn device_code(wrong: Option<&str>) -> String {
    let wrong = wrong.map(|text| format!("<p id=\"reason\">{}</p>", escaped(text))).unwrap_or_default();
    page(
        t!("practice.device.title"),
        &format!(
            "{wrong}<form method=\"get\" action=\"/device\"><p><label for=\"user_code\">{}</label></p>\
             <p><input id=\"user_code\" name=\"user_code\" autocomplete=\"off\" autocapitalize=\"characters\" required autofocus></p>\
             <button class=\"yes\" id=\"next\">{}</button></form>",
            escaped(t!("practice.device.label")),
            escaped(t!("practice.device.next")),
        ),
    )
}

/// Asks for consent to what a device wants. The code is shown so that it can be compared (RFC 8628 §3.3.1).
pub fn device(client: &str, scopes: &[String], code: &str) -> String {
    let list: String = scopes.iter().map(|scope| format!("<li><code>{}</code></li>", escaped(scope))).collect();
    let rights = if scopes.is_empty() { String::new() } else { format!("<p>{}</p><ul>{list}</ul>", escaped(t!("practice.page.rights"))) };
    page(
        &t!("practice.page.ask", client = client),
        &format!(
            "{rights}<p>{}</p><p><code id=\"code\">{}</code></p><form method=\"post\" action=\"/device\">\
             <input type=\"hidden\" name=\"user_code\" value=\"{}\">\
             <button class=\"yes\" id=\"approve\" name=\"decision\" value=\"approve\">{}</button>\
             <button id=\"refuse\" name=\"decision\" value=\"refuse\">{}</button></form>",
            escaped(t!("practice.device.compare")),
            escaped(code),
            escaped(code),
            escaped(t!("practice.page.approve")),
            escaped(t!("practice.page.refuse")),
        ),
    )
}

/// The decision about a device is known.
pub fn device_done(approved: bool) -> String {
    let (title, text) = if approved {
        (t!("practice.device.allowed"), t!("practice.device.back"))
    } else {
        (t!("practice.device.refused"), t!("practice.device.nothing"))
    };
    page(title, &format!("<p id=\"outcome\">{}</p>", escaped(text)))
}

/// Something is wrong with the request, and the browser cannot be sent anywhere.
pub fn refused(reason: &str) -> String {
    page(t!("practice.page.stopped"), &format!("<p id=\"reason\">{}</p>", escaped(reason)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_gets_out_of_its_place() {
        let html = super::consent("<script>alert(1)</script>", &["\"><b>".to_owned()], "http://127.0.0.1/'x", "t\"");
        assert!(!html.contains("<script>") && !html.contains("<b>") && !html.contains("t\"\""), "{html}");
    }
}
