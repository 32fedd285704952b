//! Choosing from a numbered list, and the small questions.

use crate::model::{Finding, Severity};
use crate::ops::Result;
use crate::prompt::{ask, say};
use crate::t;
use crate::words::clean;

/// The longest list that is read out at once; a longer one is narrowed by typing.
const LONGEST: usize = 20;

/// Reads a list out and asks for a number, or for a part of a name; Enter is `None`.
pub fn one(question: &str, items: &[String]) -> Result<Option<usize>> {
    let mut shown: Vec<usize> = (0..items.len()).collect();
    loop {
        for (number, &at) in shown.iter().enumerate().take(LONGEST) {
            say::remark(&t!("plain.item", n = number + 1, text = clean::line(&items[at], 300)));
        }
        if shown.len() > LONGEST {
            say::remark(&t!("plain.more", n = shown.len() - LONGEST));
        }
        let answer = ask::text(question, None)?;
        if answer.is_empty() {
            return Ok(None);
        }
        match chosen(&answer, &shown, items) {
            Chosen::One(at) => return Ok(Some(at)),
            Chosen::Narrowed(left) => shown = left,
            Chosen::None => {
                say::remark(&t!("plain.no_such", text = clean::line(&answer, 80)));
                shown = (0..items.len()).collect();
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Chosen {
    One(usize),
    Narrowed(Vec<usize>),
    None,
}

/// A number of the list as it was read out, a whole name, or a part of one.
fn chosen(answer: &str, shown: &[usize], items: &[String]) -> Chosen {
    if let Ok(number) = answer.parse::<usize>() {
        return number.checked_sub(1).and_then(|at| shown.get(at)).map_or(Chosen::None, |&at| Chosen::One(at));
    }
    let wanted = answer.to_lowercase();
    if let Some(at) = items.iter().position(|item| item.to_lowercase() == wanted) {
        return Chosen::One(at);
    }
    let left: Vec<usize> = (0..items.len()).filter(|&at| items[at].to_lowercase().contains(&wanted)).collect();
    match left.as_slice() {
        [] => Chosen::None,
        [only] => Chosen::One(*only),
        _ => Chosen::Narrowed(left),
    }
}

/// Asks with what is there now as the answer to Enter.
pub fn text(question: &str, now: &str) -> Result<String> {
    ask::text(question, Some(now).filter(|now| !now.is_empty()))
}

/// Asks for one of several values; Enter keeps what is there.
pub fn value<T: Copy + PartialEq>(question: &str, values: &[T], name: impl Fn(T) -> String, now: T) -> Result<T> {
    let names: Vec<String> = values.iter().map(|&value| if value == now { t!("plain.now", text = name(value)) } else { name(value) }).collect();
    Ok(one(question, &names)?.map_or(now, |at| values[at]))
}

/// Reads findings out: what, why, what to do. Whether one of them is an error.
pub fn findings(findings: &[Finding]) -> bool {
    for finding in findings {
        say::failure(&finding.problem);
    }
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_names_and_parts_of_names_choose() {
        let items = ["Slack", "Zoom", "Zoho Desk", "Zoho Mail"].map(str::to_owned);
        let all = [0, 1, 2, 3];
        assert_eq!(chosen("2", &all, &items), Chosen::One(1));
        assert_eq!(chosen("2", &[2, 3], &items), Chosen::One(3), "as the list was read out");
        assert_eq!(chosen("zoom", &all, &items), Chosen::One(1));
        assert_eq!(chosen("zoho", &all, &items), Chosen::Narrowed(vec![2, 3]));
        assert_eq!(chosen("mail", &all, &items), Chosen::One(3));
        for wrong in ["0", "5", "99999999999999999999999", "okta"] {
            assert_eq!(chosen(wrong, &all, &items), Chosen::None, "{wrong}");
        }
    }
}
