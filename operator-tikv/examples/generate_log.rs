//! Writes a large log to standard output: the recorded lines of four TiKVs in the order of time, again and again, each
//! time later. For measuring; `docs/performance.md` says how.
//!
//! `cargo run -p operator-tikv --example generate_log -- 1000 > big.log`, in MB.

use std::error::Error;
use std::io::{BufWriter, ErrorKind, Write, stdout};
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use operator_tikv::log::{Filter, Merge};

fn main() -> Result<(), Box<dyn Error>> {
    let megabytes: u64 = std::env::args().nth(1).unwrap_or("1000".to_owned()).parse()?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings/logs");
    let files: Vec<PathBuf> = (0..4).map(|node| folder.join(format!("tikv{node}.log.gz"))).collect();

    let (mut merge, mut lines) = (Merge::open(&files, &Filter::default()), Vec::new());
    while merge.advance() {
        if let Some((_, group)) = merge.group() {
            lines.push((group.entry()?.time.utc(), group.head.get(32..).unwrap_or_default().to_vec()));
        }
    }
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
        return Err("no recorded lines".into());
    };
    let span = last.0 - first.0 + TimeDelta::seconds(1);

    let (mut out, mut written, mut shift) = (BufWriter::new(stdout().lock()), 0, TimeDelta::zero());
    while written < megabytes * 1_000_000 {
        for (at, rest) in &lines {
            let at = (*at + shift).format("[%Y/%m/%d %H:%M:%S%.3f +00:00]");
            let line = [at.to_string().as_bytes(), rest, b"\n"].concat();
            match out.write_all(&line) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                result => result?,
            }
            written += line.len() as u64;
        }
        shift += span;
    }
    Ok(out.flush()?)
}
