//! PATCH (RFC 7644 §3.5.2), as the RFC says it and as Entra and Okta send it: capitalised operations, booleans as words, dotted names and
//! URNs as keys of a value without a path, members to remove as a list, a manager as a bare identifier or a list, an element that is not
//! there yet.

use serde_json::{Map, Value, json};

use super::Failure;
use super::filter::{AttributePath, Compare, Filter, Target};
use super::schema::{Attribute, Kind, Type, find, get};

/// Applies all operations of a request, or none.
pub fn apply(resource: &Map<String, Value>, request: &Value, of: Type) -> Result<Map<String, Value>, Failure> {
    let operations = request.as_object().and_then(|request| get(request, "Operations")).and_then(Value::as_array);
    let operations = operations.filter(|operations| !operations.is_empty()).ok_or_else(|| Failure::syntax("Operations is missing or empty."))?;
    let mut changed = resource.clone();
    for operation in operations {
        let operation = operation.as_object().ok_or_else(|| Failure::syntax("An operation is not an object."))?;
        let op = get(operation, "op").and_then(Value::as_str).unwrap_or("").to_ascii_lowercase();
        let path = get(operation, "path").and_then(Value::as_str).filter(|path| !path.is_empty());
        let value = get(operation, "value");
        match (op.as_str(), path, value) {
            ("add" | "replace", Some(path), Some(value)) => put(&mut changed, path, value, op == "add", of)?,
            ("add" | "replace", None, Some(Value::Object(values))) => put_all(&mut changed, values, op == "add", of)?,
            ("add" | "replace", _, None) => return Err(Failure::value("The operation has no value.")),
            ("add" | "replace", None, _) => return Err(Failure::value("Without a path, the value must be an object.")),
            ("remove", Some(path), value) => remove(&mut changed, path, value, of)?,
            ("remove", None, _) => return Err(Failure::new(400, "noTarget", "A removal needs a path.")),
            _ => return Err(Failure::syntax("An operation is add, replace or remove.")),
        }
    }
    Ok(changed)
}

fn put_all(resource: &mut Map<String, Value>, values: &Map<String, Value>, add: bool, of: Type) -> Result<(), Failure> {
    for (key, value) in values {
        if key.eq_ignore_ascii_case("schemas") || key.eq_ignore_ascii_case("id") || key.eq_ignore_ascii_case("meta") {
            continue;
        }
        put(resource, key, value, add, of)?;
    }
    Ok(())
}

fn target(path: &str, of: Type) -> Result<(Target, &'static Attribute), Failure> {
    let target = Target::parse(path, of).map_err(|invalid| Failure::new(400, "invalidPath", invalid.0))?;
    let attribute =
        target.path.attribute(of).ok_or_else(|| Failure::new(400, "invalidPath", format!("There is no attribute “{}”.", target.path.name)))?;
    if attribute.read_only {
        return Err(Failure::new(400, "mutability", format!("{} is read only.", attribute.name)));
    }
    Ok((target, attribute))
}

/// The object that holds the attribute: the resource, or the extension's.
fn holder<'r>(resource: &'r mut Map<String, Value>, path: &AttributePath) -> &'r mut Map<String, Value> {
    let Some(urn) = path.extension else { return resource };
    let extension = resource.entry(urn).or_insert_with(|| json!({}));
    if !extension.is_object() {
        *extension = json!({});
    }
    match extension {
        Value::Object(map) => map,
        _ => unreachable!("made an object above"),
    }
}

fn put(resource: &mut Map<String, Value>, path: &str, value: &Value, add: bool, of: Type) -> Result<(), Failure> {
    // A whole extension as a key.
    if let Some((urn, _)) = of.extensions().iter().find(|(urn, _)| urn.eq_ignore_ascii_case(path)) {
        let Value::Object(values) = value else { return Err(Failure::value("An extension is an object.")) };
        if !add {
            resource.remove(*urn);
        }
        let values = values.iter().filter(|(key, _)| !key.eq_ignore_ascii_case("schemas"));
        return values.into_iter().try_for_each(|(key, value)| put(resource, &format!("{urn}:{key}"), value, add, of));
    }
    let (target, attribute) = target(path, of)?;
    let holder = holder(resource, &target.path);
    if value.is_null() {
        holder.remove(attribute.name);
        return Ok(());
    }
    let sub = target.sub.as_deref().or(target.path.sub.as_deref());
    match (&target.filter, sub) {
        (None, None) => put_whole(holder, attribute, value, add),
        (None, Some(sub)) if !attribute.multi => {
            let sub = sub_attribute(attribute, sub)?;
            let value = fit(sub, value)?;
            let object = holder.entry(attribute.name).or_insert_with(|| json!({}));
            object.as_object_mut().ok_or_else(|| Failure::value("The attribute has no parts."))?.insert(sub.name.to_owned(), value);
            Ok(())
        }
        (filter, sub) => {
            let list = list(holder, attribute);
            let matches = |element: &Value| match (filter, element) {
                (None, _) => true,
                (Some(filter), Value::Object(element)) => filter.holds(element, of),
                _ => false,
            };
            if !list.iter().any(matches) {
                // Entra adds `emails[type eq "work"].value` where there is no such element: it is made.
                if !add && filter.is_some() {
                    return Err(Failure::new(400, "noTarget", "Nothing fits the filter of the path."));
                }
                let mut element = Map::new();
                if let Some(filter) = filter {
                    describe(filter, attribute, &mut element);
                }
                list.push(Value::Object(element));
                let last = list.len() - 1;
                return change(&mut list[last], attribute, sub, value);
            }
            let mut primary = None;
            for (i, element) in list.iter_mut().enumerate() {
                if matches(element) {
                    change(element, attribute, sub, value)?;
                    primary = Some(i).filter(|_| element["primary"] == true).or(primary);
                }
            }
            one_primary(list, primary);
            Ok(())
        }
    }
}

