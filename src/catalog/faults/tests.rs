//! Each kind of method, whole and with something missing.

use std::path::Path;

use crate::catalog::Catalog;

fn faults(text: &str) -> Vec<String> {
    let path = |path: &str| if path.contains("..") || path.is_empty() { Err("no path".to_owned()) } else { Ok(()) };
    let found = Catalog::open(Path::new("/nonexistent")).check(text, "acme", &path);
    assert!(found.iter().all(|fault| !fault.mend.is_empty() && !fault.mend.contains('{') && fault.line > 0), "{found:#?}");
    found.into_iter().map(|fault| fault.what).collect()
}

fn input(key: &str) -> String {
    format!("{{ key = \"{key}\", label = \"L\", help = \"H.\" }}")
}

fn secret(key: &str) -> String {
    format!("{{ key = \"{key}\", label = \"L\", help = \"H.\", secret = true }}")
}

/// A definition with one method.
fn acme(method: &str, inputs: &[String]) -> String {
    format!(
        "schema = 1\nid = \"acme\"\nname = \"Acme\"\n[auth.it]\nname = \"It\"\ninput = [{}]\n{method}\n[request]\nbase_url = \"https://a.example\"\n\
         [[check]]\npath = \"/me\"\nproves = \"It works.\"\n\
         [[resource]]\nid = \"users\"\nname = \"Users\"\nkind = \"users\"\npath = \"/users\"\nkey = \"id\"\nfield = [{{ path = \"id\", label = \"Id\" }}]\n",
        inputs.join(", ")
    )
}

#[test]
fn what_a_mailbox_needs() {
    let mailbox = |method: &str, base: &str, check: &str, resource: &str| {
        format!(
            "schema = 1\nid = \"acme\"\nname = \"Acme\"\n[auth.it]\nname = \"It\"\n{method}\n[request]\nbase_url = \"{base}\"\n\
             [[check]]\npath = \"INBOX\"\n{check}\nproves = \"It works.\"\n\
             [[resource]]\nid = \"messages\"\nname = \"M\"\nkind = \"other\"\nformat = \"imap\"\npath = \"INBOX\"\nkey = \"id\"\n{resource}\n\
             field = [{{ path = \"id\", label = \"Id\" }}]\n"
        )
    };
    let basic = format!("kind = \"basic\"\ninput = [{}, {}]", input("username"), secret("password"));
    let app =
        format!("kind = \"client_credentials\"\ntoken_url = \"https://a.example/t\"\ninput = [{}, {}]", input("client_id"), secret("client_secret"));
    let named = format!("{app}\nusername = \"ada@a.example\"");
    let key = format!("kind = \"api_key\"\ninput = [{}]", secret("api_key"));
    let (imaps, smtp) = ("imaps://a.example", "query = { smtp = \"smtp://a.example\" }");
    // method, base URL, check, resource, the fault's words; none when all is well
    #[rustfmt::skip]
    let cases = [
        (&basic, imaps, smtp, "changed = { since = \"{{ since_date }}\" }", ""),
        (&basic, "imap://{{ input.username }}", "", "records = \"folders\"", ""),
        (&basic, "{{ input.username }}://a.example", "", "", ""),
        (&named, imaps, "", "records = \"messages\"", ""),
        (&app, imaps, "", "", "whose mailbox"),
        (&key, imaps, "", "", "cannot be signed in to"),
        (&basic, "https://a.example", "", "", "no address of a mail server"),
        (&basic, "smtps://a.example", "", "", "no address of a mail server"),
        (&basic, "pop3s://a.example", "", "", "pop3s"),
        (&basic, imaps, "query = { smtp = \"https://a.example\" }", "", "sending server"),
        (&basic, imaps, "query = { filter = \"x\" }", "", "filter"),
        (&basic, imaps, "", "records = \"bodies\"", "bodies"),
        (&basic, imaps, "", "query = { unseen = \"1\" }", "unseen"),
    ];
    for (method, base, check, resource, words) in cases {
        let found = faults(&mailbox(method, base, check, resource));
        let right = if words.is_empty() { found.is_empty() } else { found.iter().any(|what| what.contains(words)) };
        assert!(right, "{base} {check} {resource}: {words}: {found:#?}");
    }
}

