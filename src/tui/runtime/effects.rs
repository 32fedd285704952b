//! Each job of the console, as a call of `ops`.

use crate::model::{Problem, Sink};
use crate::ops::answers::Of;
use crate::ops::credentials::{Consent, ConsentView};
use crate::ops::{self, Result, Workspace, connectors, credentials, data, integrations, mappings, notices, overview, permissions, runs};
use crate::tui::app::effect::Job;
use crate::tui::app::msg::Answer;
use crate::tui::panes::data::EXPORT_CSV;
use std::sync::Arc;

/// What a job may need beside the workspace.
pub struct Surroundings {
    pub workspace: Workspace,
    pub demo: Option<Arc<ops::demo::Demo>>,
    pub sink: Sink,
    /// Called when a consent can be shown, and when its address is another one; it is kept so that answers can be offered to it.
    pub on_consent: Box<OnConsent>,
}

type OnConsent = dyn Fn(&Arc<Consent>, ConsentView) + Send + Sync;

/// Does a job. Those that touch only the disk run on a blocking thread.
pub async fn perform(job: Job, around: Surroundings) -> Result<Answer> {
    let Surroundings { workspace: ws, demo, sink, on_consent } = around;
    match job {
        Job::Consent { draft } => {
            let consent = Arc::new(credentials::consent_begin(&ws, &draft).await?);
            on_consent(&consent, consent.view.clone());
            let readdressed = async {
                let mut view = consent.view.clone();
                loop {
                    let (address, ends) = consent.renewed(&view.authorize_url).await;
                    view = ConsentView { authorize_url: address, authorize_url_expires: Some(ends), ..view };
                    on_consent(&consent, view.clone());
                }
            };
            tokio::select! {
                finished = consent.finish(&ws, &sink) => finished?,
                () = readdressed => {}
            }
            Ok(Answer::Consented(consent.route()))
        }
        Job::DraftFinish(draft) => {
            let credentials::Saved { credential, remark } = credentials::save(&ws, &draft).await?;
            Ok(Answer::CredentialSaved { credential, remark })
        }
        Job::Discover(draft) => Ok(Answer::Choices { choices: ops::discover::discover(&ws, &draft, &sink).await?, draft }),
        Job::DraftTest(draft) => Ok(Answer::Tested { outcome: credentials::draft_test(&ws, &draft, &sink).await?, name: draft }),
        Job::CredentialTest(name) => Ok(Answer::Tested { outcome: credentials::test(&ws, &name, &sink).await?, name }),
        Job::CredentialRevoke(name) => Ok(Answer::CredentialRevoked { at_vendor: credentials::revoke(&ws, &name).await?, name }),
        Job::CredentialDelete { name, revoke } => {
            let next =
                |problem| if revoke { Problem { next_step: crate::t!("credentials.delete.not_revoked").to_owned(), ..problem } } else { problem };
            let done = credentials::retire(&ws, &name, revoke).await.map_err(next)?;
            Ok(Answer::CredentialDeleted { name, done })
        }
        Job::CredentialRotate { name, key, value } => {
            let outcome = credentials::rotate(&ws, &name, &key, value.0, None, &sink).await?;
            Ok(Answer::Rotated { name, outcome })
        }
        Job::CredentialRotateBack { name, key } => {
            let outcome = credentials::rotate_back(&ws, &name, &key, &sink).await?;
            Ok(Answer::Rotated { name, outcome })
        }
        Job::IntegrationLaunch(name) => integrations::launch(&ws, &name, &sink).await.map(Answer::Launched),
        Job::LoadSample(integration) => {
            let sample = mappings::sample(&ws, &integration, 50, &sink).await?;
            Ok(Answer::Sample { integration: integration.id, sample })
        }
        Job::Run { integration, options } => runs::start(&ws, &integration, &options, &sink).await.map(Answer::Ran),
        Job::PassADay => {
            if let Some(demo) = demo {
                demo.pass_a_day();
            }
            Ok(Answer::DayPassed)
        }
        job => {
            tokio::task::spawn_blocking(move || blocking(job, &ws, &sink)).await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
        }
    }
}

