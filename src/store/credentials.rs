//! Credentials and their drafts, as documents. No secret is among them.

use indexmap::IndexMap;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::model::{Credential, CredentialDraft, CredentialStatus, Integration, Known, TestOutcome, Time};

/// A draft as it is kept: what was typed, and what was found out about it meanwhile. A front end saves the first without knowing the second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptDraft {
    pub draft: CredentialDraft,
    #[serde(default)]
    pub standing: Standing,
}

/// What connecting and testing told about a credential or draft.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    #[serde(default)]
    pub found: IndexMap<String, String>,
    #[serde(default)]
    pub granted: Vec<String>,
    pub status: Option<CredentialStatus>,
    pub access_expires: Option<Time>,
    pub refresh_expires: Option<Time>,
    #[serde(default)]
    pub refreshes: bool,
    pub secret_expires: Option<Time>,
    pub tested: Option<Time>,
    pub last_test: Option<TestOutcome>,
    #[serde(default)]
    pub known: Known,
}

/// Whether an identifier is a draft's.
#[must_use]
pub fn is_draft(id: &str) -> bool {
    id.starts_with("draft_")
}

impl Standing {
    #[must_use]
    pub fn of(credential: &Credential) -> Self {
        Self {
            found: credential.found.clone(),
            granted: credential.granted.clone(),
            status: Some(credential.status),
            access_expires: credential.access_expires,
            refresh_expires: credential.refresh_expires,
            refreshes: credential.refreshes,
            secret_expires: credential.secret_expires,
            tested: credential.tested,
            last_test: credential.last_test.clone(),
            known: credential.known.clone(),
        }
    }

    pub fn give_to(self, credential: &mut Credential) {
        credential.found = self.found;
        credential.granted = self.granted;
        credential.status = self.status.unwrap_or(credential.status);
        credential.access_expires = self.access_expires;
        credential.refresh_expires = self.refresh_expires;
        credential.refreshes = self.refreshes;
        credential.secret_expires = self.secret_expires;
        credential.tested = self.tested;
        credential.last_test = self.last_test;
        credential.known = self.known;
    }
}

impl Store {
    /// All credentials, by name.
    pub fn credentials(&self) -> Result<Vec<Credential>, StoreError> {
        self.read(|c| documents(c, "select doc from credentials order by name collate nocase", []))
    }

    /// By identifier, else by name (ignoring ASCII case).
    pub fn credential(&self, name: &str) -> Result<Option<Credential>, StoreError> {
        self.read(|c| {
            Ok(documents(c, "select doc from credentials where id = ?1 or name = ?1 order by id = ?1 desc limit 1", [name])?.into_iter().next())
        })
    }

    /// Saves a credential, new or changed, and removes the draft that it was made from. `false`: another one has that name; nothing was done.
    pub fn save_credential(&self, credential: &Credential, draft: Option<&str>) -> Result<bool, StoreError> {
        self.write(|tx| {
            let taken: bool = tx.query_row(
                "select exists (select 1 from credentials where name = ?1 and id <> ?2)",
                params![credential.name, credential.id],
                |row| row.get(0),
            )?;
            if taken {
                return Ok(false);
            }
            tx.execute(
                "insert into credentials (id, name, doc) values (?1, ?2, ?3) on conflict (id) do update set name = excluded.name, doc = excluded.doc",
                params![credential.id, credential.name, serde_json::to_string(credential)?],
            )?;
            if let Some(draft) = draft {
                tx.execute("delete from credential_drafts where id = ?1", [draft])?;
            }
            Ok(true)
        })
    }

    /// Deletes a credential unless an integration uses it; `false` when one does.
    pub fn delete_credential(&self, id: &str) -> Result<bool, StoreError> {
        self.write(|tx| {
            if !users(tx, id)?.is_empty() {
                return Ok(false);
            }
            tx.execute("delete from credentials where id = ?1", [id])?;
            Ok(true)
        })
    }

    /// The integrations that use a credential, by name.
    pub fn integrations_using(&self, credential: &str) -> Result<Vec<Integration>, StoreError> {
        self.read(|c| users(c, credential))
    }

    /// Drafts, the last changed first.
    pub fn credential_drafts(&self) -> Result<Vec<KeptDraft>, StoreError> {
        self.read(|c| documents(c, "select doc from credential_drafts order by changed desc, rowid desc", []))
    }

