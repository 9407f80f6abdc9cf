//! A real Prometheus: Debian's package, as a child process on a port of its own.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use operator_tikv::prometheus::PrometheusConfig;
use serde_json::json;
use tokio::process::{Child, Command};

/// Longer than it takes to start, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a [`Prometheus`] has.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Whom it scrapes every second, `host:port`.
    pub targets: Vec<String>,
    /// Files of rules, evaluated every second.
    pub rule_files: Vec<PathBuf>,
    /// What it knows from the start, as OpenMetrics text, such as [`Frames::open_metrics`](crate::Frames::open_metrics).
    pub samples: Option<String>,
    /// Its whole configuration, instead of one with those targets and files.
    pub config: Option<String>,
}

/// A Prometheus that ends, with its data, when it is dropped.
#[derive(Debug)]
pub struct Prometheus {
    child: Child,
    url: String,
    config: PrometheusConfig,
    _folder: Folder,
}

impl Prometheus {
    /// One that is ready to answer; `None`, and said so, on a machine without the program.
    ///
    /// # Errors
    /// It cannot be set up or does not start, or it is not there in CI, which installs it.
    pub async fn start(setup: Setup) -> Result<Option<Self>, Failure> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("operator-prometheus-{}-{count}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        let (data, file) = (folder.0.join("data"), folder.0.join("prometheus.yml"));
        std::fs::create_dir_all(&data)?;
        if let Some(samples) = &setup.samples
            && !import(samples, &folder.0, &data).await?
        {
            return Ok(None);
        }
        let usual = || {
            format!(
                "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
                 rule_files: {}\n\
                 scrape_configs:\n  - job_name: tikv\n    static_configs: [{{targets: {}}}]\n",
                json!(setup.rule_files),
                json!(setup.targets),
            )
        };
        std::fs::write(&file, setup.config.clone().unwrap_or_else(usual))?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            // Recordings grow old.
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--log.level=error")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let Some(child) = installed("prometheus", child)? else { return Ok(None) };
        let url = format!("http://127.0.0.1:{port}");
        let config = PrometheusConfig::new(url.parse()?);
        let client = config.client()?;
        let prometheus = Self { child, url, config, _folder: folder };
        let started = Instant::now();
        while let Err(error) = client.ready().await {
            if started.elapsed() > PATIENCE {
                return Err(error.into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Some(prometheus))
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How to reach it.
    pub fn config(&self) -> PrometheusConfig {
        self.config.clone()
    }

    /// Ends it.
    ///
    /// # Errors
    /// The system does not end it.
    pub async fn kill(&mut self) -> std::io::Result<()> {
        self.child.kill().await
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Goes when it is dropped, which is after the child was killed.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Makes blocks of `samples`; whether there is a `promtool`.
async fn import(samples: &str, folder: &Path, data: &Path) -> Result<bool, Failure> {
    let file = folder.join("samples.txt");
    std::fs::write(&file, samples)?;
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"])
        .args([&file, &data.to_owned()])
        .stdin(Stdio::null())
        .output()
        .await;
    match installed("promtool", made)? {
        None => Ok(false),
        Some(made) if made.status.success() => Ok(true),
        Some(made) => Err(String::from_utf8_lossy(&made.stderr).into()),
    }
}

fn installed<T>(program: &str, started: std::io::Result<T>) -> Result<Option<T>, Failure> {
    match started {
        Ok(started) => Ok(Some(started)),
        Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            Err(format!("CI installs `{program}`, but: {error}").into())
        }
        Err(error) => {
            // Not by a macro, whose output the harness keeps to itself when a test passes.
            let _ = writeln!(std::io::stderr(), "SKIPPED: no `{program}` here: {error}");
            Ok(None)
        }
    }
}