fn blocking(job: Job, ws: &Workspace, sink: &Sink) -> Result<Answer> {
    let with_connector = |draft: crate::model::CredentialDraft| -> Result<Answer> {
        let connector = connectors::get(ws, &draft.connector)?;
        let needs_consent = credentials::needs_consent(ws, &draft)?;
        Ok(Answer::Draft { draft, connector, needs_consent })
    };
    Ok(match job {
        Job::LoadOverview => Answer::Overview(overview::summary(ws)?),
        Job::LoadConnectors => Answer::Connectors(connectors::list(ws, None)?),
        Job::LoadConnector(id) => Answer::Connector(connectors::get(ws, &id)?),
        Job::LoadConnectorUse => Answer::ConnectorUse(connectors::used(ws)?),
        Job::SaveChecklist { text, path, over } => save_checklist(text, path, over)?,
        Job::LoadCredentials => Answer::Credentials { credentials: credentials::list(ws)?, drafts: credentials::drafts(ws)? },
        Job::LoadIntegration(id) => Answer::Integration(integrations::get(ws, &id)?),
        Job::LoadRuns(integration) => Answer::Runs(runs::list(ws, integration.as_deref(), 500)?),
        Job::LoadRun(id) => Answer::Run { run: runs::get(ws, &id)?, errors: runs::errors(ws, &id, 0, 1_000)? },
        Job::LoadColumns(table) => Answer::Columns { table, columns: data::columns(ws, table)? },
        Job::LoadData { table, query } => Answer::Data { table, page: data::query(ws, table, &query)? },
        Job::LoadSaasApplications => Answer::SaasApplications(data::saas_applications(ws)?),
        Job::LoadNotices => Answer::Notices(notices::list(ws, false, 500)?),

        Job::DraftNew { connector, method } => with_connector(credentials::draft_new(ws, &connector, method.as_deref())?)?,
        Job::DraftLoad(id) => with_connector(credentials::draft_get(ws, &id)?)?,
        Job::DraftSave(draft) => {
            credentials::draft_save(ws, &draft)?;
            Answer::DraftSaved
        }
        Job::DraftSecret { draft, key, value } => with_connector(credentials::draft_secret(ws, &draft, &key, value.0)?)?,
        Job::DraftReference { draft, key, reference } => with_connector(credentials::draft_reference(ws, &draft, &key, &reference)?)?,
        Job::DraftSecretFile { draft, key, path } => with_connector(credentials::draft_secret(ws, &draft, &key, secret_file(&path)?)?)?,
        Job::DraftDiscard(id) => {
            credentials::draft_discard(ws, &id)?;
            Answer::DraftDiscarded
        }
        Job::DraftCheck(draft) => Answer::DraftChecked { findings: credentials::draft_check(ws, &draft)?, draft: draft.id },
        Job::CredentialRenew(name) => with_connector(credentials::renew(ws, &name)?)?,
        Job::CredentialRename { name, to } => Answer::CredentialSaved { credential: credentials::rename(ws, &name, &to)?, remark: None },
        Job::CredentialUsedBy(name) => Answer::UsedBy { integrations: credentials::used_by(ws, &name)?, credential: name },

        Job::IntegrationNew { name, credential } => {
            let mut integration = integrations::new(ws, &name)?;
            if let Some(credential) = credential {
                integrations::set_source(ws, &mut integration, &credential, None)?;
                integration = integrations::save(ws, &integration)?;
            }
            Answer::IntegrationChanged(integration)
        }
        Job::IntegrationSource { mut integration, credential, resource } => {
            integrations::set_source(ws, &mut integration, &credential, resource.as_deref())?;
            Answer::IntegrationChanged(integrations::save(ws, &integration)?)
        }
        Job::IntegrationSave(integration) => Answer::IntegrationChanged(integrations::save(ws, &integration)?),
        Job::IntegrationValidate(integration) => {
            Answer::Findings { findings: integrations::validate(ws, &integration)?, integration: integration.id }
        }
        Job::IntegrationPause(name) => Answer::Paused(integrations::pause(ws, &name)?),
        Job::IntegrationDelete(name) => {
            integrations::delete(ws, &name)?;
            Answer::IntegrationDeleted(name)
        }

        Job::DestinationFields(table) => Answer::Columns { table, columns: mappings::destination_fields(ws, table)? },
        Job::AddField { table, label, kind } => Answer::FieldChanged { table, field: mappings::add_field(ws, table, &label, kind)? },
        Job::RenameField { table, key, label } => Answer::FieldChanged { table, field: mappings::rename_field(ws, table, &key, &label)? },
        Job::Preview { integration, sample } => {
            Answer::Preview { preview: mappings::preview(ws, &integration, &sample)?, integration: integration.id }
        }
        Job::Suggest { integration, sample } => {
            Answer::Suggestions { suggestions: mappings::suggest(ws, &integration, &sample)?, integration: integration.id }
        }
        Job::Matrix(integration) => Answer::Matrix { rows: permissions::matrix(ws, &integration)?, integration: integration.id },
        Job::Advise(integration) => Answer::Advice { findings: permissions::advise(&integration), integration: integration.id },

        Job::CancelRun(run) => {
            runs::cancel(ws, &run)?;
            Answer::RunCancelled(run)
        }
        Job::Export { table, query, path } => export(ws, table, &query, &path, sink)?,
        Job::MarkNotice { id, read } => {
            notices::mark(ws, id, read)?;
            Answer::NoticesMarked
        }
        Job::VaultUnlock(passphrase) => Answer::VaultUnlocked(ops::vault::unlock_for(ws, &passphrase.0, ops::vault::KEEP)?),
        Job::VaultStatus => Answer::Vault(ops::vault::status(ws)?),
        Job::VaultLock => {
            ops::vault::lock(ws)?;
            Answer::VaultLocked
        }
        Job::CredentialExpiry { name, at } => Answer::CredentialSaved { credential: credentials::set_secret_expiry(ws, &name, at)?, remark: None },
        Job::LoadScopes(name) => Answer::Scopes { report: ops::scopes::report(ws, &name)?, credential: name },
        Job::LoadTokens(name) => Answer::Tokens { tokens: ops::token_view::view(ws, &name)?, credential: name },
        Job::LoadCalendar => Answer::Calendar(credentials::calendar(ws)?),
        Job::SaveAnswers { of, path, over } => save_answers(ws, of, path, over)?,
        Job::Consent { .. }
        | Job::DraftFinish(_)
        | Job::Discover(_)
        | Job::CredentialDelete { .. }
        | Job::CredentialRotate { .. }
        | Job::CredentialRotateBack { .. }
        | Job::DraftTest(_)
        | Job::CredentialTest(_)
        | Job::CredentialRevoke(_)
        | Job::IntegrationLaunch(_)
        | Job::LoadSample(_)
        | Job::Run { .. }
        | Job::PassADay => unreachable!("`perform` does it"),
    })
}

