//! Everything that obtaining and using a credential needs to know, taken together once: definition, method, values, addresses.

use std::sync::Arc;

use super::registration::CLIENT_SECRET;
use super::{jws, references};
use crate::catalog::template::Context;
use crate::catalog::{Catalog, addresses, input};
use crate::model::{AuthMethod, Connector, Credential, Problem, Secret};
use crate::problem;
use crate::vault::Vault;
use crate::words::clean;

/// A setting that names the issuer when the addresses are replaced.
pub const ISSUER: &str = "issuer";
/// A setting that names the whole redirect URI, for apps that are registered with another one.
pub const REDIRECT_URI: &str = "redirect_uri";

/// A credential (or a draft of one) with its secrets at hand.
#[derive(Clone)]
pub struct Subject {
    /// Owner of the secrets in the vault: the credential's or draft's identifier.
    pub id: String,
    pub connector: Arc<Connector>,
    /// Key of the method in the connector.
    pub method_key: String,
    /// What templates can name, secret inputs included.
    pub context: Context,
    /// To ask for, rendered.
    pub scopes: Vec<String>,
    secrets: Vec<Secret>,
    witness: Option<Witness>,
}

/// Gets the answer to a token request the moment it is whole, before anything is read in it: its `Content-Type` and its body.
pub type Witness = Arc<dyn Fn(&str, &[u8]) -> Result<(), Problem> + Send + Sync>;

impl Subject {
    /// Reads the secrets from the vault, and from where references lead: that may take up to ten seconds each.
    pub fn load(vault: &Vault, catalog: &Catalog, credential: &Credential) -> Result<Self, Problem> {
        let connector = catalog.get(&credential.connector)?;
        let Some(method) = connector.auth.get(&credential.method) else {
            return Err(problem!(
                Usage,
                "auth.no_method",
                connector = clean::line(&connector.name, 80),
                method = clean::line(&credential.method, 80)
            ));
        };
        let inputs = connector.inputs_for(&credential.method);
        let mut settings = credential.settings.clone();
        for value in settings.values_mut() {
            *value = value.trim().to_owned();
        }
        for one in &inputs {
            if let Some(value) = settings.get_mut(&one.key) {
                *value = input::tidy(one, value);
            }
        }
        let mut context = Context::new(&connector, &credential.method, &settings, &credential.found);
        let mut secrets = Vec::new();
        for one in inputs.iter().filter(|one| one.secret) {
            let found = match credential.references.get(&one.key) {
                Some(reference) => Some(Secret::new(input::tidy(one, references::resolve(reference)?.expose()))),
                None if credential.secrets.contains(&one.key) => vault.get(&credential.id, &one.key)?,
                None => None,
            };
            if let Some(secret) = found {
                context.input.insert(one.key.clone(), secret.expose().to_owned());
                secrets.push(secret);
            }
        }
        // The secret of a client that was registered from here, where the definition asks nobody for it.
        if !inputs.iter().any(|one| one.key == CLIENT_SECRET)
            && credential.secrets.iter().any(|key| key == CLIENT_SECRET)
            && let Some(secret) = vault.get(&credential.id, CLIENT_SECRET)?
        {
            context.input.insert(CLIENT_SECRET.to_owned(), secret.expose().to_owned());
            secrets.push(secret);
        }
        if let Some(jwt) = &method.jwt
            && let Some(member) = &jwt.key_member
            && let Some(file) = context.input.get(jwt.key.as_deref().unwrap_or("private_key"))
        {
            let members = jws::members(file, member);
            context.more.extend(members.into_iter().map(|(name, value)| (format!("found.key.{name}"), value)));
        }
        let scopes = addresses::scopes(method, &credential.scopes, &context)?;
        Ok(Self { id: credential.id.clone(), method_key: credential.method.clone(), context, scopes, secrets, connector, witness: None })
    }

    #[must_use]
    pub fn witnessed(mut self, witness: Witness) -> Self {
        self.witness = Some(witness);
        self
    }

    /// Shows a successful answer of the token endpoint to whoever keeps it.
    pub fn came(&self, content_type: &str, body: &[u8]) -> Result<(), Problem> {
        self.witness.as_ref().map_or(Ok(()), |witness| witness(content_type, body))
    }

    /// The same credential with another value of a secret input.
    #[must_use]
    pub fn with_secret(mut self, key: &str, value: &Secret) -> Self {
        self.context.input.insert(key.to_owned(), value.expose().to_owned());
        self.secrets.push(value.clone());
        self
    }

    /// One that was never stored.
    #[cfg(test)]
    pub fn for_tests(connector: Connector, method: &str, inputs: &[(&str, &str)]) -> Self {
        let settings = inputs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let context = Context::new(&connector, method, &settings, &indexmap::IndexMap::new());
        let (id, method_key) = ("cred_test".to_owned(), method.to_owned());
        Self { id, method_key, context, scopes: Vec::new(), secrets: Vec::new(), connector: Arc::new(connector), witness: None }
    }

    #[must_use]
    pub fn method(&self) -> &AuthMethod {
        // `load` looked it up in the same connector, which is not changed afterwards.
        &self.connector.auth[&self.method_key]
    }

    /// The vendor's name, fit to show.
    #[must_use]
    pub fn vendor(&self) -> String {
        clean::line(&self.connector.name, 80)
    }

    /// The value of an input; `None` when it is empty.
    #[must_use]
    pub fn input(&self, key: &str) -> Option<&str> {
        self.context.input.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn required(&self, key: &str) -> Result<&str, Problem> {
        self.input(key).ok_or_else(|| {
            let inputs = self.connector.inputs_for(&self.method_key);
            let label = inputs.iter().find(|one| one.key == key).map_or(key, |one| one.label.as_str());
            problem!(Usage, "auth.missing", vendor = self.vendor(), label = clean::line(label, 80))
        })
    }

    /// The secret inputs, to be kept out of what a vendor says.
    #[must_use]
    pub fn hide(&self) -> Vec<&str> {
        self.secrets.iter().map(Secret::expose).collect()
    }

    /// The issuer that answers must name: a setting's, else the definition's.
    pub fn issuer(&self) -> Result<Option<String>, Problem> {
        match self.input(ISSUER) {
            Some(issuer) => Ok(Some(addresses::check(ISSUER, issuer).map(|_| issuer.to_owned())?)),
            None => addresses::issuer(self.method(), &self.context),
        }
    }

    /// Between scopes; RFC 6749 §3.3 says a space.
    #[must_use]
    pub fn separator(&self) -> &str {
        self.method().scopes.separator.as_deref().unwrap_or(" ")
    }
}