/// Sets a part of an element, or all that is given.
fn change(element: &mut Value, attribute: &Attribute, sub: Option<&str>, value: &Value) -> Result<(), Failure> {
    let Value::Object(element) = element else { return Err(Failure::value("The element has no parts.")) };
    match (sub, value) {
        (Some(sub), value) => {
            let sub = sub_attribute(attribute, sub)?;
            element.insert(sub.name.to_owned(), fit(sub, value)?);
        }
        (None, Value::Object(values)) => {
            for (name, value) in values {
                let sub = sub_attribute(attribute, name)?;
                element.insert(sub.name.to_owned(), fit(sub, value)?);
            }
        }
        (None, value) => {
            let sub = sub_attribute(attribute, "value")?;
            element.insert("value".to_owned(), fit(sub, value)?);
        }
    }
    Ok(())
}

fn put_whole(holder: &mut Map<String, Value>, attribute: &Attribute, value: &Value, add: bool) -> Result<(), Failure> {
    let fitted = fit(attribute, value)?;
    if attribute.multi {
        let Value::Array(new) = fitted else { return Err(Failure::value("A list is needed.")) };
        let list = list(holder, attribute);
        if !add {
            list.clear();
        }
        for element in new {
            // What is there already is not added twice (§3.5.2.1).
            let known = list.iter().position(|known| *known == element || same_value(known, &element));
            let primary = element["primary"] == true;
            let at = known.unwrap_or(list.len());
            match known {
                Some(at) => list[at] = element,
                None => list.push(element),
            }
            if primary {
                one_primary(list, Some(at));
            }
        }
        if list.is_empty() {
            holder.remove(attribute.name);
        }
        return Ok(());
    }
    match (holder.get_mut(attribute.name), fitted) {
        // Parts that are not named stay (§3.5.2.3).
        (Some(Value::Object(known)), Value::Object(new)) => known.extend(new),
        (_, fitted) => drop(holder.insert(attribute.name.to_owned(), fitted)),
    }
    Ok(())
}

/// Whether two members of a list stand for the same thing.
fn same_value(a: &Value, b: &Value) -> bool {
    a.get("value").is_some_and(|value| Some(value) == b.get("value")) && a.get("type") == b.get("type")
}

/// A new primary element takes the place of the old one (§3.5.2).
fn one_primary(list: &mut [Value], primary: Option<usize>) {
    let Some(primary) = primary else { return };
    for (i, element) in list.iter_mut().enumerate() {
        if let (true, Some(element)) = (i != primary, element.as_object_mut())
            && element.contains_key("primary")
        {
            element.insert("primary".to_owned(), Value::Bool(false));
        }
    }
}

fn list<'r>(holder: &'r mut Map<String, Value>, attribute: &Attribute) -> &'r mut Vec<Value> {
    let list = holder.entry(attribute.name).or_insert_with(|| json!([]));
    if !list.is_array() {
        *list = json!([]);
    }
    match list {
        Value::Array(list) => list,
        _ => unreachable!("made a list above"),
    }
}

fn sub_attribute(attribute: &Attribute, name: &str) -> Result<&'static Attribute, Failure> {
    find(attribute.sub, name)
        .ok_or_else(|| Failure::new(400, "invalidPath", format!("{} has no part “{}”.", attribute.name, crate::words::clean::line(name, 60))))
}