#[test]
fn what_each_kind_needs() {
    let client = || vec![input("client_id"), secret("client_secret")];
    let token = "token_url = \"https://a.example/t\"";
    let authorize = "authorize_url = \"https://a.example/a\"";
    let issuer = "issuer = \"https://a.example\"";
    let key = || vec![input("client_id"), secret("private_key")];
    let jwt = "jwt = { alg = \"RS256\", claims = { iss = \"{{ input.client_id }}\", sub = \"{{ key_fingerprint }}\" } }";
    let sigv4 = "sigv4 = { service = \"iam\", region = \"us-east-1\" }";
    let legs = "oauth1 = { request_url = \"https://a.example/r\" }";
    let login = "step = [{ url = \"/login\", json = { user = \"{{ input.user }}\" }, save = { ticket = \"a.b\" } },\n\
                 { url = \"/token\", form = { ticket = \"{{ step.ticket }}\" }, save = { access = \"header:X-Token\" } }]";
    // kind, tables, inputs, the fault's words; none when all is well
    let cases: Vec<(&str, String, Vec<String>, &str)> = vec![
        ("oauth2_code", format!("{authorize}\n{token}"), client(), ""),
        ("oauth2_code", issuer.into(), client(), ""),
        ("oauth2_code", "metadata_url = \"https://a.example/.well-known/x\"".into(), client(), ""),
        ("oauth2_code", token.into(), client(), "authorize_url"),
        ("oauth2_code", format!("{authorize}\n{token}"), vec![secret("client_secret")], "client_id"),
        ("oauth2_code", format!("{authorize}\n{token}"), vec![input("client_id")], "client_secret"),
        ("oauth2_code", format!("{authorize}\n{token}\nregister_url = \"https://a.example/r\""), vec![], ""),
        ("oauth2_code", format!("{authorize}\n{token}\nclient_auth = \"none\""), vec![input("client_id")], ""),
        ("oauth2_code", format!("{authorize}\n{token}\nclient_auth = \"private_key_jwt\""), vec![input("client_id")], "private_key"),
        ("oauth2_code", format!("{authorize}\n{token}\nclient_auth = \"mtls\""), key(), "certificate"),
        ("oauth2_code", format!("{authorize}\ntoken_url = \"http://a.example/t\""), client(), "https"),
        ("oauth2_code", format!("{authorize}\n{token}\nparams = {{ pushed = {{ a = \"b\" }} }}"), client(), "pushed"),
        ("oauth2_code", format!("{authorize}\n{token}\nredirect = {{ host = \"a.example\" }}"), client(), "redirect"),
        ("oauth2_code", format!("{authorize}\n{token}\nrevokes_grant = true"), client(), ""),
        ("client_credentials", format!("{token}\nrevokes_grant = true"), client(), "revokes_grant"),
        ("oauth2_code", format!("{authorize}\n{token}\nresponse = {{ access = \"a | b..c\" }}"), client(), "b..c"),
        ("device", format!("device_url = \"https://a.example/d\"\n{token}"), client(), ""),
        ("device", token.into(), client(), "device_url"),
        ("client_credentials", token.into(), client(), ""),
        ("client_credentials", token.into(), vec![input("client_id")], "client_secret"),
        ("client_credentials", format!("{token}\nclient_auth = \"private_key_jwt\"\n{jwt}"), key(), ""),
        ("jwt_bearer", format!("{token}\n{jwt}"), key(), ""),
        ("jwt_bearer", token.into(), key(), "“jwt”"),
        ("jwt_bearer", jwt.into(), key(), "token_url"),
        ("signed_jwt", jwt.into(), key(), ""),
        ("signed_jwt", jwt.into(), vec![input("client_id"), input("private_key")], "private_key"),
        ("signed_jwt", "jwt = { alg = \"RS256\", claims = { a = \"{{ found.key.client_email }}\" } }".into(), key(), "found.key.client_email"),
        ("signed_jwt", "jwt = { alg = \"RS256\", key_member = \"k\", claims = { a = \"{{ found.key.client_email }}\" } }".into(), key(), ""),
        ("signed_jwt", "jwt = { alg = \"RS256\", header = { x5t = \"certificate\" } }".into(), key(), "certificate"),
        ("signed_jwt", "jwt = { alg = \"RS256\", ttl = \"soon\" }".into(), key(), "soon"),
        ("password", format!("{token}\nclient_auth = \"none\""), vec![input("username"), secret("password")], ""),
        ("password", token.into(), vec![input("username"), secret("password"), input("client_id")], "client_secret"),
        ("password", token.into(), vec![input("username"), input("password")], "password"),
        ("login", login.into(), vec![input("user")], ""),
        ("login", String::new(), vec![], "ends with a token"),
        ("login", "step = [{ url = \"/l\", save = { ticket = \"a\" } }]".into(), vec![], "ends with a token"),
        ("login", "step = [{ url = \"/{{ step.access }}\", save = { access = \"a\" } }]".into(), vec![], "step.access"),
        ("login", "step = [{ url = \"http://a.example/l\", save = { access = \"a\" } }]".into(), vec![], "https"),
        ("login", "step = [{ url = \"/l\", save = { access = \"regex:token=[a-z]+\" } }]".into(), vec![], "regex:"),
        ("login", "step = [{ url = \"/l\", save = { access = \"regex:token=([a-z]+)\" } }]".into(), vec![], ""),
        ("login", "step = [{ url = \"/l\", save = { access = \"cookie:\" } }]".into(), vec![], "cookie:"),
        ("login", "step = [{ url = \"/l\", text = \"x\", form = { a = \"b\" }, save = { access = \"text\" } }]".into(), vec![], "two bodies"),
        ("login", "step = [{ url = \"/l\", ok = \"header.x\", save = { access = \"text\" } }]".into(), vec![], "header.x"),
        (
            "login",
            "step = [{ url = \"/l\", save = { access = \"a\", refresh = \"b\" } }, { url = \"/r\", refresh = true, form = { t = \"{{ step.refresh }}\" }, save = { access = \"a\" } }]".into(),
            vec![],
            "",
        ),
        (
            "login",
            "step = [{ url = \"/l\", save = { access = \"a\" } }, { url = \"/r\", refresh = true, save = { access = \"a\" } }]".into(),
            vec![],
            "nothing to refresh",
        ),
        ("oauth1", String::new(), vec![input("consumer_key"), secret("consumer_secret"), input("token"), secret("token_secret")], ""),
        ("oauth1", String::new(), vec![input("consumer_key"), secret("consumer_secret"), input("token")], "token_secret"),
        ("oauth1", format!("{authorize}\n{token}\n{legs}"), vec![input("consumer_key"), secret("consumer_secret")], ""),
        ("oauth1", format!("{authorize}\n{legs}"), vec![input("consumer_key"), secret("consumer_secret")], "token_url"),
        ("oauth1", format!("{token}\n{issuer}\n{legs}"), vec![input("consumer_key"), secret("consumer_secret")], "authorize_url"),
        ("oauth1", format!("{authorize}\n{token}"), vec![input("consumer_key"), secret("consumer_secret")], "oauth1.request_url"),
        ("oauth1", format!("{authorize}\n{token}\n{legs}"), vec![input("consumer_key")], "consumer_secret"),
        ("aws_sigv4", sigv4.into(), vec![input("access_key_id"), secret("secret_access_key")], ""),
        ("aws_sigv4", String::new(), vec![input("access_key_id"), secret("secret_access_key")], "“sigv4”"),
        ("aws_sigv4", sigv4.into(), vec![input("access_key_id")], "secret_access_key"),
        ("mtls", String::new(), vec![input("certificate"), secret("private_key")], ""),
        ("mtls", String::new(), vec![input("certificate")], "private_key"),
        ("api_key", "placement = { header = \"X-Key\" }".into(), vec![secret("api_key")], ""),
        ("api_key", "placement = { header = \"X-Key\", query = \"key\" }".into(), vec![secret("api_key")], "several places"),
        ("api_key", "also = [{ header = \"X-App\", input = \"app\" }]".into(), vec![secret("api_key"), input("app")], ""),
        ("api_key", "also = [{ header = \"X-App\", input = \"app\" }]".into(), vec![secret("api_key")], "“app”"),
        ("api_key", "also = [{ header = \"X-App\" }]".into(), vec![secret("api_key")], "which input"),
        ("basic", "username = \"{{ input.email }}/token\"".into(), vec![input("email"), secret("password")], ""),
        ("basic", String::new(), vec![input("username")], "password"),
    ];
    for (kind, tables, inputs, words) in cases {
        let found = faults(&acme(&format!("kind = \"{kind}\"\n{tables}"), &inputs));
        if words.is_empty() {
            assert!(found.is_empty(), "{kind} {tables}: {found:#?}");
        } else {
            assert!(found.iter().any(|what| what.contains(words)), "{kind} {tables}: {words}: {found:#?}");
        }
    }
}

