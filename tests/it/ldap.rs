//! A directory that nobody here wrote: OpenLDAP's server, read through the real code.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use intertie::model::{CredentialStatus, ProblemKind, Secret, Sink};
use intertie::ops::{Config, Workspace, credentials, integrations, mappings};

/// A server with `people` people on a free port; killed when dropped.
struct Directory {
    child: Child,
    port: u16,
    dir: crate::searched::Place,
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const CONFIG: &str = "\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
sizelimit size.soft=300 size.hard=300 size.pr=500 size.prtotal=unlimited
database mdb
suffix \"dc=example,dc=com\"
rootdn \"cn=admin,dc=example,dc=com\"
rootpw open-Sesame
directory DATA
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
";

impl Directory {
    fn start(people: usize) -> Self {
        Self::speaking("ldap", "", people)
    }

    /// With TLS, by an authority that only `ca.pem` in its directory names.
    fn with_tls(people: usize) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "The house");
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let own = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&own, &issuer).unwrap().pem();
        let tls = tempfile::tempdir().unwrap().keep();
        for (name, text) in [("ca.pem", root), ("cert.pem", certificate), ("key.pem", own.serialize_pem())] {
            std::fs::write(tls.join(name), text).unwrap();
        }
        let place = |name: &str| tls.join(name).display().to_string();
        let lines = format!(
            "TLSCertificateFile {}\nTLSCertificateKeyFile {}\nTLSCACertificateFile {}\n",
            place("cert.pem"),
            place("key.pem"),
            place("ca.pem")
        );
        let directory = Self::speaking("ldaps", &lines, people);
        std::fs::rename(tls.join("ca.pem"), directory.dir.path().join("ca.pem")).unwrap();
        std::fs::remove_dir_all(tls).unwrap();
        directory
    }

    fn speaking(scheme: &str, more: &str, people: usize) -> Self {
        let dir = crate::searched::place();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let config = dir.path().join("slapd.conf");
        std::fs::write(&config, CONFIG.replace("DATA", data.to_str().unwrap()).replace("database mdb", &format!("{more}database mdb"))).unwrap();
        let mut ldif = String::from(
            "dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n\
             dn: ou=People,dc=example,dc=com\nobjectClass: organizationalUnit\nou: People\n\n\
             dn: cn=reader,dc=example,dc=com\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\nuserPassword: read-Me\n\n",
        );
        for n in 0..people {
            ldif.push_str(&format!(
                "dn: uid=p{n},ou=People,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: p{n}\ncn: Person {n}\nsn: Näme {n}\nmail: p{n}@example.com\n\
                 employeeNumber: {}\ndescription: first\ndescription: second\n\n",
                if n % 10 == 0 { 514 } else { 512 }
            ));
        }
        let file = dir.path().join("people.ldif");
        std::fs::write(&file, ldif).unwrap();
        let added = Command::new("/usr/sbin/slapadd").arg("-q").arg("-f").arg(&config).arg("-l").arg(&file).output().unwrap();
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Command::new("/usr/sbin/slapd");
        server.arg("-f").arg(&config).arg("-h").arg(format!("{scheme}://127.0.0.1:{port}")).args(["-d", "0"]);
        let child = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let directory = Self { child, port, dir };
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the directory did not start");
            std::thread::park_timeout(Duration::from_millis(10));
        }
        directory
    }
}

const DEFINITION: &str = r#"
schema = 1
id = "tree"
name = "Tree"
docs = "https://www.openldap.org/doc/"
summary = "People of a directory."

[auth.basic]
kind = "basic"
name = "User name and password"

[[auth.basic.input]]
key = "username"
label = "User DN"
help = "The whole DN."

[[auth.basic.input]]
key = "password"
label = "Password"
help = "Of that user."
secret = true

[[input]]
key = "base"
label = "Base DN"
help = "Where to search."
optional = true

[request]
base_url = "ldap://127.0.0.1:PORT"

[[check]]
path = "{{ input.base or '' }}"
query = { filter = "(objectClass=inetOrgPerson)" }
proves = "The directory accepts the user."

[[resource]]
id = "users"
name = "People"
kind = "users"
format = "ldap"
path = "{{ input.base or '' }}"
query = { filter = "(objectClass=inetOrgPerson)" }
key = "entryUUID"
active = { path = "employeeNumber", unless_bits = 2 }

[[resource.field]]
path = "entryUUID"
label = "Id"

[[resource.field]]
path = "uid"
label = "User id"

[[resource.field]]
path = "mail"
label = "Mail"
type = "email"

[[resource.field]]
path = "cn"
label = "Name"

[[resource.field]]
path = "sn"
label = "Surname"

[[resource.field]]
path = "description"
label = "Description"

[[resource.field]]
path = "createTimestamp"
label = "Created"
type = "time"
"#;

fn stage(directory: &Directory) -> (crate::searched::Place, Workspace) {
    let dir = crate::searched::place();
    std::fs::create_dir_all(dir.path().join("connectors")).unwrap();
    std::fs::write(dir.path().join("connectors/tree.toml"), DEFINITION.replace("PORT", &directory.port.to_string())).unwrap();
    let ws = Workspace::open(dir.path(), Config::default());
    (dir, ws)
}