/// The parts that a filter names by equality: what a new element must have to fit it.
fn describe(filter: &Filter, attribute: &Attribute, element: &mut Map<String, Value>) {
    match filter {
        Filter::And(a, b) => {
            describe(a, attribute, element);
            describe(b, attribute, element);
        }
        Filter::Compare(path, Compare::Equal, value) => {
            if let Some(sub) = find(attribute.sub, &path.name) {
                element.insert(sub.name.to_owned(), value.clone());
            }
        }
        _ => {}
    }
}

fn remove(resource: &mut Map<String, Value>, path: &str, value: Option<&Value>, of: Type) -> Result<(), Failure> {
    if let Some((urn, _)) = of.extensions().iter().find(|(urn, _)| urn.eq_ignore_ascii_case(path)) {
        resource.remove(*urn);
        return Ok(());
    }
    let (target, attribute) = target(path, of)?;
    let sub = target.sub.as_deref().or(target.path.sub.as_deref());
    if attribute.required && target.filter.is_none() && sub.is_none() {
        return Err(Failure::new(400, "mutability", format!("{} is required.", attribute.name)));
    }
    let holder = holder(resource, &target.path);
    match (&target.filter, sub) {
        // Entra names the members to remove in the value.
        (None, None) if attribute.multi && value.is_some_and(Value::is_array) => {
            let named: Vec<&Value> =
                value.and_then(Value::as_array).into_iter().flatten().map(|element| element.get("value").unwrap_or(element)).collect();
            list(holder, attribute).retain(|element| !named.contains(&element.get("value").unwrap_or(element)));
        }
        (None, None) => drop(holder.remove(attribute.name)),
        (None, Some(sub)) if !attribute.multi => {
            let sub = sub_attribute(attribute, sub)?;
            if let Some(object) = holder.get_mut(attribute.name).and_then(Value::as_object_mut) {
                object.remove(sub.name);
            }
        }
        (filter, sub) => {
            let sub = sub.map(|sub| sub_attribute(attribute, sub)).transpose()?;
            let matches = |element: &Value| match (filter, element) {
                (None, _) => true,
                (Some(filter), Value::Object(element)) => filter.holds(element, of),
                _ => false,
            };
            match sub {
                None => list(holder, attribute).retain(|element| !matches(element)),
                Some(sub) => {
                    for element in list(holder, attribute).iter_mut().filter(|element| matches(element)) {
                        if let Some(element) = element.as_object_mut() {
                            element.remove(sub.name);
                        }
                    }
                }
            }
        }
    }
    if holder.get(attribute.name).is_some_and(|value| value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)) {
        holder.remove(attribute.name);
    }
    Ok(())
}

/// A value in the form that the attribute has; with the leniency that Entra needs.
pub fn fit(attribute: &Attribute, value: &Value) -> Result<Value, Failure> {
    if !attribute.multi {
        return fit_one(attribute, value);
    }
    let elements = match value {
        Value::Array(elements) => elements.as_slice(),
        one => std::slice::from_ref(one),
    };
    let elements: Vec<Value> =
        elements.iter().map(|element| fit_one(attribute, element)).filter(|element| !matches!(element, Ok(Value::Null))).collect::<Result<_, _>>()?;
    if elements.iter().filter(|element| element["primary"] == true).count() > 1 {
        return Err(Failure::value(format!("Only one of {} can be primary.", attribute.name)));
    }
    Ok(Value::Array(elements))
}

fn fit_one(attribute: &Attribute, value: &Value) -> Result<Value, Failure> {
    let wrong = |wanted: &str| Err(Failure::value(format!("{} must be {wanted}.", attribute.name)));
    match (attribute.kind, value) {
        (_, Value::Null) => Ok(Value::Null),
        (Kind::Text | Kind::Reference | Kind::Binary, Value::String(_)) | (Kind::Boolean, Value::Bool(_)) => Ok(value.clone()),
        (Kind::Boolean, Value::String(word)) if word.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
        (Kind::Boolean, Value::String(word)) if word.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
        (Kind::Text | Kind::Reference | Kind::Binary, _) => wrong("text"),
        (Kind::Boolean, _) => wrong("true or false"),
        (Kind::Complex, Value::Object(parts)) => {
            let mut object = Map::new();
            for (name, value) in parts {
                // What the schema does not have is left out.
                if let Some(sub) = find(attribute.sub, name)
                    && !value.is_null()
                {
                    object.insert(sub.name.to_owned(), fit(sub, value)?);
                }
            }
            Ok(if object.is_empty() { Value::Null } else { Value::Object(object) })
        }
        (Kind::Complex, Value::Array(list)) if !attribute.multi => list.first().map_or(Ok(Value::Null), |first| fit_one(attribute, first)),
        (Kind::Complex, Value::String(_)) if find(attribute.sub, "value").is_some() => Ok(json!({ "value": value })),
        (Kind::Complex, _) => wrong("an object"),
    }
}
