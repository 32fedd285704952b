//! What went wrong with a mail server, for people: what it said, what that means, and what to do.

use super::{Server, Trouble};
use crate::model::Problem;
use crate::vendor::client::Login;
use crate::words::clean;
use crate::{problem, t};

/// What a refusal of an account is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    AppPassword,
    WebLogin,
    BasicOff,
    SendingOff,
    NotConnected,
    Expired,
    WantsTls,
    Busy,
    Account,
}

pub(super) fn problem(trouble: &Trouble, vendor: &str, server: &Server, login: Option<&Login>) -> Problem {
    let host = clean::line(&format!("{}:{}", server.host, server.port), 200);
    let protocol = if server.smtp { "SMTP" } else { "IMAP" };
    let said = |words: &str| {
        let words = clean::line(words.trim(), 250);
        if words.is_empty() { t!("mail.no_words").to_owned() } else { words }
    };
    match trouble {
        Trouble::Unreachable(reason) => problem!(Failed, "mail.unreachable", vendor = vendor, host = host, reason = clean::line(reason, 200)),
        Trouble::Silent => problem!(Failed, "mail.silent", vendor = vendor, host = host, protocol = protocol),
        Trouble::Certificate(reason) => problem!(Failed, "mail.certificate", vendor = vendor, host = host, reason = clean::line(reason, 250)),
        Trouble::NotTls => problem!(Failed, "mail.not_tls", vendor = vendor, host = host),
        Trouble::Tls(reason) => problem!(Failed, "mail.tls", vendor = vendor, host = host, reason = clean::line(reason, 200)),
        Trouble::NoTls => problem!(Failed, "mail.no_tls", vendor = vendor, host = host),
        Trouble::NotMail(line) => problem!(Failed, "mail.not_mail", vendor = vendor, host = host, protocol = protocol, line = said(line)),
        Trouble::Bye(words) => problem!(Failed, "mail.bye", vendor = vendor, host = host, reason = said(words)),
        Trouble::Cut => problem!(Failed, "mail.cut", vendor = vendor, host = host),
        Trouble::Flood => problem!(Failed, "mail.flood", vendor = vendor, host = host),
        Trouble::Nonsense(line) => problem!(Failed, "mail.nonsense", vendor = vendor, host = host, protocol = protocol, line = said(line)),
        Trouble::Stopped => problem!(Failed, "mail.nonsense", vendor = vendor, host = host, protocol = protocol, line = said("")),
        Trouble::NoWay(offered) => {
            let offered = if offered.is_empty() { t!("mail.nothing").to_owned() } else { clean::line(offered, 200) };
            problem!(Failed, "mail.no_way", vendor = vendor, host = host, protocol = protocol, offered = offered)
        }
        Trouble::NoFolder { folder, said: words } => {
            problem!(Usage, "mail.no_folder", vendor = vendor, folder = clean::line(folder, 100), reason = said(words))
        }
        Trouble::LineBreak => problem!(Usage, "mail.line_break", vendor = vendor),
        Trouble::Busy(words) => problem!(Failed, "mail.busy", vendor = vendor, host = host, reason = said(words)),
        Trouble::Refused(words) => refused(words, vendor, server, login, &host, &said(words)),
    }
}

fn refused(words: &str, vendor: &str, server: &Server, login: Option<&Login>, host: &str, reason: &str) -> Problem {
    let Some(login) = login else {
        return problem!(Failed, "mail.refused", vendor = vendor, host = host, reason = reason);
    };
    match refusal(words, server, login) {
        Refusal::AppPassword => problem!(PersonMustAct, "mail.app_password", vendor = vendor, host = host, reason = reason),
        Refusal::WebLogin => problem!(PersonMustAct, "mail.web_login", vendor = vendor, host = host, reason = reason),
        Refusal::BasicOff => problem!(PersonMustAct, "mail.basic_off", vendor = vendor, host = host, reason = reason),
        Refusal::SendingOff => problem!(PersonMustAct, "mail.sending_off", vendor = vendor, host = host, reason = reason),
        Refusal::NotConnected => problem!(PersonMustAct, "mail.not_connected", vendor = vendor, host = host, reason = reason),
        Refusal::Expired => problem!(PersonMustAct, "mail.expired", vendor = vendor, host = host, reason = reason),
        Refusal::WantsTls => problem!(Failed, "mail.wants_tls", vendor = vendor, host = host, reason = reason),
        Refusal::Busy => problem!(Failed, "mail.busy", vendor = vendor, host = host, reason = reason),
        Refusal::Account if login.is_token() => problem!(PersonMustAct, "mail.token", vendor = vendor, host = host, reason = reason),
        Refusal::Account => problem!(PersonMustAct, "mail.password", vendor = vendor, host = host, reason = reason),
    }
}

