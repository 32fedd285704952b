//! A resource as it is for one credential: its templates filled in, its paging chosen.

use super::template::{self, Context};
use crate::model::{Paging, Problem, Resource, Time};
use crate::problem;
use crate::words::clean;

/// Fills in the templates of `query`, `headers`, `body`, `form`, `records`, `active` and the paging. A query value that comes out empty is left out, so that an optional
/// input can steer it: `{{ input.filter or '' }}`. The path stays a template: whoever sends a request fills it in, once.
pub fn resource(resource: &Resource, context: &Context) -> Result<Resource, Problem> {
    let mut out = resource.clone();
    let text = |template: &str| template::render(template, context);
    for values in [&mut out.query, &mut out.headers, &mut out.form] {
        *values = template::pairs(values, context)?.into_iter().collect();
    }
    out.body = out.body.as_ref().map(|body| template::json(body, context)).transpose()?;
    out.records = text(&out.records)?;
    if let Some(active) = &mut out.active {
        active.path = text(&active.path)?;
    }
    if let Some(by) = &out.paging_by {
        let chosen = text(by)?;
        out.paging = out.pagings.get(&chosen).cloned().ok_or_else(|| {
            problem!(Usage, "catalog.paging", chosen = clean::line(&chosen, 60), known = out.pagings.keys().cloned().collect::<Vec<_>>().join(", "))
        })?;
    }
    paging(&mut out.paging, context)?;
    Ok(out)
}

/// Asks a resource only for what changed since a moment, and gives its templates the names that this takes. `None` where its definition does
/// not say how.
#[must_use]
pub fn since(resource: &mut Resource, context: Context, since: Time) -> Option<Context> {
    if resource.changed.is_empty() {
        return None;
    }
    resource.query.extend(resource.changed.clone());
    let date = since.strftime("%Y-%m-%d").to_string();
    Some(context.with("since", &since.to_string()).with("since_unix", &since.as_second().to_string()).with("since_date", &date))
}

/// The list in an answer, and the member of each element that is the record, both as paths; either may be empty. `edges[*].node` is the member
/// `node` of each element of `edges`.
#[must_use]
pub fn list_and_member(records: &str) -> (&str, &str) {
    match records.trim().split_once("[*]") {
        None => (records.trim(), ""),
        Some((list, member)) => (list, member.strip_prefix('.').unwrap_or(member)),
    }
}

/// Fills in one paging. An optional text that comes out empty is absent; a page size without a parameter to ask for it is not known, either.
fn paging(paging: &mut Paging, context: &Context) -> Result<(), Problem> {
    let text = |text: &mut String| template::render(text, context).map(|rendered| *text = rendered);
    let optional = |value: &mut Option<String>| -> Result<(), Problem> {
        let rendered = value.as_deref().map(|value| template::render(value, context)).transpose()?;
        *value = rendered.filter(|text| !text.is_empty());
        Ok(())
    };
    let sized = |param: &mut Option<String>, size: &mut Option<u64>| -> Result<(), Problem> {
        let had = param.is_some();
        optional(param)?;
        if had && param.is_none() {
            *size = None;
        }
        Ok(())
    };
    match paging {
        Paging::None | Paging::Scim { .. } => {}
        Paging::Page { param, size_param, size, more, total, first: _ } => {
            text(param)?;
            sized(size_param, size)?;
            optional(more)?;
            optional(total)?;
        }
        // `value` is rendered for each request: it names the place in the list.
        Paging::Offset { param, size_param, more, total, size: _, value: _ } => {
            text(param)?;
            optional(size_param)?;
            optional(more)?;
            optional(total)?;
        }
        Paging::Cursor { param, next, size_param, size, more, path } => {
            text(param)?;
            text(next)?;
            sized(size_param, size)?;
            optional(more)?;
            optional(path)?;
        }
        Paging::LinkHeader { size_param, size } => sized(size_param, size)?,
        Paging::NextUrl { next, size_param, size, total } => {
            text(next)?;
            sized(size_param, size)?;
            optional(total)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Resource {
        toml::from_str(
            r#"
            id = "records"
            name = "Records"
            kind = "users"
            path = "/{{ input.path }}"
            query = { filter = "{{ input.filter or '' }}", fixed = "1" }
            records = "{{ input.records or '' }}"
            key = "id"
            paging_by = "{{ input.paging or 'none' }}"
            [pagings.none]
            kind = "none"
            [pagings.page]
            kind = "page"
            param = "{{ input.page_param or 'page' }}"
            size_param = "{{ input.size_param or '' }}"
            size = 100
            "#,
        )
        .unwrap()
    }

    fn context(pairs: &[(&str, &str)]) -> Context {
        Context { input: pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(), ..Context::default() }
    }

    #[test]
    fn the_person_chooses_the_paging() {
        let plain = resource(&example(), &context(&[("path", "users")])).unwrap();
        assert_eq!((plain.path.as_str(), plain.paging, plain.query.len()), ("/{{ input.path }}", Paging::None, 1));
        let paged = resource(&example(), &context(&[("path", "users"), ("paging", "page"), ("page_param", "p")])).unwrap();
        assert_eq!(paged.paging, Paging::Page { param: "p".into(), first: 1, size_param: None, size: None, more: None, total: None });
        let sized = resource(&example(), &context(&[("path", "users"), ("paging", "page"), ("size_param", "n")])).unwrap();
        assert_eq!(
            sized.paging,
            Paging::Page { param: "page".into(), first: 1, size_param: Some("n".into()), size: Some(100), more: None, total: None }
        );
    }

    #[test]
    fn a_member_of_each_element() {
        for (records, expected) in
            [("", ("", "")), ("data", ("data", "")), ("a.b[*].c.d", ("a.b", "c.d")), ("[*].user", ("", "user")), ("a[*]", ("a", ""))]
        {
            assert_eq!(list_and_member(records), expected, "{records}");
        }
    }

    #[test]
    fn what_changed_since() {
        let mut users = example();
        let moment: Time = "2026-02-03T04:05:06Z".parse().unwrap();
        assert!(since(&mut users, Context::default(), moment).is_none());
        for (name, template) in [("filter", "updated gt {{ since }}"), ("after", "{{ since_unix }}"), ("day", "{{ since_date }}")] {
            users.changed.insert(name.into(), template.into());
        }
        let context = since(&mut users, context(&[("path", "users"), ("filter", "{{ since }}")]), moment).unwrap();
        let query = resource(&users, &context).unwrap().query;
        let value = |name: &str| query.get(name).map(String::as_str);
        assert_eq!((value("filter"), value("after")), (Some("updated gt 2026-02-03T04:05:06Z"), Some("1770091506")));
        assert_eq!((value("day"), value("fixed")), (Some("2026-02-03"), Some("1")));
    }

    #[test]
    fn an_unknown_choice_is_a_problem() {
        assert!(resource(&example(), &context(&[("path", "x"), ("paging", "sideways")])).is_err());
    }
}
