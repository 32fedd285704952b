//! The members API, in the shape that public copies of the Clickwrap documentation give. See the room's own page for what is assumed.

use std::fmt::Write as _;

use super::people::Person;
use super::server::{Bent, Call, Reply};
use super::{ACCOUNT, Shared, lock};

const USUAL: u64 = 100;
const MOST: u64 = 1_000;

/// Members of the members, in the order in which they are written.
const FIELDS: [&str; 8] = ["id", "email", "name", "locale", "time_zone", "verified", "verified_time", "profiles"];

pub fn page_asked(call: &Call) -> u64 {
    call.param("page").and_then(|page| page.parse().ok()).unwrap_or(1)
}

pub fn answer(shared: &Shared, call: &Call, path: &[&str], bent: Bent) -> Reply {
    match path {
        ["accounts", ACCOUNT | "practice", "members"] => list(shared, call, bent, None),
        ["accounts", _, "members"] => Reply::error(404, "not_found", "There is no such account; the practice account is 1."),
        ["sites", site, "memberships"] => match site.parse::<u64>() {
            Ok(site) => list(shared, call, bent, Some(site)),
            Err(_) => Reply::error(404, "not_found", "There is no such site; sites are numbers."),
        },
        _ => Reply::error(404, "not_found", "The practice vendor has nothing at this address."),
    }
}

fn list(shared: &Shared, call: &Call, bent: Bent, site: Option<u64>) -> Reply {
    let bad = |message: &str| Reply::error(400, "bad_request", message);
    let number = |name: &str, usual: u64| call.param(name).map_or(Some(usual), |text| text.parse().ok().filter(|n| *n > 0));
    let (Some(page), Some(per_page)) = (number("page", 1), number("per_page", USUAL)) else {
        return bad("page and per_page are whole numbers from 1.");
    };
    // How the vendor understands these is not known in public: ignoring them would pretend that it is.
    if let Some(name) = ["filter", "sort", "expand"].into_iter().find(|name| call.param(name).is_some()) {
        return bad(&format!("The practice vendor does not know the parameter {name}."));
    }
    let fields: Option<Vec<&str>> = call.param("fields").map(|fields| fields.split(',').map(str::trim).collect());
    if let Some(unknown) = fields.iter().flatten().find(|field| !FIELDS.contains(field)) {
        return bad(&format!("There is no field {}.", crate::words::clean::line(unknown, 60)));
    }
    let wanted = |field: &str| fields.as_ref().is_none_or(|fields| fields.contains(&field));
    let per_page = per_page.min(MOST);
    let skip = (page - 1).saturating_mul(per_page);
    let roster = lock(&shared.roster);
    let total = if bent.empty { 0 } else { roster.count() };
    let mut data = String::with_capacity(usize::try_from(per_page.min(total)).unwrap_or(0) * 260 + 2);
    let mut count = 0;
    let room = if bent.empty { 0 } else { usize::try_from(per_page).unwrap_or(0) };
    for (i, mut person) in roster.from(skip.min(total)).take(room).enumerate() {
        if bent.hostile {
            person.name = hostile(&person.name, i);
        }
        if count > 0 {
            data.push(',');
        }
        match site {
            None => write_member(&mut data, &person, wanted),
            Some(site) => {
                let id = person.id + 1_000_000;
                let _ =
                    write!(data, "{{\"id\":{id},\"account\":{ACCOUNT},\"site\":{site},\"role\":\"member\",\"membership_type\":\"site\",\"user\":");
                write_member(&mut data, &person, wanted);
                data.push('}');
            }
        }
        count += 1;
    }
    drop(roster);
    let has_more = skip + count < total;
    let total = if call.param("no_count").is_some_and(|value| value != "false") { String::new() } else { format!("\"total_count\":{total},") };
    Reply::of(
        200,
        "application/json",
        format!("{{\"count\":{count},\"has_more\":{has_more},\"page\":{page},\"per_page\":{per_page},{total}\"data\":[{data}]}}"),
    )
}

fn write_member(out: &mut String, person: &Person, wanted: impl Fn(&str) -> bool) {
    out.push('{');
    let start = out.len();
    for field in FIELDS.into_iter().filter(|field| wanted(field)) {
        if out.len() > start {
            out.push(',');
        }
        let _ = write!(out, "\"{field}\":");
        match field {
            "id" => drop(write!(out, "{}", person.id)),
            "email" => text(out, &person.email),
            "name" => text(out, &person.name),
            "locale" => text(out, person.locale),
            "time_zone" => text(out, person.time_zone),
            "verified" => drop(write!(out, "{}", person.verified)),
            "verified_time" => match person.verified_time.and_then(|at| jiff::Timestamp::from_second(at).ok()) {
                Some(at) => drop(write!(out, "\"{at}\"")),
                None => out.push_str("null"),
            },
            _ => out.push_str("[]"),
        }
    }
    out.push('}');
}

/// A JSON string.
fn text(out: &mut String, text: &str) {
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

/// What a vendor's record may hold when somebody means ill, or copied from the wrong window.
pub fn hostile(name: &str, i: usize) -> String {
    match i % 8 {
        0 => format!("{}\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31m", name),
        1 => format!("\u{202e}{}\u{2066}", name),
        2 => format!("{}\u{1b}]52;c;cm0gLXJmIH4=\u{7}", name),
        3 => "x".repeat(1 << 20),
        4 => format!("{}\r\n\u{9b}31m\u{85}\0\u{7f}", name),
        5 => "=cmd|' /C calc'!A0".to_owned(),
        6 => "{{ 7*7 }}{% for i in range(10**9) %}".to_owned(),
        _ => "e\u{301}".repeat(2_000) + "\u{200d}\u{fe0f}\u{feff}",
    }
}