fn refusal(words: &str, server: &Server, login: &Login) -> Refusal {
    let low = words.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| low.contains(part));
    let microsoft = [".office365.com", ".outlook.com", ".office.com"].iter().any(|end| server.host.to_ascii_lowercase().ends_with(end));
    if has(&["application-specific password", "app password", "app-specific password"]) {
        // support.google.com/accounts/answer/185833; others say it in similar words.
        Refusal::AppPassword
    } else if has(&["webalert", "web login required", "log in via your web browser"]) {
        Refusal::WebLogin
    } else if has(&["smtpclientauthentication is disabled"]) {
        // learn.microsoft.com, exchange/clients-and-mobile-in-exchange-online/authenticated-client-smtp-submission.
        Refusal::SendingOff
    } else if has(&["basic authentication is disabled", "basicauthblocked"]) {
        Refusal::BasicOff
    } else if has(&["authenticated but not connected"]) {
        Refusal::NotConnected
    } else if has(&["[expired]", "password has expired", "password expired"]) {
        // RFC 5530 §3.
        Refusal::Expired
    } else if has(&["[privacyrequired]", "must issue a starttls", "encryption required", "plaintext authentication disallowed"])
        || low.starts_with("538")
    {
        // RFC 5530 §3; RFC 4954 §6, RFC 3207 §4.
        Refusal::WantsTls
    } else if has(&["[unavailable]", "[limit]", "[inuse]", "[serverbug]", "too many"]) {
        Refusal::Busy
    } else if microsoft && !login.is_token() {
        // Exchange Online says no more than `LOGIN failed`: since 2022 it takes no password over IMAP at all (learn.microsoft.com,
        // exchange/clients-and-mobile-in-exchange-online/deprecation-of-basic-authentication-exchange-online).
        Refusal::BasicOff
    } else {
        Refusal::Account
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ProblemKind, Secret};

    #[test]
    fn refusals_are_told_apart() {
        let password = Login::Password { user: "u".to_owned(), secret: Secret::new("p") };
        let token = Login::Token { user: "u".to_owned(), secret: Secret::new("t") };
        #[rustfmt::skip]
        let table = [
            ("imaps://imap.gmail.com", &password, "[ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)", Refusal::AppPassword),
            ("smtps://smtp.gmail.com", &password, "534 5.7.9 Application-specific password required. For more information, go to", Refusal::AppPassword),
            ("imaps://imap.gmail.com", &password, "[WEBALERT https://accounts.google.com/signin/continue?x] Web login required.", Refusal::WebLogin),
            ("imaps://imap.gmail.com", &password, "[AUTHENTICATIONFAILED] Invalid credentials (Failure)", Refusal::Account),
            ("imaps://outlook.office365.com", &password, "LOGIN failed.", Refusal::BasicOff),
            ("imaps://outlook.office365.com", &token, "AUTHENTICATE failed.", Refusal::Account),
            ("imaps://outlook.office365.com", &token, "User is authenticated but not connected.", Refusal::NotConnected),
            ("smtp://smtp.office365.com", &password, "535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [X.PROD.OUTLOOK.COM]", Refusal::BasicOff),
            ("smtp://smtp.office365.com", &token, "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.", Refusal::SendingOff),
            ("imap://mail.example.com", &password, "[PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.", Refusal::WantsTls),
            ("smtp://mail.example.com", &password, "530 5.7.0 Must issue a STARTTLS command first", Refusal::WantsTls),
            ("smtp://mail.example.com", &password, "538 5.7.11 Encryption required for requested authentication mechanism", Refusal::WantsTls),
            ("imaps://mail.example.com", &password, "[EXPIRED] Password expired", Refusal::Expired),
            ("imaps://mail.example.com", &password, "[UNAVAILABLE] Temporary authentication failure.", Refusal::Busy),
            ("imaps://mail.example.com", &password, "[AUTHENTICATIONFAILED] Authentication failed.", Refusal::Account),
        ];
        for (address, login, words, wanted) in table {
            let server = Server::parse(address).unwrap();
            assert_eq!(refusal(words, &server, login), wanted, "{words}");
            let problem = problem(&Trouble::Refused(words.to_owned()), "Mail", &server, Some(login));
            assert!(problem.why.contains(words.split(' ').next_back().unwrap()) && !problem.next_step.is_empty(), "{problem:?}");
            let person = !matches!(wanted, Refusal::WantsTls | Refusal::Busy);
            assert_eq!(problem.kind == ProblemKind::PersonMustAct, person, "{words}");
        }
    }
}
