//! Values that arguments can take.

use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::model::{Action, Every, FieldType, Installation, IntegrationKind, Preference, Schedule, Table};
use crate::t;

/// A value by its name: kebab-case on the command line, the snake_case of JSON is taken, too.
fn choice<T: Copy + Send + Sync + 'static>(names: &'static [(&'static str, &'static str, T)]) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(
        names.iter().map(|(name, json, _)| if name == json { PossibleValue::new(*name) } else { PossibleValue::new(*name).alias(*json) }),
    )
    .try_map(move |given| names.iter().find(|(name, json, _)| given == *name || given == *json).map(|(_, _, value)| *value).ok_or(given))
}

/// A way to authenticate, by the word of JSON: `oauth2_code`, also written `oauth2-code`.
pub fn auth_kind() -> impl TypedValueParser<Value = &'static str> {
    choice(&[
        ("oauth2-code", "oauth2_code", "oauth2_code"),
        ("device", "device", "device"),
        ("client-credentials", "client_credentials", "client_credentials"),
        ("jwt-bearer", "jwt_bearer", "jwt_bearer"),
        ("signed-jwt", "signed_jwt", "signed_jwt"),
        ("password", "password", "password"),
        ("login", "login", "login"),
        ("oauth1", "oauth1", "oauth1"),
        ("aws-sigv4", "aws_sigv4", "aws_sigv4"),
        ("api-key", "api_key", "api_key"),
        ("bearer", "bearer", "bearer"),
        ("basic", "basic", "basic"),
        ("mtls", "mtls", "mtls"),
        ("none", "none", "none"),
    ])
}

pub fn table() -> impl TypedValueParser<Value = Table> {
    choice(&[
        ("people", "people", Table::People),
        ("saas-users", "saas_users", Table::SaasUsers),
        ("hardware", "hardware", Table::Hardware),
        ("software", "software", Table::Software),
        ("applications", "applications", Table::Applications),
    ])
}

pub fn kind() -> impl TypedValueParser<Value = IntegrationKind> {
    choice(&[
        ("user", "user", IntegrationKind::User),
        ("user-and-saas-user", "user_and_saas_user", IntegrationKind::UserAndSaasUser),
        ("hardware", "hardware", IntegrationKind::Hardware),
        ("software", "software", IntegrationKind::Software),
        ("applications", "applications", IntegrationKind::Applications),
    ])
}

pub fn preference() -> impl TypedValueParser<Value = Preference> {
    choice(&[
        ("create-and-update", "create_and_update", Preference::CreateAndUpdate),
        ("create-only", "create_only", Preference::CreateOnly),
        ("update-only", "update_only", Preference::UpdateOnly),
    ])
}

pub fn installation() -> impl TypedValueParser<Value = Installation> {
    choice(&[("local", "local", Installation::Local), ("cloud", "cloud", Installation::Cloud)])
}

pub fn action() -> impl TypedValueParser<Value = Action> {
    choice(&[
        ("app-role-read", "app_role_read", Action::AppRoleRead),
        ("csv-app-user-upload", "csv_app_user_upload", Action::CsvAppUserUpload),
        ("update-data-source-users", "update_data_source_users", Action::UpdateDataSourceUsers),
        ("app-membership-write", "app_membership_write", Action::AppMembershipWrite),
    ])
}

pub fn field_type() -> impl TypedValueParser<Value = FieldType> {
    choice(&[
        ("text", "text", FieldType::Text),
        ("integer", "integer", FieldType::Integer),
        ("number", "number", FieldType::Number),
        ("boolean", "boolean", FieldType::Boolean),
        ("time", "time", FieldType::Time),
        ("email", "email", FieldType::Email),
    ])
}

/// `on` or `off`.
pub fn switch() -> impl TypedValueParser<Value = bool> {
    choice(&[("on", "true", true), ("off", "false", false)])
}

/// A moment (RFC 3339), or a day, which begins at midnight UTC.
pub fn moment(text: &str) -> Result<crate::model::Time, String> {
    let day = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    text.parse().ok().or_else(|| Some(day()?.timestamp())).ok_or_else(|| t!("cli.run.no_moment").to_owned())
}

/// `KEY=VALUE`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        // The text is not repeated: it may hold a secret that was meant for elsewhere.
        _ => Err(t!("cli.arg.pair").to_owned()),
    }
}

/// `90s`, `15m`, `4h`, `14d`, `2w`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || t!("cli.arg.duration").to_owned();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
    let seconds = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(wrong()),
    };
    // A hundred years are enough for anybody and keep sums of times in range.
    let total = number.parse::<u64>().ok().and_then(|n| n.checked_mul(seconds)).filter(|total| *total <= 100 * 366 * 86_400);
    total.map(Duration::from_secs).ok_or_else(wrong)
}

/// `manual`, `15m`, `4h`, `daily`, `daily@02:00`, `weekly@06:30`. What it does not say keeps its default; the time zone is an argument of
/// its own.
pub fn schedule(text: &str) -> Result<Schedule, String> {
    let wrong = || t!("cli.arg.schedule").to_owned();
    let (every, at) = text.split_once('@').map_or((text, None), |(every, at)| (every, Some(at)));
    let every = match every {
        "manual" => Every::Manual,
        "daily" => Every::Daily,
        "weekly" => Every::Weekly,
        interval => match duration(interval).map_err(|_| wrong())?.as_secs() {
            seconds if seconds >= 3_600 && seconds % 3_600 == 0 => Every::Hours(u32::try_from(seconds / 3_600).map_err(|_| wrong())?),
            seconds if seconds >= 60 && seconds % 60 == 0 => Every::Minutes(u32::try_from(seconds / 60).map_err(|_| wrong())?),
            _ => return Err(wrong()),
        },
    };
    let mut schedule = Schedule { every, ..Schedule::default() };
    match (at, every) {
        (None, _) => {}
        (Some(at), Every::Daily | Every::Weekly) => {
            let parsed: Result<jiff::civil::Time, _> = at.parse();
            if at.len() != 5 || parsed.is_err() {
                return Err(wrong());
            }
            at.clone_into(&mut schedule.at);
        }
        (Some(_), _) => return Err(wrong()),
    }
    Ok(schedule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("14d").unwrap().as_secs(), 14 * 86_400);
        assert_eq!(duration("90s").unwrap().as_secs(), 90);
        for wrong in ["", "d", "14", "14x", "-1d", "99999999999999999999d", "9999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn schedules() {
        let of = |text| schedule(text).map(|schedule| (schedule.every, schedule.at));
        assert_eq!(of("daily"), Ok((Every::Daily, "02:00".to_owned())));
        assert_eq!(of("weekly@06:30"), Ok((Every::Weekly, "06:30".to_owned())));
        assert_eq!(of("15m").unwrap().0, Every::Minutes(15));
        assert_eq!(of("120m").unwrap().0, Every::Hours(2));
        assert_eq!(of("manual").unwrap().0, Every::Manual);
        for wrong in ["", "hourly", "30s", "daily@25:00", "daily@2:00", "15m@02:00", "0m"] {
            assert!(schedule(wrong).is_err(), "{wrong}");
        }
    }
}
