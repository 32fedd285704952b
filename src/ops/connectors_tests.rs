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

#[test]
fn addresses_of_every_method_come_out_and_what_is_missing_is_named() {
    let (_dir, ws) = workspace();
    let inputs = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<IndexMap<_, _>>();
    let open = resolved(&ws, "microsoft-365", &inputs(&[])).unwrap();
    assert_eq!(open["missing"], json!(["tenant"]), "{open}");
    let graph = resolved(&ws, "microsoft-365", &inputs(&[("tenant", "contoso.onmicrosoft.com")])).unwrap();
    assert_eq!(graph["missing"], json!([]));
    let device = "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/devicecode";
    assert!(graph["auth"].as_object().unwrap().values().any(|method| method["device_url"] == device), "{graph}");
    // Each method of each connector, with an example for each input, has nothing left open that is asked for.
    for row in ws.catalog().rows() {
        let connector = get(&ws, &row.id).unwrap();
        let mut given = IndexMap::new();
        for input in connector.inputs.iter().chain(connector.auth.values().flat_map(|method| &method.inputs)) {
            given.insert(input.key.clone(), if input.example.is_empty() { "x".to_owned() } else { input.example.clone() });
        }
        let whole = resolved(&ws, &row.id, &given).unwrap();
        for (method, addresses) in whole["auth"].as_object().unwrap() {
            assert_eq!(addresses["missing"], json!([]), "{} {method}", row.id);
            assert!(!addresses.to_string().contains("{{ input."), "{} {method}: {addresses}", row.id);
        }
        assert!(whole["auth"].get(whole["method"].as_str().unwrap()).is_some(), "{}", row.id);
    }
}

#[test]
fn a_list_narrows_by_what_the_workspace_has() {
    let (dir, ws) = workspace();
    let ids = |wanted: &Wanted| find(&ws, wanted).unwrap().into_iter().map(|one| one.row.id.into_owned()).collect::<Vec<_>>();
    let connected = || {
        let mut facets = Facets::default();
        facets.add(crate::ops::facets::Facet::Connected, crate::ops::facets::YES);
        Wanted { facets, ..Wanted::default() }
    };
    // Asking makes no database.
    assert_eq!(ids(&connected()), Vec::<String>::new());
    assert!(!dir.path().join("intertie.db").exists());

    let credential = |name: &str, connector: &str, status: &str, created: &str| -> crate::model::Credential {
        serde_json::from_value(json!({
            "id": format!("cred_{name}"), "name": name, "connector": connector, "method": "api_key", "settings": {}, "secrets": [],
            "status": status, "created": created,
        }))
        .unwrap()
    };
    for one in [
        credential("a", "okta", "valid", "2026-11-01T00:00:00Z"),
        credential("b", "okta", "refused", "2026-11-02T00:00:00Z"),
        credential("c", "github", "untested", "2026-11-03T00:00:00Z"),
    ] {
        assert!(ws.store().unwrap().save_credential(&one, None).unwrap());
    }
    assert_eq!(ids(&connected()), ["github", "okta"]);
    let recent = Wanted { recent: true, ..Wanted::default() };
    assert_eq!(ids(&recent), ["github", "okta"]);
    credentials::draft_new(&ws, "zendesk", None).unwrap();
    assert_eq!(ids(&recent), ["zendesk", "github", "okta"]);
    assert_eq!(ids(&Wanted { search: Some("okt".to_owned()), ..recent.clone() }), ["okta"]);

    let all = used(&ws).unwrap();
    assert_eq!((all["okta"].credentials, all["okta"].status), (2, Some(CredentialStatus::Refused)));
    assert_eq!((all["zendesk"].credentials, all["zendesk"].drafts, all["zendesk"].status), (0, 1, None));
    assert_eq!(find(&ws, &Wanted::default()).unwrap().len(), ws.catalog().rows().len());
}