fn draft(ws: &Workspace, password: &str, base: &str) -> String {
    let mut draft = credentials::draft_new(ws, "tree", None).unwrap();
    draft.settings.insert("username".to_owned(), "cn=reader,dc=example,dc=com".to_owned());
    draft.settings.insert("base".to_owned(), base.to_owned());
    credentials::draft_save(ws, &draft).unwrap();
    credentials::draft_secret(ws, &draft.id, "password", Secret::new(password)).unwrap();
    draft.id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_directory_is_read_in_pages() {
    // More than the server gives at once: only pages bring them all.
    let directory = Directory::start(1234);
    let (_dir, ws) = stage(&directory);
    let id = draft(&ws, "read-Me", "");
    let outcome = credentials::draft_test(&ws, &id, &Sink::none()).await.unwrap();
    assert!(outcome.ok, "{:?}", outcome.problem);
    assert!(outcome.request.starts_with("SEARCH ldap://127.0.0.1"), "{}", outcome.request);
    let credential = credentials::draft_finish(&ws, &id).unwrap();
    assert_eq!(credential.status, CredentialStatus::Valid);

    let mut integration = integrations::new(&ws, "Tree").unwrap();
    integrations::set_source(&ws, &mut integration, &credential.id, None).unwrap();
    let sample = mappings::sample(&ws, &integration, 3, &Sink::none()).await.unwrap();
    let first = &sample.records[0];
    assert_eq!((sample.records.len(), &first["uid"], &first["description"]), (3, &"p0".into(), &serde_json::json!(["first", "second"])));
    assert_eq!(first["sn"], "Näme 0");
    assert!(first["createTimestamp"].as_str().unwrap().ends_with('Z') && first["dn"].as_str().unwrap().starts_with("uid=p0,"));

    integration.deactivate = true;
    integration.contacts = vec!["admin@example.com".to_owned()];
    for suggestion in mappings::suggest(&ws, &integration, &sample).unwrap() {
        mappings::set(&ws, &mut integration, &suggestion.field, suggestion.from).unwrap();
    }
    for (field, from) in [("user_id", "entryUUID"), ("email", "mail"), ("first_name", "cn"), ("last_name", "sn")] {
        let _ = mappings::set(&ws, &mut integration, field, mappings::parse(from));
    }
    let saved = integrations::save(&ws, &integration).unwrap();
    integrations::launch(&ws, &saved.id, &Sink::none()).await.unwrap();
    let run = intertie::ops::runs::start(&ws, &saved.id, &intertie::model::RunOptions::default(), &Sink::none()).await.unwrap();
    assert_eq!((run.read, run.failed), (1234, 0), "{:?}", run.problem);
    assert!(run.pages >= 3);
    // Those whose bit is set are known and inactive, or never made: in no case active.
    let query = intertie::model::DataQuery { where_: Some("active = true".to_owned()), limit: 0, ..Default::default() };
    assert_eq!(intertie::ops::data::query(&ws, intertie::model::Table::People, &query).unwrap().total, 1234 - 124);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_to_mend() {
    let directory = Directory::start(3);
    let (_dir, ws) = stage(&directory);
    for (password, base, kind, part) in [
        ("wrong", "", ProblemKind::PersonMustAct, "refused the account"),
        ("read-Me", "ou=Nowhere,dc=example,dc=com", ProblemKind::Usage, "does not have that base"),
        ("read-Me", "no dn at all", ProblemKind::Usage, "does not have that base"),
    ] {
        let id = draft(&ws, password, base);
        let outcome = credentials::draft_test(&ws, &id, &Sink::none()).await.unwrap();
        let problem = outcome.problem.unwrap_or_else(|| panic!("{base} was accepted"));
        assert!(problem.kind == kind && problem.what.contains(part), "{problem:?}");
        assert!(!format!("{problem:?}").contains("read-Me"));
    }
    drop(directory);
    let id = draft(&ws, "read-Me", "");
    let problem = credentials::draft_test(&ws, &id, &Sink::none()).await.unwrap().problem.unwrap();
    assert!(problem.what.contains("cannot be reached"), "{problem:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_of_the_house_has_to_be_named() {
    let directory = Directory::with_tls(3);
    let (_dir, ws) = stage(&directory);
    let id = draft(&ws, "read-Me", "");
    let mut changed = credentials::draft_get(&ws, &id).unwrap();
    changed.settings.insert("base_url".to_owned(), format!("ldaps://localhost:{}", directory.port));
    credentials::draft_save(&ws, &changed).unwrap();
    let problem = credentials::draft_test(&ws, &id, &Sink::none()).await.unwrap().problem.unwrap();
    assert!(problem.what.contains("cannot be reached") && problem.next_step.contains("ca_file"), "{problem:?}");

    changed.settings.insert("ca_file".to_owned(), directory.dir.path().join("ca.pem").display().to_string());
    credentials::draft_save(&ws, &changed).unwrap();
    let outcome = credentials::draft_test(&ws, &id, &Sink::none()).await.unwrap();
    assert!(outcome.ok, "{:?}", outcome.problem);
}