    /// When a draft of each connector was changed last, with how many there are of it. Those that replace a credential are among them.
    pub fn drafted_connectors(&self) -> Result<Vec<(String, u32, Time)>, StoreError> {
        self.read(|c| {
            let mut statement = c.prepare("select doc ->> '$.draft.connector', count(*), max(changed) from credential_drafts group by 1")?;
            let rows = statement.query_map([], |row| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, u32>(1)?, row.get::<_, String>(2)?)))?;
            let mut found = Vec::new();
            for row in rows {
                if let (Some(connector), n, changed) = row?
                    && let Ok(changed) = changed.parse()
                {
                    found.push((connector, n, changed));
                }
            }
            Ok(found)
        })
    }

    pub fn credential_draft(&self, id: &str) -> Result<Option<KeptDraft>, StoreError> {
        self.read(|c| Ok(documents(c, "select doc from credential_drafts where id = ?1", [id])?.into_iter().next()))
    }

    pub fn add_credential_draft(&self, kept: &KeptDraft) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "insert into credential_drafts (id, changed, doc) values (?1, ?2, ?3)",
                params![kept.draft.id, now(), serde_json::to_string(kept)?],
            )?;
            Ok(())
        })
    }

    /// Changes a draft in one transaction. `None`: there is none of that id.
    pub fn change_credential_draft<T>(&self, id: &str, change: impl FnOnce(&mut KeptDraft) -> T) -> Result<Option<T>, StoreError> {
        self.write(|tx| {
            let Some(text) = tx.query_row("select doc from credential_drafts where id = ?1", [id], |row| row.get::<_, String>(0)).optional()? else {
                return Ok(None);
            };
            let mut kept: KeptDraft = serde_json::from_str(&text)?;
            let value = change(&mut kept);
            tx.execute("update credential_drafts set changed = ?2, doc = ?3 where id = ?1", params![id, now(), serde_json::to_string(&kept)?])?;
            Ok(Some(value))
        })
    }

    pub fn delete_credential_draft(&self, id: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("delete from credential_drafts where id = ?1", [id])?;
            Ok(())
        })
    }

    /// Changes a credential's document in one transaction, name and identifier excepted.
    pub fn change_credential(&self, id: &str, change: impl FnOnce(&mut Credential)) -> Result<Option<Credential>, StoreError> {
        self.write(|tx| {
            let Some(text) = tx.query_row("select doc from credentials where id = ?1", [id], |row| row.get::<_, String>(0)).optional()? else {
                return Ok(None);
            };
            let mut credential: Credential = serde_json::from_str(&text)?;
            change(&mut credential);
            tx.execute("update credentials set doc = ?2 where id = ?1", params![id, serde_json::to_string(&credential)?])?;
            Ok(Some(credential))
        })
    }

    /// Notes what was learned about a credential or a draft, whichever the identifier names. One that is gone is left alone.
    pub fn note_standing(&self, id: &str, change: impl FnOnce(&mut Standing)) -> Result<(), StoreError> {
        if is_draft(id) {
            self.change_credential_draft(id, |kept| change(&mut kept.standing))?;
        } else {
            self.change_credential(id, |credential| {
                let mut standing = Standing::of(credential);
                change(&mut standing);
                standing.give_to(credential);
            })?;
        }
        Ok(())
    }
}

fn users(connection: &Connection, credential: &str) -> Result<Vec<Integration>, StoreError> {
    let sql = "select doc from integrations where doc ->> '$.credential' = ?1 order by name collate nocase";
    documents(connection, sql, [credential])
}

fn documents<T: serde::de::DeserializeOwned>(connection: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(serde_json::from_str(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(all)
}

/// Fixed width, so that text order is time order.
fn now() -> String {
    format!("{:.9}", Time::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, store)
    }

    fn credential(id: &str, name: &str) -> Credential {
        let json = serde_json::json!({"id": id, "name": name, "connector": "c", "method": "m", "settings": {}, "secrets": [],
            "status": "untested", "created": "2026-01-01T00:00:00Z"});
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn names_are_unique_whatever_their_case() {
        let (_dir, store) = store();
        assert!(store.save_credential(&credential("cred_a", "Clickwrap"), None).unwrap());
        assert!(!store.save_credential(&credential("cred_b", "CLICKWRAP"), None).unwrap());
        assert!(store.save_credential(&credential("cred_a", "clickwrap"), None).unwrap(), "it may change its own case");
        assert_eq!(store.credential("ClickWrap").unwrap().unwrap().id, "cred_a");
        assert_eq!(store.credential("cred_a").unwrap().unwrap().name, "clickwrap");
        assert_eq!(store.credential("cred_b").unwrap(), None);
    }

    #[test]
    fn saving_from_a_draft_ends_the_draft() {
        let (_dir, store) = store();
        let mut kept = KeptDraft::default();
        kept.draft.id = "draft_a".to_owned();
        store.add_credential_draft(&kept).unwrap();
        store.save_credential(&credential("cred_a", "A"), None).unwrap();
        assert!(!store.save_credential(&credential("cred_b", "a"), Some("draft_a")).unwrap());
        assert!(store.credential_draft("draft_a").unwrap().is_some(), "a refused save leaves it");
        assert!(store.save_credential(&credential("cred_b", "b"), Some("draft_a")).unwrap());
        assert!(store.credential_drafts().unwrap().is_empty());
    }

    #[test]
    fn the_draft_changed_last_comes_first() {
        let (_dir, store) = store();
        for id in ["draft_a", "draft_b"] {
            let mut kept = KeptDraft::default();
            kept.draft.id = id.to_owned();
            store.add_credential_draft(&kept).unwrap();
        }
        let ids = |store: &Store| store.credential_drafts().unwrap().into_iter().map(|kept| kept.draft.id).collect::<Vec<_>>();
        assert_eq!(ids(&store), ["draft_b", "draft_a"]);
        store.change_credential_draft("draft_a", |kept| kept.draft.step = "test".to_owned()).unwrap();
        assert_eq!(ids(&store), ["draft_a", "draft_b"]);
    }

    #[test]
    fn a_used_credential_stays() {
        let (_dir, store) = store();
        store.save_credential(&credential("cred_a", "A"), None).unwrap();
        let integration = r#"{"id":"int_a","name":"I","state":"draft","credential":"cred_a","connector":"c","resource":"r","kind":"user",
            "installation":"local","preference":"create_only","deactivate":false,"schedule":{"every":"daily","at":"","time_zone":""},
            "sync_key":[],"mappings":[],"created":"2026-01-01T00:00:00Z","changed":"2026-01-01T00:00:00Z"}"#;
        store.write(|tx| Ok(tx.execute("insert into integrations (id, name, doc) values ('int_a', 'I', ?1)", [integration])?)).unwrap();
        assert_eq!(store.integrations_using("cred_a").unwrap()[0].name, "I");
        assert!(!store.delete_credential("cred_a").unwrap());
        store.write(|tx| Ok(tx.execute("delete from integrations", [])?)).unwrap();
        assert!(store.delete_credential("cred_a").unwrap());
    }
}