/// Writes answers for their owner alone; over a file that exists only when that was said.
fn save_answers(ws: &Workspace, of: Of, path: String, over: bool) -> Result<Answer> {
    let expanded = expanded(&path);
    if !over && expanded.exists() {
        return Ok(Answer::AnswersThere { of, path });
    }
    ops::answers::save(ws, &of, &expanded)?;
    Ok(Answer::AnswersSaved(expanded.display().to_string()))
}

/// Writes a checklist, which holds nothing secret; over a file that exists only when that was said.
fn save_checklist(text: String, path: String, over: bool) -> Result<Answer> {
    let expanded = expanded(&path);
    if !over && expanded.exists() {
        return Ok(Answer::ChecklistThere { text, path });
    }
    std::fs::write(&expanded, text)
        .map_err(|error| crate::problem!(Failed, "export.failed", path = crate::words::clean::line(&path, 200), reason = error))?;
    Ok(Answer::ChecklistSaved(expanded.display().to_string()))
}

/// No key or certificate is larger.
const LARGEST_SECRET: u64 = 256 << 10;

/// A secret out of a file: a key in PEM, the JSON file of a service account.
fn secret_file(path: &str) -> Result<crate::model::Secret> {
    let failed = |reason: String| {
        crate::problem!(
            Usage,
            "wizard.credential.file",
            path = crate::words::clean::line(path, 200),
            reason = crate::words::clean::line(&reason, 200)
        )
    };
    let mut text = zeroize::Zeroizing::new(String::new());
    let file = std::fs::File::open(expanded(path)).map_err(|error| failed(error.to_string()))?;
    std::io::Read::read_to_string(&mut std::io::Read::take(file, LARGEST_SECRET + 1), &mut text).map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > LARGEST_SECRET {
        return Err(failed(crate::t!("wizard.credential.file_large").to_owned()));
    }
    Ok(crate::model::Secret::new(text.as_str()))
}

fn expanded(path: &str) -> std::path::PathBuf {
    match path.strip_prefix("~/") {
        Some(rest) => directories::BaseDirs::new().map_or_else(|| path.into(), |dirs| dirs.home_dir().join(rest)),
        None => std::path::PathBuf::from(path),
    }
}

/// Writes a file that only its owner can read, and never over one that exists.
fn export(ws: &Workspace, table: crate::model::Table, query: &crate::model::DataQuery, path: &str, sink: &Sink) -> Result<Answer> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let expanded = expanded(path);
    let failed = |error: std::io::Error| crate::problem!(Failed, "export.failed", path = crate::words::clean::line(path, 200), reason = error);
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&expanded).map_err(failed)?;
    let format = if path.to_ascii_lowercase().ends_with(EXPORT_CSV) { data::ExportFormat::Csv } else { data::ExportFormat::Jsonl };
    let mut out = std::io::BufWriter::new(file);
    let records = data::export(ws, table, query, format, &mut out, sink)?;
    std::io::Write::flush(&mut out).map_err(failed)?;
    Ok(Answer::Exported { path: expanded.display().to_string(), records })
}
