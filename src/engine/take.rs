//! Rows through the compiled mappings.

use super::{Take, Taken};
use crate::mapping::compile::{Cell, Column, Compiled};
use crate::mapping::projection::Row;
use crate::model::Value;

/// The mappings of an integration. With SaaS users, there are two records for each row.
pub struct Mapping {
    compiled: Compiled,
    saas: bool,
}

impl Mapping {
    #[must_use]
    pub fn new(compiled: Compiled, saas: bool) -> Self {
        Self { compiled, saas }
    }
}

fn keys(columns: &[Column]) -> Vec<String> {
    columns.iter().map(|column| column.field.key.clone()).collect()
}

/// The values, `Null` where there is none; the first that is missing, with the reason.
fn split(columns: &[Column], cells: Vec<Cell>, fault: &mut Option<(String, String)>) -> Vec<Value> {
    let mut values = Vec::with_capacity(cells.len());
    for (column, cell) in columns.iter().zip(cells) {
        values.push(cell.unwrap_or_else(|message| {
            fault.get_or_insert_with(|| (column.field.key.clone(), message));
            Value::Null
        }));
    }
    values
}

impl Take for Mapping {
    fn fields(&self) -> Vec<Vec<String>> {
        let mut fields = vec![keys(self.compiled.columns())];
        if self.saas {
            fields.push(keys(self.compiled.saas_columns()));
        }
        fields
    }

    fn take(&self, row: &mut Row) -> Taken {
        let compiled = &self.compiled;
        let takes = compiled.takes(&row.slots);
        if takes == Ok(false) {
            return Taken::Filtered;
        }
        let mut fault = takes.err().map(|message| (String::new(), message));
        let active = compiled.active(&row.slots);
        let mut values = Vec::with_capacity(2);
        values.push(split(compiled.columns(), compiled.evaluate_taking(&mut row.slots), &mut fault));
        if self.saas {
            values.push(split(compiled.saas_columns(), compiled.evaluate_saas(&row.slots), &mut fault));
        }
        match fault {
            None => Taken::Values { values, active },
            Some((field, message)) => Taken::Failed { values, field: Some(field).filter(|field| !field.is_empty()), message },
        }
    }
}
