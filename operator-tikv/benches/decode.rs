//! Decoding a page of 1,024 regions: ours against serde_json into an owned mirror of PD's JSON, and into a `Value`.
//!
//! `cargo bench -p operator-tikv --bench decode`

#![expect(clippy::expect_used, reason = "a bench may panic")]

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize;

/// The whole JSON as it stands, every text owned.
mod mirror {
    use super::Deserialize;

    #[derive(Deserialize)]
    pub(crate) struct Page {
        pub(crate) count: u64,
        pub(crate) regions: Vec<Region>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "a mirror has every field, read or not")]
    pub(crate) struct Region {
        pub(crate) id: u64,
        pub(crate) start_key: String,
        pub(crate) end_key: String,
        pub(crate) epoch: Epoch,
        pub(crate) peers: Vec<Peer>,
        pub(crate) leader: Peer,
        pub(crate) down_peers: Option<Vec<DownPeer>>,
        pub(crate) pending_peers: Option<Vec<Peer>>,
        pub(crate) cpu_usage: u64,
        pub(crate) written_bytes: u64,
        pub(crate) read_bytes: u64,
        pub(crate) written_keys: u64,
        pub(crate) read_keys: u64,
        pub(crate) approximate_size: i64,
        pub(crate) approximate_keys: i64,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "a mirror has every field, read or not")]
    pub(crate) struct Epoch {
        pub(crate) conf_ver: u64,
        pub(crate) version: u64,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "a mirror has every field, read or not")]
    pub(crate) struct Peer {
        pub(crate) role_name: String,
        pub(crate) id: u64,
        pub(crate) store_id: u64,
        pub(crate) role: Option<u64>,
        pub(crate) is_learner: Option<bool>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "a mirror has every field, read or not")]
    pub(crate) struct DownPeer {
        pub(crate) peer: Peer,
        pub(crate) down_seconds: Option<u64>,
    }
}

/// A page of the shape that was recorded of a real cluster (`tests/recordings/healthy-busy`), with keys and numbers
/// that vary.
fn page(regions: u64) -> Vec<u8> {
    let key = |place: u64| {
        if place == 0 || place == regions {
            return String::new();
        }
        let text = format!("usertable:user{:019}", place * 9_007_199_254_740_993);
        text.bytes().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02X}");
            hex
        })
    };
    let peer = |id: u64, store: u64| format!(r#"{{"role_name":"Voter","id":{id},"store_id":{store}}}"#);
    let region = |place: u64| {
        let id = 100 + place * 4;
        let peers = [peer(id + 1, 1), peer(id + 2, 4), peer(id + 3, 5)];
        let leader = match place % 3 {
            0 => &peers[0],
            1 => &peers[1],
            _ => &peers[2],
        };
        format!(
            r#"{{"id":{id},"start_key":"{}","end_key":"{}","epoch":{{"conf_ver":5,"version":{}}},"peers":[{}],"leader":{leader},"cpu_usage":0,"written_bytes":{},"read_bytes":{},"written_keys":{},"read_keys":{},"approximate_size":{},"approximate_keys":{}}}"#,
            key(place),
            key(place + 1),
            15 + place % 40,
            peers.join(","),
            place * 7_919 % 400_000,
            place * 104_729 % 600_000,
            place * 7_919 % 700,
            place * 104_729 % 700,
            1 + place % 96,
            place * 31 % 90_000,
        )
    };
    let list: Vec<_> = (0..regions).map(region).collect();
    format!(r#"{{"count":{regions},"regions":[{}]}}"#, list.join(",")).into_bytes()
}

fn decode(c: &mut Criterion) {
    let page = page(1_024);
    let mut group = c.benchmark_group("page of 1024 regions");
    group.throughput(Throughput::Bytes(page.len() as u64));
    group.bench_function("ours", |b| {
        b.iter(|| operator_tikv::pd::decode_regions(black_box(&page)).expect("a page").len());
    });
    group.bench_function("serde_json, owned mirror", |b| {
        b.iter(|| {
            let page: mirror::Page = serde_json::from_slice(black_box(&page)).expect("a page");
            page.regions.len() as u64 + page.count
        });
    });
    group.bench_function("serde_json::Value", |b| {
        b.iter(|| {
            let page: serde_json::Value = serde_json::from_slice(black_box(&page)).expect("a page");
            page["regions"].as_array().map_or(0, Vec::len)
        });
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
