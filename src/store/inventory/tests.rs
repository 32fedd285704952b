use super::*;
use crate::model::{DataPage, DataQuery, Sort};

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

/// People with an address, a department and a mark.
fn fill(store: &Store, n: usize) {
    let fields = strings(&["email", "department", "verified"]);
    store
        .write(|tx| {
            let target = Target::new(tx, Table::People, None, "int_a", "run_a", &fields, &fields[..1], &[])?;
            let mut page = target.page(tx)?;
            for i in 0..n {
                let department = ["Sales", "sales", "Research", ""][i % 4];
                let department = if department.is_empty() { Value::Null } else { text(department) };
                let email = format!("Person{i:06}@example.com");
                page.insert(&email, &[text(&email), department, Value::Boolean(i % 3 == 0)], i % 10 != 0)?;
            }
            Ok(())
        })
        .unwrap();
}

fn keys(page: &DataPage) -> Vec<&str> {
    page.records.iter().map(|record| record.key.as_str()).collect()
}

fn ask(limit: u64) -> DataQuery {
    DataQuery { limit, ..DataQuery::default() }
}

#[test]
fn every_built_in_field_is_a_column() {
    let (_dir, store) = store();
    for table in Table::ALL {
        let page = query(&store, table, &ask(1)).unwrap();
        assert_eq!((page.total, page.records.len()), (0, 0), "{table:?}");
        let known: Vec<String> = store
            .read(|c| {
                let mut statement =
                    c.prepare(&format!("select name from pragma_table_info('{}') where name not like '\\_%' escape '\\'", sql_name(table)))?;
                Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
            })
            .unwrap();
        assert_eq!(known, table.built_in().iter().map(|(key, _)| (*key).to_owned()).collect::<Vec<_>>());
    }
}

#[test]
fn views_are_searched_filtered_sorted_and_windowed() {
    let (_dir, store) = store();
    fill(&store, 5_000);
    let page = query(&store, Table::People, &ask(2)).unwrap();
    assert_eq!((page.total, keys(&page)), (5_000, vec!["Person000000@example.com", "Person000001@example.com"]));
    assert_eq!(page.records[0].values["verified"], Value::Boolean(true));
    assert_eq!(page.records[0].values["phone"], Value::Null);
    // Far into the plain view.
    let page = query(&store, Table::People, &DataQuery { offset: 4_999, ..ask(9) }).unwrap();
    assert_eq!((page.total, keys(&page)), (5_000, vec!["Person004999@example.com"]));
    assert_eq!(query(&store, Table::People, &DataQuery { offset: 9_999, ..ask(9) }).unwrap().records.len(), 0);
    // And when an id is missing.
    store.write(|tx| Ok(tx.execute("delete from people where _id = 3", [])?)).unwrap();
    for offset in [1, 3_000] {
        let page = query(&store, Table::People, &DataQuery { offset, ..ask(2) }).unwrap();
        let at = |i: u64| format!("Person{:06}@example.com", if i < 2 { i } else { i + 1 });
        assert_eq!((page.total, keys(&page)), (4_999, vec![at(offset).as_str(), at(offset + 1).as_str()]));
    }
    store
        .write(|tx| {
            let sql = "insert into people (_id, _key, _active, _integration, _run, _created, _changed, email, department, verified)
                select 3, 'Person000002@example.com', 1, 'int_a', 'run_a', _created, _changed, 'Person000002@example.com', 'Research', 0
                from people where _id = 1";
            Ok(tx.execute(sql, [])?)
        })
        .unwrap();
    // Search ignores case and looks for each word.
    let page = query(&store, Table::People, &DataQuery { search: "person00123 RESEARCH".to_owned(), ..ask(10) }).unwrap();
    assert_eq!(keys(&page), ["Person001230@example.com", "Person001234@example.com", "Person001238@example.com"]);
    // Conditions.
    for (condition, total) in [
        ("active = false", 500),
        ("department = SALES", 2_500),
        ("department is null", 1_250),
        ("department != research", 3_750),
        ("not department ~ sal", 2_500),
        ("verified = true and active = true", 1_667 - 167),
        ("key = person000007@EXAMPLE.com or email ~ 000008", 2),
        ("changed > 2020-01-01 and integration = int_a", 5_000),
        ("created < 2020-01-01", 0),
    ] {
        let page = query(&store, Table::People, &DataQuery { where_: Some(condition.to_owned()), ..ask(0) }).unwrap();
        assert_eq!((page.total, page.records.len()), (total, 0), "{condition}");
    }
    // Order: empty last, either way; then by age.
    let sorted = |field: &str, descending, offset| {
        let sort = Some(Sort { field: field.to_owned(), descending });
        query(&store, Table::People, &DataQuery { sort, offset, ..ask(2) }).unwrap()
    };
    assert_eq!(keys(&sorted("email", true, 0))[0], "Person004999@example.com");
    assert_eq!(sorted("department", false, 0).records[0].values["department"], text("Research"));
    assert_eq!(sorted("department", true, 0).records[0].values["department"], text("Sales"));
    for descending in [false, true] {
        assert_eq!(sorted("department", descending, 4_998).records[1].values["department"], Value::Null);
    }
    let refused = query(&store, Table::People, &DataQuery { sort: Some(Sort { field: "nix".to_owned(), descending: false }), ..ask(1) });
    assert!(refused.unwrap_err().why.contains("full_name"));
}

