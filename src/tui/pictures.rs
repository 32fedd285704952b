//! Pictures of the console for the README: the first journey is walked for real against the practice vendor, and the screens it passes are
//! kept as SVG. Made by `intertie pictures DIR`.

use super::app::effect::Job;
use super::app::msg::{Msg, TaskEvent};
use super::harness::Harness;
use super::ui::svg;
use crate::model::Problem;
use crate::ops::{Config, credentials, demo};
use crate::problem;
use std::path::Path;
use std::sync::Arc;

const SIZE: (u16, u16) = (100, 30);

struct Camera<'a> {
    dir: &'a Path,
    demo: Arc<demo::Demo>,
    console: Harness,
}

/// Writes all pictures to a directory; those of the same name are replaced.
pub async fn write(dir: &Path) -> Result<(), Problem> {
    std::fs::create_dir_all(dir).map_err(|error| failed(dir, &error))?;
    let demo = Arc::new(demo::start(Config::default()).await?);
    let mut console = Harness::new(SIZE.0, SIZE.1);
    console.state.workspace = demo.workspace.name();
    console.state.demo = true;
    let mut camera = Camera { dir, demo, console };
    camera.walk().await
}

fn failed(path: &Path, error: &std::io::Error) -> Problem {
    problem!(Failed, "export.failed", path = path.display(), reason = error)
}

impl Camera<'_> {
    /// Types keys one by one, and lets everything that they start come to its end.
    async fn keys(&mut self, keys: &[&str]) {
        for key in keys {
            self.console.keys(key);
            self.console.settle(&self.demo.workspace, Some(&self.demo), |_| ()).await;
        }
    }

    fn take(&mut self, name: &str, title: &str) -> Result<(), Problem> {
        self.console.state.toasts.clear();
        let path = self.dir.join(format!("{name}.svg"));
        std::fs::write(&path, svg::picture(&self.console.buffer(), title)).map_err(|error| failed(&path, &error))
    }

    async fn walk(&mut self) -> Result<(), Problem> {
        self.console.settle(&self.demo.workspace, Some(&self.demo), |_| ()).await;
        self.keys(&["2"]).await;
        self.take("connectors", crate::t!("pane.connectors"))?;
        self.keys(&["/icertis", "<enter>", "<enter>"]).await;
        self.take("needs", crate::t!("pane.connectors"))?;
        self.keys(&["<esc>", "<esc>", "1", "c", "n"]).await;
        self.consent().await?;
        self.keys(&["<enter>", "<enter>", "<enter>", "<enter>", "practice-secret"]).await;
        self.take("wizard", crate::t!("pane.credentials"))?;
        self.keys(&["<enter>", "<enter>", "<enter>"]).await;
        self.take("tested", crate::t!("pane.credentials"))?;
        self.keys(&["<enter>", "<enter>", "<f3>", "s"]).await;
        self.take("mapping", crate::t!("pane.integrations"))?;
        self.keys(&["j", "j", "<enter>", "=Employee", "<enter>", "<f4>", "j", "j", "<space>"]).await;
        self.take("permissions", crate::t!("pane.integrations"))?;
        self.keys(&["<esc>", "4", "l", "r", "1", "d", "4", "r", "5"]).await;
        self.take("runs", crate::t!("pane.runs"))?;
        self.keys(&["6"]).await;
        self.take("data", crate::t!("pane.data"))?;
        self.keys(&["1"]).await;
        self.take("overview", crate::t!("pane.overview"))
    }

    /// The consent of the other method, shown and not given; the wizard goes back to where it was.
    async fn consent(&mut self) -> Result<(), Problem> {
        for key in ["j", "<enter>", "<enter>", "<enter>", "<enter>", "practice-secret", "<enter>", "<enter>", "<enter>"] {
            self.console.keys(key);
            self.console.settle_but(&self.demo.workspace, Some(&self.demo), |job| matches!(job, Job::Consent { .. })).await;
        }
        let waiting = self.console.open.iter().find_map(|(id, spec)| match &spec.job {
            Job::Consent { draft } => Some((*id, draft.clone())),
            _ => None,
        });
        if let Some((id, draft)) = waiting {
            let consent = credentials::consent_begin(&self.demo.workspace, &draft).await?;
            self.console.send(Msg::Task { id, event: TaskEvent::Consent(Box::new(consent.view.clone())) });
            self.take("consent", crate::t!("pane.credentials"))?;
            self.console.open.retain(|(open, _)| *open != id);
            self.console.send(Msg::Task { id, event: TaskEvent::Cancelled });
        }
        // Back to the first question, and the first method again.
        self.keys(&["<esc>", "<esc>", "<esc>", "<esc>", "<esc>", "<esc>", "<esc>", "k"]).await;
        Ok(())
    }
}
