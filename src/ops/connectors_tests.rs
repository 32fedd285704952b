use super::*;
use crate::ops::Config;

fn workspace() -> (tempfile::TempDir, Workspace) {
    let dir = tempfile::tempdir().unwrap();
    let ws = Workspace::open(dir.path(), Config::default());
    (dir, ws)
}

#[test]
fn every_built_in_definition_passes_the_check() {
    let (_dir, ws) = workspace();
    assert_eq!(check(&ws, &[]).unwrap(), []);
}

#[test]
fn files_are_checked_with_their_name() {
    let (dir, ws) = workspace();
    let file = dir.path().join("acme.toml");
    std::fs::write(&file, "schema = 1\nid = \"acme\"\nname = \"Acme\"\n").unwrap();
    let faults = check(&ws, &[file.clone(), dir.path().join("absent.toml")]).unwrap();
    assert!(
        faults.iter().any(|fault| fault.file.ends_with("acme.toml")) && faults.iter().any(|fault| fault.file.ends_with("absent.toml")),
        "{faults:?}"
    );
    // Paths are judged by the one who reads them.
    std::fs::write(
        &file,
        "schema = 1\nid = \"acme\"\nname = \"Acme\"\n[auth.none]\nkind = \"none\"\nname = \"None\"\n[[check]]\npath = \"https://a.example\"\nproves = \"It answers.\"\n\
         [[resource]]\nid = \"users\"\nname = \"Users\"\nkind = \"users\"\npath = \"https://a.example\"\nkey = \"a[\"\n",
    )
    .unwrap();
    let faults = check(&ws, &[file]).unwrap();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].line, 15);
}

#[test]
fn search_finds_what_people_call_it() {
    let (_dir, ws) = workspace();
    let first = |query: &str| list(&ws, Some(query)).unwrap().first().map(|row| row.id.clone()).unwrap_or_default();
    for (query, id) in [
        ("clickwrap", "ironclad-clickwrap"),
        ("pactsafe", "ironclad-clickwrap"),
        ("icertis", "icertis"),
        ("entra", "microsoft-365"),
        ("github", "github"),
        ("gh", "github"),
        ("csv", "file"),
        ("scim", "scim"),
        ("zendesk", "zendesk"),
    ] {
        assert_eq!(first(query), id, "{query}");
    }
    assert_eq!(list(&ws, None).unwrap().len(), list(&ws, Some(" ")).unwrap().len());
}

#[test]
fn addresses_come_out_or_stay_templates() {
    let (_dir, ws) = workspace();
    let inputs = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<IndexMap<_, _>>();
    let open = resolved(&ws, "zendesk", &inputs(&[])).unwrap();
    assert_eq!(open["base_url"], "https://{{ input.subdomain }}.zendesk.com");
    let open = resolved(&ws, "microsoft-365", &inputs(&[])).unwrap();
    assert_eq!(open["token_url"], "https://login.microsoftonline.com/{{ input.tenant }}/oauth2/v2.0/token");
    assert_eq!(open["scopes"][0], "https://graph.microsoft.com/.default");
    let open = resolved(&ws, "icertis", &inputs(&[])).unwrap();
    assert_eq!(open["scopes"][0], "api://{{ input.client_id }}/.default");
    assert_eq!(resolved(&ws, "github", &inputs(&[])).unwrap()["base_url"], "https://api.github.com");
    assert_eq!(resolved(&ws, "file", &inputs(&[])).unwrap()["base_url"], Value::Null);
    let filled = resolved(&ws, "zendesk", &inputs(&[("subdomain", "acme")])).unwrap();
    assert_eq!(filled["base_url"], "https://acme.zendesk.com");
    let own = resolved(&ws, "ironclad-clickwrap", &inputs(&[("token_url", "http://127.0.0.1:9/token"), ("base_url", "http://127.0.0.1:9")])).unwrap();
    assert_eq!(own["token_url"], "http://127.0.0.1:9/token");
    assert_eq!(own["base_url"], "http://127.0.0.1:9");
    let graph = resolved(&ws, "microsoft-365", &inputs(&[("tenant", "contoso.onmicrosoft.com"), ("cloud", "us-government-l4")])).unwrap();
    assert_eq!(graph["token_url"], "https://login.microsoftonline.us/contoso.onmicrosoft.com/oauth2/v2.0/token");
    assert_eq!(graph["base_url"], "https://graph.microsoft.us/v1.0");
}