#[test]
fn a_large_view_is_in_the_order_of_the_database() {
    let (_dir, store) = store();
    let n = 35_000;
    fill(&store, n);
    store
        .write(|tx| {
            // Texts in both cases, short, shared at their beginning, of bytes beyond ASCII; times that differ; a few of each alike.
            let sql = "update people set full_name = substr('Zoë aaaaaaaaab AAAAAAAAAC ada', _id % 7 + 1, _id % 23), _changed = _id % 1000,
                username = case _id % 3 when 0 then upper(substr(email, 7)) when 1 then substr(email, 8) end";
            Ok(tx.execute(sql, [])?)
        })
        .unwrap();
    for field in ["email", "full_name", "username", "department", "verified", "active", "changed"] {
        for (descending, search) in [(false, ""), (true, ""), (false, "sales")] {
            let view = DataQuery { sort: Some(Sort { field: field.to_owned(), descending }), search: search.to_owned(), ..ask(u64::MAX) };
            let mut expected = Vec::new();
            each(&store, Table::People, &view, |record| {
                expected.push(record.id);
                Ok(true)
            })
            .unwrap();
            let found = query(&store, Table::People, &view).unwrap();
            assert_eq!(found.total, expected.len() as u64);
            assert!(found.records.iter().map(|record| record.id).eq(expected), "{field} {descending} {search}");
        }
    }
}

#[test]
fn numbers_sort_as_numbers() {
    let long = 1 << 60;
    let sorted =
        [ValueRef::Real(-1e300), ValueRef::Integer(-2), ValueRef::Real(-0.5), ValueRef::Integer(0), ValueRef::Real(0.5), ValueRef::Integer(1)];
    let sorted = [&sorted[..], &[ValueRef::Integer(long), ValueRef::Integer(long + 1), ValueRef::Real(1e300), ValueRef::Text(b"0")]].concat();
    for pair in sorted.windows(2) {
        assert!(view::Key::new(pair[0], true) < view::Key::new(pair[1], true), "{pair:?}");
    }
    assert!(view::Key::new(ValueRef::Real(-0.0), true) == view::Key::new(ValueRef::Integer(0), true));
}

#[test]
fn a_view_sees_what_was_written_since() {
    let (_dir, store) = store();
    fill(&store, 10);
    let view = DataQuery { search: "person".to_owned(), ..ask(1) };
    assert_eq!(query(&store, Table::People, &view).unwrap().total, 10);
    fill(&store, 5);
    assert_eq!(query(&store, Table::People, &view).unwrap().total, 15);
    assert_eq!(query(&store, Table::People, &view).unwrap().total, 15);
}

