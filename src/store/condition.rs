//! Conditions over the inventory, as people write them: `active = true and (locale = "en-US" or department ~ sales)`.
//!
//! Grammar: `or` of `and` of `not`; a comparison is `FIELD OP VALUE` with `= != < <= > >= ~`, or `FIELD is [not] null`. A value is quoted, or
//! one word. Text is compared without regard to case (ASCII); `~` means "contains". Fields come from the registry and values are bound, so
//! no part of the text reaches the database as SQL.

use super::inventory::{Column, Shape};
use crate::model::{Problem, Value};
use crate::words::clean;
use crate::{problem, t};

/// SQL and what is bound to its `?`, in order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Condition {
    pub sql: String,
    pub values: Vec<Value>,
}

/// Deeper nesting than this is a mistake, and would exhaust the stack.
const DEPTH: usize = 50;

pub(super) fn parse(text: &str, columns: &[Column]) -> Result<Condition, Problem> {
    let tokens = tokens(text)?;
    let end = text.chars().count() + 1;
    let mut parser = Parser { tokens, next: 0, end, columns, out: Condition::default(), depth: 0 };
    parser.any()?;
    match parser.peek() {
        None => Ok(parser.out),
        Some(token) => Err(wrong(token.at, t!("data.condition_reason.operator_expected", found = token.shown()))),
    }
}

