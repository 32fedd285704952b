//! What is known only after the login: which site, which account, which base URL. One lookup at a time; each may use what the one before found.

use indexmap::IndexMap;
use serde_json::Value;

use super::check::{Link, report};
use super::tokens;
use crate::catalog::template;
use crate::model::{Choose, Discover, Problem, Sink};
use crate::vendor::client::Call;
use crate::vendor::rules;
use crate::words::clean;
use crate::{problem, t};

/// How many things a person is offered.
const MOST: usize = 500;

/// What one lookup came to.
pub enum Looked {
    /// Nothing is left to look up.
    Done,
    /// Values to keep under `found`, in place of all that this lookup and later ones kept there before.
    Found { keep: IndexMap<String, String>, forget: Vec<String> },
    /// A person has to choose: the setting with the lookup's id holds the answer.
    Open(Open),
}

/// Things to choose from, by value and label.
pub struct Open {
    pub id: String,
    pub title: String,
    pub options: Vec<(String, String)>,
}

/// The name under `found` that says what was chosen; no template can name it.
fn mark(step: &Discover) -> String {
    format!("discover.{}", step.id)
}

/// Makes the first lookup that is still to be made, or is to be made again because another choice was set.
pub async fn next(link: &Link, sink: &Sink) -> Result<Looked, Problem> {
    let subject = &link.subject;
    let (steps, found) = (&subject.method().discover, &subject.context.found);
    let pending = |step: &&Discover| {
        let lost = !step.save.is_empty() && step.save.keys().all(|name| !found.contains_key(name));
        match found.get(&mark(step)) {
            Some(chosen) => lost || subject.input(&step.id).is_some_and(|set| set != chosen),
            None => true,
        }
    };
    let Some(at) = steps.iter().position(|step| pending(&step)) else { return Ok(Looked::Done) };
    let step = &steps[at];
    let items = ask(link, step, sink).await?;
    let chosen = match choose(link, step, items)? {
        Chosen::One(item) => item,
        Chosen::Open(options) => return Ok(Looked::Open(Open { id: step.id.clone(), title: clean::line(&step.title, 80), options })),
    };
    let mut keep: IndexMap<String, String> =
        step.save.iter().filter_map(|(name, path)| Some((name.clone(), tokens::at(&chosen.item, path).and_then(tokens::as_text)?))).collect();
    keep.insert(mark(step), subject.input(&step.id).map_or(chosen.value, str::to_owned));
    // What comes later was found for another choice.
    let forget = steps[at..].iter().flat_map(|step| step.save.keys().cloned().chain([mark(step)])).collect();
    Ok(Looked::Found { keep, forget })
}

/// One thing that was looked up.
struct Item {
    value: String,
    label: String,
    item: Value,
}

enum Chosen {
    One(Item),
    Open(Vec<(String, String)>),
}

async fn ask(link: &Link, step: &Discover, sink: &Sink) -> Result<Vec<Item>, Problem> {
    let subject = &link.subject;
    let vendor = subject.vendor();
    report(sink, t!("discover.asking", vendor = vendor, title = clean::line(&step.title, 80)));
    let query = template::pairs(&step.query, &subject.context)?;
    let call = Call { method: &step.method, path: &step.path, query: &query, headers: &[], body: None };
    let mut answer = link.client.call_once(&call, sink).await?;
    if answer.status == 401
        && let Some(keeper) = &link.keeper
        && keeper.refused().await.map_err(|failure| failure.problem)?
    {
        answer = link.client.call_once(&call, sink).await?;
    }
    if let Some(problem) = link.client.judge(&step.method, &answer) {
        return Err(problem);
    }
    let unreadable = || problem!(Failed, "discover.unreadable", vendor = vendor, title = clean::line(&step.title, 80));
    let body: Value = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
    let records = if step.records.is_empty() { Some(&body) } else { tokens::at(&body, &step.records) };
    let list = match records {
        Some(Value::Array(list)) => list.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        Some(_) => return Err(unreadable()),
        None => Vec::new(),
    };
    let items = list.into_iter().filter_map(|item| {
        let value = tokens::at(&item, &step.value).and_then(tokens::as_text)?;
        let label = step.label.as_deref().and_then(|path| tokens::at(&item, path)).and_then(tokens::as_text);
        Some(Item { label: clean::line(label.as_deref().unwrap_or(&value), 120), value, item })
    });
    Ok(items.collect())
}

fn choose(link: &Link, step: &Discover, mut items: Vec<Item>) -> Result<Chosen, Problem> {
    let subject = &link.subject;
    let (vendor, title) = (subject.vendor(), clean::line(&step.title, 80));
    if items.is_empty() {
        return Err(problem!(Failed, "discover.nothing", vendor = vendor, title = title));
    }
    if let Some(set) = subject.input(&step.id) {
        let named = |item: &Item| item.value == set || item.label.eq_ignore_ascii_case(set);
        return match items.iter().position(named) {
            Some(at) => Ok(Chosen::One(items.swap_remove(at))),
            None => Err(problem!(
                Usage,
                "discover.unknown",
                vendor = vendor,
                title = title,
                chosen = clean::line(set, 80),
                options = listed(&options(&items))
            )),
        };
    }
    let one = match step.choose {
        Choose::First => Some(0),
        Choose::Ask => (items.len() == 1).then_some(0),
        Choose::Match => {
            let condition = step.when.as_deref().unwrap_or("false");
            let mut matching = Vec::new();
            for (at, item) in items.iter().enumerate() {
                if rules::picks(&subject.connector, condition, &item.item, &subject.context.input)? {
                    matching.push(at);
                }
            }
            if let [one] = matching[..] { Some(one) } else { None }
        }
    };
    Ok(match one {
        Some(at) => Chosen::One(items.swap_remove(at)),
        None => Chosen::Open(options(&items)),
    })
}

fn options(items: &[Item]) -> Vec<(String, String)> {
    items.iter().take(MOST).map(|item| (item.value.clone(), item.label.clone())).collect()
}

/// Options in a sentence: `a (Contoso), b (Fabrikam)`.
#[must_use]
pub fn listed(options: &[(String, String)]) -> String {
    let one = |(value, label): &(String, String)| if value == label { value.clone() } else { format!("{value} ({label})") };
    clean::line(&options.iter().map(one).collect::<Vec<_>>().join(", "), 300)
}