#[test]
fn a_sync_key_finds_compares_and_changes() {
    let (_dir, store) = store();
    let fields = strings(&["email", "full_name", "verified"]);
    let ada = |name: &str| vec![text("ADA@example.com"), text(name), Value::Boolean(true)];
    store
        .write(|tx| {
            let target = Target::new(tx, Table::People, None, "int_a", "run_a", &fields, &fields[..1], &[])?;
            let mut page = target.page(tx)?;
            assert_eq!(page.find(&ada("Ada"))?, Match::None);
            let id = page.insert("ADA@example.com", &ada("Ada"), true)?;
            let Match::One(found) = page.find(&ada("Ada"))? else { panic!("not found") };
            assert_eq!(found, Found { id, active: true, own: true, same: true });
            let lower = vec![text("ada@EXAMPLE.com"), text("Ada"), Value::Boolean(true)];
            let Match::One(found) = page.find(&lower)? else { panic!("not found in another case") };
            assert!(!found.same);
            page.update(&found, &ada("Ada Lovelace"), false)?;
            let Match::One(found) = page.find(&ada("Ada Lovelace"))? else { panic!("lost") };
            assert_eq!((found.active, found.same), (false, true));
            page.insert("ada@example.com", &lower, true)?;
            assert_eq!(page.find(&lower)?, Match::Several);
            Ok(())
        })
        .unwrap();
    let found = store.inventory_find(Table::People, &[("email", &text("ada@example.COM")), ("full_name", &text("Ada Lovelace"))]).unwrap().unwrap();
    assert_eq!((found.active, &found.values["full_name"]), (false, &text("Ada Lovelace")));
    assert_eq!(store.inventory_find(Table::People, &[("full_name", &text("ADA LOVELACE"))]).unwrap(), None);
    assert_eq!(store.inventory_find(Table::People, &[("nix", &text("x"))]).unwrap(), None);
}

#[test]
fn saas_users_belong_to_their_application() {
    let (_dir, store) = store();
    let fields = strings(&["user_name"]);
    let add = |application: &str, n: usize| {
        store
            .write(|tx| {
                ensure_application(tx, application, "int_a")?;
                let target = Target::new(tx, Table::SaasUsers, Some(application), "int_a", "run_a", &fields, &fields, &[])?;
                let mut page = target.page(tx)?;
                for i in 0..n {
                    let name = format!("user{i}");
                    assert_eq!(page.find(&[text(&name)])?, Match::None);
                    page.insert(&name, &[text(&name)], i != 0)?;
                }
                Ok(())
            })
            .unwrap();
    };
    add("Clickwrap", 3);
    add("Slack", 5);
    let made = store.write(|tx| Ok((ensure_application(tx, "slack", "int_a")?, ensure_application(tx, "Zoom", "int_a")?))).unwrap();
    assert_eq!(made, (false, true));
    assert_eq!(store.saas_applications().unwrap(), [("Clickwrap".to_owned(), 2), ("Slack".to_owned(), 4), ("Zoom".to_owned(), 0)]);
    let page = query(&store, Table::SaasUsers, &DataQuery { application: Some("slack".to_owned()), ..ask(1) }).unwrap();
    assert_eq!((page.total, &page.records[0].values["application"]), (5, &text("Slack")));
    let get = |key: &str| store.read(|c| by_key(c, Table::SaasUsers, key)).unwrap().map(|record| record.values["application"].to_string());
    assert_eq!(get("USER1").as_deref(), Some("Clickwrap"));
    assert_eq!(get("Slack/user1").as_deref(), Some("Slack"));
    assert_eq!(get("Slack/user9"), None);
}

#[test]
fn custom_fields_take_part() {
    let (_dir, store) = store();
    store
        .write(|tx| {
            tx.execute("insert into fields values ('people', 'custom_cost', 'Cost', 'number', 0, 1, 100)", [])?;
            Ok(tx.execute_batch("alter table people add column custom_cost real")?)
        })
        .unwrap();
    let fields = strings(&["email", "custom_cost"]);
    store
        .write(|tx| {
            let target = Target::new(tx, Table::People, None, "int_a", "run_a", &fields, &fields[..1], &[])?;
            target.page(tx)?.insert("a", &[text("a"), Value::Number(2.5)], true)?;
            target.page(tx)?.insert("b", &[text("b"), Value::Integer(3)], true)?;
            let Match::One(found) = target.page(tx)?.find(&[text("b"), Value::Integer(3)])? else { panic!("lost") };
            assert!(found.same);
            Ok(())
        })
        .unwrap();
    let page = query(&store, Table::People, &DataQuery { where_: Some("custom_cost > 2.6".to_owned()), ..ask(9) }).unwrap();
    assert_eq!((keys(&page), &page.records[0].values["custom_cost"]), (vec!["b"], &Value::Number(3.0)));
}