#[test]
fn lookups_and_scopes() {
    let discover =
        "[[auth.it.discover]]\nid = \"site\"\ntitle = \"Site\"\npath = \"https://a.example/sites\"\nvalue = \"id\"\nsave = { cloud = \"id\" }\n";
    let bearer = |rest: &str| {
        acme(&format!("kind = \"bearer\"\n{rest}"), &[secret("token"), input("site_url")])
            .replace("https://a.example\"", "https://a.example/{{ found.cloud }}\"")
    };
    assert_eq!(faults(&bearer(discover)), [] as [&str; 0]);
    assert!(faults(&bearer("")).iter().any(|what| what.contains("found.cloud")));
    for (more, words) in [
        ("choose = \"match\"", "belong together"),
        ("when = \"item.url == input.site_url\"", "belong together"),
        ("choose = \"match\"\nwhen = \"item.url == input.site_url\"", ""),
        ("choose = \"match\"\nwhen = \"body.url == 1\"", "body"),
        ("records = \"a..b\"", "a..b"),
        ("query = { q = \"{{ input.nothing }}\" }", "input.nothing"),
    ] {
        let found = faults(&bearer(&format!("{discover}{more}\n")));
        assert!(if words.is_empty() { found.is_empty() } else { found.iter().any(|what| what.contains(words)) }, "{more}: {found:#?}");
    }
    assert!(faults(&bearer(&format!("{discover}{discover}"))).iter().any(|what| what.contains("twice")));
    let scope = |more: &str| {
        let scopes = format!("scopes = {{ default = [\"r\"], catalog = [{{ id = \"r\", meaning = \"Reads.\", {more} }}] }}");
        faults(&acme(&format!("kind = \"bearer\"\n{scopes}"), &[secret("token")]))
    };
    assert_eq!(scope("resources = [\"users\"], fields = [\"users.id\"], implied_by = [\"w\"]"), [] as [&str; 0]);
    assert!(scope("resources = [\"groups\"]")[0].contains("groups"));
    assert!(scope("fields = [\"users.mail\"]")[0].contains("users.mail"));
    assert!(scope("implied_by = [\"\"]")[0].contains("implied_by"));
}

