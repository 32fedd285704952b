//! What is wrong with a mailbox: its address, who signs in, and what is asked of it.

use super::Place::{Index, Key};
use super::{Check, Place, fault, short};
use crate::model::{AuthKind, Format};

/// What the query of a resource and of a check may hold.
const ASKED: [&str; 1] = ["since"];
const CHECKED: [&str; 1] = ["smtp"];

/// The scheme of an address, where the definition fixes it.
fn scheme(address: &str) -> Option<&str> {
    address.split_once("://").map(|(scheme, _)| scheme).filter(|scheme| scheme.bytes().all(|byte| byte.is_ascii_alphabetic()))
}

impl<'c> Check<'c> {
    pub(super) fn mail(&mut self) {
        let c = self.connector;
        let bases = &c.request.base_url;
        let any = |known: &[&str]| bases.iter().any(|base| scheme(base).is_some_and(|scheme| known.contains(&scheme)));
        let reads = c.resources.iter().any(|resource| resource.format == Format::Imap);
        if !reads && !any(&["imap", "imaps", "smtp", "smtps"]) {
            return;
        }
        for base in bases {
            if reads && scheme(base).is_some_and(|scheme| !["imap", "imaps"].contains(&scheme)) {
                report!(self, [Key("request"), Key("base_url")], "catalog.fault.mail_base", url = short(base));
            }
        }
        self.owners();
        for (i, resource) in c.resources.iter().enumerate().filter(|(_, resource)| resource.format == Format::Imap) {
            let at = |key: &'static str| [Key("resource"), Index(i), Key(key)];
            if !["", "messages", "folders"].contains(&resource.records.as_str()) {
                report!(self, at("records"), "catalog.fault.mail_records", records = short(&resource.records));
            }
            for key in resource.query.keys().chain(resource.changed.keys()).filter(|key| !ASKED.contains(&key.as_str())) {
                report!(self, at("query"), "catalog.fault.mail_query", key = short(key), known = ASKED.join(", "));
            }
        }
        for (i, check) in c.checks.iter().enumerate() {
            let at = [Key("check"), Index(i), Key("query")];
            for key in check.query.keys().filter(|key| !CHECKED.contains(&key.as_str())) {
                report!(self, at, "catalog.fault.mail_query", key = short(key), known = CHECKED.join(", "));
            }
            if let Some(server) = check.query.get("smtp")
                && !server.starts_with("{{")
                && !scheme(server).is_some_and(|scheme| ["smtp", "smtps"].contains(&scheme))
            {
                report!(self, at, "catalog.fault.mail_sending", url = short(server));
            }
        }
    }

    /// Every method that opens the mailbox says with what, and whose it is.
    fn owners(&mut self) {
        let c = self.connector;
        for (key, method) in &c.auth {
            let opens = c.resources_for(key).any(|resource| resource.format == Format::Imap)
                || c.checks.iter().any(|check| check.auth.is_empty() || check.auth.contains(key));
            if !opens {
                continue;
            }
            let token = matches!(
                method.kind,
                AuthKind::OAuth2Code | AuthKind::Device | AuthKind::ClientCredentials | AuthKind::JwtBearer | AuthKind::Password | AuthKind::Login
            );
            if !token && method.kind != AuthKind::Basic {
                report!(self, [Key("auth"), Key(key)], "catalog.fault.mail_method", method = short(key));
            } else if method.username.is_none() && !c.inputs_for(key).iter().any(|input| input.key == "username") {
                report!(self, [Key("auth"), Key(key)], "catalog.fault.mail_user", method = short(key));
            }
        }
    }
}
