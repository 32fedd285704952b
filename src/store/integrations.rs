//! Integrations, as documents.

use rusqlite::{OptionalExtension as _, params};

use super::{Store, StoreError, inventory, runs};
use crate::model::{Integration, IntegrationState, Run, Time};

/// What became of an integration that was to be saved.
#[derive(Debug, Clone, PartialEq)]
pub enum Saved {
    Done(Box<Integration>),
    /// Another integration has that name.
    NameTaken,
}

impl Store {
    /// All integrations, by name.
    pub fn integrations(&self) -> Result<Vec<Integration>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("select doc from integrations order by name collate nocase")?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            rows.map(|doc| Ok(serde_json::from_str(&doc?)?)).collect()
        })
    }

    /// By identifier, else by name (ignoring ASCII case).
    pub fn integration(&self, name: &str) -> Result<Option<Integration>, StoreError> {
        self.read(|connection| {
            let sql = "select doc from integrations where id = ?1 or name = ?1 order by id = ?1 desc limit 1";
            let doc: Option<String> = connection.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?;
            Ok(doc.map(|doc| serde_json::from_str(&doc)).transpose()?)
        })
    }

    /// Saves what people set. State, launch and last run are not theirs to set: they stay as they are stored. With `application`, makes its
    /// entry in the inventory if there is none.
    pub fn save_integration(&self, integration: &Integration, application: Option<&str>) -> Result<Saved, StoreError> {
        self.write(|tx| {
            let mut integration = integration.clone();
            let taken: bool = tx.query_row(
                "select exists (select 1 from integrations where name = ?1 and id <> ?2)",
                params![integration.name, integration.id],
                |row| row.get(0),
            )?;
            if taken && !integration.name.is_empty() {
                return Ok(Saved::NameTaken);
            }
            let doc: Option<String> = tx.query_row("select doc from integrations where id = ?", [&integration.id], |row| row.get(0)).optional()?;
            if let Some(doc) = doc {
                let stored: Integration = serde_json::from_str(&doc)?;
                integration.state = stored.state;
                integration.created = stored.created;
                integration.launched = stored.launched;
                integration.last_run = stored.last_run;
            }
            integration.changed = Time::now();
            // Drafts without a name must not meet in the unique column.
            let name = if integration.name.is_empty() { &integration.id } else { &integration.name };
            tx.execute(
                "insert into integrations (id, name, doc) values (?1, ?2, ?3) on conflict (id) do update set name = excluded.name, doc = excluded.doc",
                params![integration.id, name, serde_json::to_string(&integration)?],
            )?;
            if let Some(application) = application {
                inventory::ensure_application(tx, application, &integration.id)?;
            }
            Ok(Saved::Done(Box::new(integration)))
        })
    }

    /// Changes the state; `None` when there is no such integration.
    pub fn set_integration_state(&self, id: &str, state: IntegrationState) -> Result<Option<Integration>, StoreError> {
        self.write(|tx| {
            let doc: Option<String> = tx.query_row("select doc from integrations where id = ?", [id], |row| row.get(0)).optional()?;
            let Some(doc) = doc else { return Ok(None) };
            let mut integration: Integration = serde_json::from_str(&doc)?;
            if state == IntegrationState::Active && integration.state != IntegrationState::Active {
                integration.launched = Some(Time::now());
            }
            integration.state = state;
            tx.execute("update integrations set doc = ?2 where id = ?1", params![id, serde_json::to_string(&integration)?])?;
            Ok(Some(integration))
        })
    }

    /// Deletes it with its runs; the records that it brought stay. The run that is under way, if there is one, and then nothing is deleted.
    pub fn delete_integration(&self, id: &str) -> Result<Option<Run>, StoreError> {
        self.write(|tx| {
            if let Some(run) = runs::running(tx, Some(id))?.into_iter().next() {
                return Ok(Some(run));
            }
            runs::forget(tx, id)?;
            tx.execute("delete from integrations where id = ?", [id])?;
            Ok(None)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_keep_what_is_not_for_people_to_set() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let mut draft = Integration::draft("int_a", "Clickwrap", Vec::new(), Time::now());
        assert!(matches!(store.save_integration(&draft, None).unwrap(), Saved::Done(_)));
        let active = store.set_integration_state("int_a", IntegrationState::Active).unwrap().unwrap();
        assert!(active.launched.is_some());
        draft.deactivate = true;
        let Saved::Done(saved) = store.save_integration(&draft, None).unwrap() else { panic!() };
        assert_eq!((saved.state, saved.launched, saved.deactivate), (IntegrationState::Active, active.launched, true));
        let other = Integration::draft("int_b", "CLICKWRAP", Vec::new(), Time::now());
        assert_eq!(store.save_integration(&other, None).unwrap(), Saved::NameTaken);
        for id in ["int_c", "int_d"] {
            assert!(matches!(store.save_integration(&Integration::draft(id, "", Vec::new(), Time::now()), None).unwrap(), Saved::Done(_)));
        }
        assert_eq!(store.integration("clickwrap").unwrap().unwrap().id, "int_a");
        assert_eq!(store.integration("int_a").unwrap().unwrap().name, "Clickwrap");
        assert_eq!(store.integrations().unwrap().len(), 3);
        assert_eq!(store.delete_integration("int_a").unwrap(), None);
        assert_eq!(store.integration("int_a").unwrap(), None);
    }
}
