//! Three real members (Debian's `etcd-server`), which end with the test.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

struct Member {
    name: String,
    client: String,
    peer: String,
    process: Option<Child>,
}

pub(crate) struct Cluster {
    members: Vec<Member>,
    options: Vec<String>,
    folder: PathBuf,
}

fn free_address() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}

impl Cluster {
    /// `None`, and said so, on a machine without the program.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("operator-etcd-{}-{count}", std::process::id()));
        let member = |index| Member {
            name: format!("etcd{index}"),
            client: free_address(),
            peer: free_address(),
            process: None,
        };
        let mut cluster = Self {
            members: (0..3).map(member).collect(),
            options: options.iter().map(ToString::to_string).collect(),
            folder,
        };
        for index in 0..3 {
            match cluster.spawn(index) {
                Ok(child) => cluster.members[index].process = Some(child),
                Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
                    panic!("CI installs etcd, but: {error}")
                }
                Err(error) => {
                    // Not by a macro, whose output the harness keeps to itself when a test passes.
                    let _ = writeln!(std::io::stderr(), "SKIPPED: no `etcd` here: {error}");
                    return None;
                }
            }
        }
        Some(cluster)
    }

    fn spawn(&self, index: usize) -> std::io::Result<Child> {
        let member = &self.members[index];
        let all: Vec<_> =
            self.members.iter().map(|member| format!("{}=http://{}", member.name, member.peer)).collect();
        Command::new("etcd")
            .args(["--name", &member.name, "--logger=zap", "--log-level=error"])
            .arg("--data-dir")
            .arg(self.folder.join(&member.name))
            .arg(format!("--listen-client-urls=http://{}", member.client))
            .arg(format!("--advertise-client-urls=http://{}", member.client))
            .arg(format!("--listen-peer-urls=http://{}", member.peer))
            .arg(format!("--initial-advertise-peer-urls=http://{}", member.peer))
            .arg(format!("--initial-cluster={}", all.join(",")))
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.members.iter().map(|member| member.client.clone()).collect()
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.addresses().iter().map(|address| format!("http://{address}")).collect()
    }

    fn index(&self, address: &str) -> usize {
        self.members.iter().position(|member| member.client == address).expect("a member")
    }

    pub(crate) fn kill(&mut self, address: &str) {
        let index = self.index(address);
        let mut process = self.members[index].process.take().expect("it runs");
        process.kill().unwrap();
        process.wait().unwrap();
    }

    pub(crate) fn restart(&mut self, address: &str) {
        let index = self.index(address);
        self.members[index].process = Some(self.spawn(index).unwrap());
    }

    /// Writes so many bytes, as `etcdctl put` does, a tenth of a megabyte at a time.
    pub(crate) async fn fill(&self, bytes: usize) {
        const SIZE: usize = 100_000;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/v3/kv/put", self.urls()[0]);
        // In base64 `A` is nothing but zero bits.
        let value = "A".repeat(SIZE / 3 * 4);
        for number in 0..bytes / SIZE {
            let key = format!("a2V5{number:04}");
            let body = format!(r#"{{"key":"{key}","value":"{value}"}}"#);
            let answer = client.post(&url).body(body).send().await.unwrap();
            assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in self.members.iter_mut().filter_map(|member| member.process.as_mut()) {
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