#[test]
fn requests_of_checks_and_resources() {
    let with = |from: &str, to: &str| {
        let text = acme("kind = \"bearer\"", &[secret("token")]);
        let other = text.replacen(from, to, 1);
        assert_ne!(text, other);
        faults(&other)
    };
    let users = "path = \"/users\"";
    for (to, words) in [
        ("path = \"/users\"\nmethod = \"POST\"\nbody = { page = { size = 10, filter = [\"{{ input.token }}\"] } }", ""),
        ("path = \"/users\"\nmethod = \"POST\"\nbody = { a = [\"{{ input.nothing }}\"] }", "input.nothing"),
        ("path = \"/users\"\nbody = { a = 1 }", "has a body"),
        ("path = \"/users\"\nmethod = \"POST\"\nbody = { a = 1 }\nform = { a = \"1\" }", "two bodies"),
        ("path = \"http://a.example/users\"", "https"),
        ("path = \"/users\"\nauth = [\"other\"]", "“other”"),
        ("path = \"/users\"\nheaders = { X = \"{{ input.nothing }}\" }", "input.nothing"),
        ("path = \"/users\"\npaging = { kind = \"cursor\", param = \"c\", next = \"n\", path = \"http://a.example/more\" }", "https"),
        ("path = \"/users\"\nmethod = \"POST\"\nbody = {}\npaging = { kind = \"cursor\", param = \"a..b\", next = \"n\" }", "a..b"),
    ] {
        let found = with(users, to);
        assert!(if words.is_empty() { found.is_empty() } else { found.iter().any(|what| what.contains(words)) }, "{to}: {found:#?}");
    }
    assert!(with("path = \"/me\"", "path = \"/me\"\nmethod = \"POST\"\nform = { a = \"{{ input.nothing }}\" }")[0].contains("input.nothing"));
    let rule = |rule: &str| with("[[check]]", &format!("[[error]]\naction = \"rate_limited\"\n{rule}\n[[check]]"));
    assert_eq!(rule("when = \"headers['x-left'] == '0'\"\nwait = \"body.seconds\""), [] as [&str; 0]);
    assert!(rule("when = \"status == 200\"\nwait = \"seconds\"")[0].contains("seconds"));
    assert!(with("[[check]]", "[text.fr]\n\"input.nothing.help\" = \"…\"\n[[check]]")[0].contains("input.nothing.help"));
}