fn wrong(at: usize, reason: impl std::fmt::Display) -> Problem {
    problem!(Usage, "data.condition", reason = reason, at = at)
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Word(String),
    Quoted(String),
    Compare(&'static str),
    Open,
    Close,
}

#[derive(Debug, Clone)]
struct Token {
    /// 1-based, in characters.
    at: usize,
    kind: Kind,
}

impl Token {
    fn shown(&self) -> String {
        match &self.kind {
            Kind::Word(text) | Kind::Quoted(text) => clean::line(text, 40),
            Kind::Compare(text) => (*text).to_owned(),
            Kind::Open => "(".to_owned(),
            Kind::Close => ")".to_owned(),
        }
    }

    fn is(&self, keyword: &str) -> bool {
        matches!(&self.kind, Kind::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let at = i + 1;
        let second = chars.get(i + 1).copied();
        let kind = match chars[i] {
            c if c.is_whitespace() => {
                i += 1;
                continue;
            }
            '(' => Kind::Open,
            ')' => Kind::Close,
            '~' => Kind::Compare("~"),
            '=' if second == Some('=') => Kind::Compare("=="),
            '=' => Kind::Compare("="),
            '!' if second == Some('=') => Kind::Compare("!="),
            '<' if second == Some('=') => Kind::Compare("<="),
            '>' if second == Some('=') => Kind::Compare(">="),
            '<' if second == Some('>') => Kind::Compare("<>"),
            '<' => Kind::Compare("<"),
            '>' => Kind::Compare(">"),
            '!' => return Err(wrong(at, t!("data.condition_reason.lone_mark"))),
            quote @ ('"' | '\'') => {
                let mut value = String::new();
                loop {
                    i += 1;
                    match chars.get(i) {
                        None => return Err(wrong(at, t!("data.condition_reason.open_quote"))),
                        // A doubled quote stands for itself, as in SQL; a backslash before a quote does, too.
                        Some(&c) if c == quote => {
                            if chars.get(i + 1) == Some(&quote) {
                                i += 1;
                                value.push(quote);
                            } else {
                                break;
                            }
                        }
                        Some('\\') if matches!(chars.get(i + 1), Some(&c) if c == quote || c == '\\') => {
                            i += 1;
                            value.push(chars[i]);
                        }
                        Some(&c) => value.push(c),
                    }
                }
                out.push(Token { at, kind: Kind::Quoted(value) });
                i += 1;
                continue;
            }
            _ => {
                let start = i;
                while i < chars.len() && !chars[i].is_whitespace() && !"()=!<>~\"'".contains(chars[i]) {
                    i += 1;
                }
                out.push(Token { at, kind: Kind::Word(chars[start..i].iter().collect()) });
                continue;
            }
        };
        i += if let Kind::Compare(op) = kind { op.len() } else { 1 };
        // Both spellings are in use; one stays.
        let kind = match kind {
            Kind::Compare("==") => Kind::Compare("="),
            Kind::Compare("<>") => Kind::Compare("!="),
            kind => kind,
        };
        out.push(Token { at, kind });
    }
    Ok(out)
}

struct Parser<'c> {
    tokens: Vec<Token>,
    next: usize,
    end: usize,
    columns: &'c [Column],
    out: Condition,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn keyword(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is(word));
        self.next += usize::from(found);
        found
    }

    fn any(&mut self) -> Result<(), Problem> {
        self.out.sql.push('(');
        self.all()?;
        while self.keyword("or") {
            self.out.sql.push_str(" or ");
            self.all()?;
        }
        self.out.sql.push(')');
        Ok(())
    }

    fn all(&mut self) -> Result<(), Problem> {
        self.one()?;
        while self.keyword("and") {
            self.out.sql.push_str(" and ");
            self.one()?;
        }
        Ok(())
    }

    fn one(&mut self) -> Result<(), Problem> {
        self.depth += 1;
        let at = self.peek().map_or(self.end, |token| token.at);
        if self.depth > DEPTH {
            return Err(wrong(at, t!("data.condition_reason.too_deep")));
        }
        if self.keyword("not") {
            // What does not compare (an empty field) is not true, so its opposite is.
            self.out.sql.push_str("not ifnull(");
            self.one()?;
            self.out.sql.push_str(", 0)");
        } else if self.peek().is_some_and(|token| token.kind == Kind::Open) {
            self.next += 1;
            self.any()?;
            match self.take() {
                Some(Token { kind: Kind::Close, .. }) => {}
                Some(token) => return Err(wrong(token.at, t!("data.condition_reason.operator_expected", found = token.shown()))),
                None => return Err(wrong(at, t!("data.condition_reason.open_parenthesis"))),
            }
        } else {
            self.comparison()?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn comparison(&mut self) -> Result<(), Problem> {
        let Some(Token { at, kind: Kind::Word(name) }) = self.take() else {
            let at = self.tokens.get(self.next - 1).map_or(self.end, |token| token.at);
            return Err(wrong(at, t!("data.condition_reason.field_expected")));
        };
        let Some(column) = self.columns.iter().find(|column| column.key.eq_ignore_ascii_case(&name)) else {
            let known = self.columns.iter().map(|column| column.key.as_str()).collect::<Vec<_>>().join(", ");
            return Err(wrong(at, t!("data.condition_reason.unknown_field", field = clean::line(&name, 40), known = known)));
        };
        let sql = column.sql();
        let shape = column.shape();
        if self.keyword("is") {
            let not = self.keyword("not");
            let at = self.peek().map_or(self.end, |token| token.at);
            if !self.keyword("null") {
                return Err(wrong(at, t!("data.condition_reason.null_expected")));
            }
            self.out.sql.push_str(&format!("{sql} is {}null", if not { "not " } else { "" }));
            return Ok(());
        }
        let Some(Token { kind: Kind::Compare(op), .. }) = self.take() else {
            let at = self.tokens.get(self.next - 1).map_or(self.end, |token| token.at);
            return Err(wrong(at, t!("data.condition_reason.comparison_expected", field = column.key)));
        };
        let (at, text, quoted) = match self.take() {
            Some(Token { at, kind: Kind::Word(text) }) => (at, text, false),
            Some(Token { at, kind: Kind::Quoted(text) }) => (at, text, true),
            other => return Err(wrong(other.map_or(self.end, |token| token.at), t!("data.condition_reason.value_expected", field = column.key))),
        };
        if !quoted && text.eq_ignore_ascii_case("null") {
            let not = match op {
                "=" => "",
                "!=" => "not ",
                _ => return Err(wrong(at, t!("data.condition_reason.null_compared"))),
            };
            self.out.sql.push_str(&format!("{sql} is {not}null"));
            return Ok(());
        }
        if op == "~" {
            self.out.sql.push_str(&format!("holds(?, {sql})"));
            self.out.values.push(Value::Text(text));
            return Ok(());
        }
        let Some(value) = shape.value(&text) else {
            return Err(wrong(
                at,
                t!("data.condition_reason.value_unfit", value = clean::line(&text, 40), field = column.key, expected = shape.expected()),
            ));
        };
        let collate = if shape == Shape::Text { " collate nocase" } else { "" };
        // An empty field differs from every value.
        let op = if op == "!=" { "is not" } else { op };
        self.out.sql.push_str(&format!("{sql}{collate} {op} ?"));
        self.out.values.push(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Table;
    use crate::store::inventory::searchable;

    fn read(text: &str) -> Result<Condition, Problem> {
        parse(text, &searchable(Table::People, &[]))
    }

    #[test]
    fn conditions_become_sql_with_bound_values() {
        let text = |t: &str| Value::Text(t.to_owned());
        for (written, sql, values) in [
            ("email = ada@example.com", r#"("email" collate nocase = ?)"#, vec![text("ada@example.com")]),
            ("active = true", r#"("_active" = ?)"#, vec![Value::Boolean(true)]),
            (
                "not (locale != \"en-US\" or verified = no)",
                r#"(not ifnull(("locale" collate nocase is not ? or "verified" = ?), 0))"#,
                vec![text("en-US"), Value::Boolean(false)],
            ),
            ("department ~ 'O''Neil' and email is not null", r#"(holds(?, "department") and "email" is not null)"#, vec![text("O'Neil")]),
            ("EMAIL <> null OR phone = null", r#"("email" is not null or "phone" is null)"#, vec![]),
            ("verified_time >= 2026-01-01", r#"("verified_time" collate nocase >= ?)"#, vec![text("2026-01-01")]),
        ] {
            let condition = read(written).unwrap_or_else(|problem| panic!("{written}: {problem:?}"));
            assert_eq!((condition.sql.as_str(), condition.values), (sql, values), "{written}");
        }
    }

    #[test]
    fn faults_say_where() {
        for (written, at) in [
            ("", 1),
            ("mail = a", 1),
            ("email", 6),
            ("email =", 8),
            ("email = a b", 11),
            ("email = 'a", 9),
            ("(email = a", 1),
            ("email = a)", 10),
            ("email ! a", 7),
            ("verified = perhaps", 12),
            ("email < null", 9),
            ("email is x", 10),
            ("created > soon", 11),
            ("= a", 1),
        ] {
            let problem = read(written).expect_err(written);
            assert!(problem.why.contains(&format!("character {at}")), "{written}: {}", problem.why);
        }
        assert!(read(&"(".repeat(100_000)).is_err());
        assert!(read(&"not ".repeat(100_000)).is_err());
    }

    #[test]
    fn no_text_reaches_the_database_as_sql() {
        let condition = read("email = \"x'; drop table people; --\"").unwrap();
        assert!(!condition.sql.contains("drop"));
        assert!(read("email\"; drop = 1").is_err());
    }
}
