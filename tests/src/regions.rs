//! The recorded list of regions, in the order of their keys.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::recording::Question;

/// Regions by key, each with the very text that PD sent.
#[derive(Debug)]
pub(crate) struct Regions(Vec<Region>);

#[derive(Debug)]
struct Region {
    id: u64,
    start_key: Vec<u8>,
    end_key: Vec<u8>,
    text: Box<RawValue>,
}

#[derive(Deserialize)]
struct List {
    regions: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Head {
    id: u64,
    start_key: String,
    end_key: String,
}

/// What PD answers when there is no such region.
const NONE: &str = r#"{"id":0,"start_key":"","end_key":"","epoch":{},"peers":null,"leader":{"role_name":""},"cpu_usage":0,"written_bytes":0,"read_bytes":0,"written_keys":0,"read_keys":0,"approximate_size":0,"approximate_keys":0}"#;

impl Regions {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        let list: List = serde_json::from_slice(body)?;
        let mut regions = Vec::with_capacity(list.regions.len());
        for text in list.regions {
            let head: Head = serde_json::from_str(text.get())?;
            let (start_key, end_key) = (unhex(&head.start_key), unhex(&head.end_key));
            regions.push(Region { id: head.id, start_key, end_key, text });
        }
        regions.sort_by(|a, b| a.start_key.cmp(&b.start_key));
        Ok(Self(regions))
    }

    /// `/regions/key`: from the region that `key` lies in up to `end_key`, 16 regions unless `limit` says otherwise,
    /// 10,240 at most, all of them if it is not positive.
    pub(crate) fn page(&self, question: &Question) -> String {
        let hex = question.parameter("format") == Some("hex");
        let key = |name| {
            let text = question.parameter(name).unwrap_or_default();
            if hex { unhex(text) } else { text.as_bytes().to_vec() }
        };
        let (start, end) = (key("key"), key("end_key"));
        let limit = question.parameter("limit").and_then(|limit| limit.parse::<i64>().ok()).unwrap_or(16);
        let limit = usize::try_from(limit)
            .ok()
            .filter(|limit| *limit > 0)
            .map_or(usize::MAX, |limit| limit.min(10_240));
        let texts: Vec<_> = self
            .0
            .iter()
            .filter(|region| region.end_key.is_empty() || region.end_key > start)
            .take_while(|region| end.is_empty() || region.start_key < end)
            .take(limit)
            .map(|region| region.text.get())
            .collect();
        format!(r#"{{"count":{},"regions":[{}]}}"#, texts.len(), texts.join(","))
    }

    pub(crate) fn by_id(&self, id: u64) -> String {
        self.one(|region| region.id == id)
    }

    pub(crate) fn by_key(&self, key: &[u8]) -> String {
        self.one(|region| *region.start_key <= *key && (region.end_key.is_empty() || *region.end_key > *key))
    }

    fn one(&self, wanted: impl Fn(&Region) -> bool) -> String {
        self.0.iter().find(|region| wanted(region)).map_or(NONE, |region| region.text.get()).to_owned()
    }
}

/// Hex of either case; what is none ends the key.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    digits.map_while(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(page: &str) -> Vec<u64> {
        let page: serde_json::Value = serde_json::from_str(page).unwrap();
        let ids: Vec<_> =
            page["regions"].as_array().unwrap().iter().map(|region| region["id"].as_u64().unwrap()).collect();
        assert_eq!(page["count"], ids.len());
        ids
    }

    #[test]
    fn pages_are_cut_as_pd_cuts_them() {
        let body = r#"{"count":3,"regions":[{"id":3,"start_key":"20","end_key":""},
            {"id":1,"start_key":"","end_key":"10"},{"id":2,"start_key":"10","end_key":"20"}]}"#;
        let regions = Regions::parse(body.as_bytes()).unwrap();
        let page = |query: &str| ids(&regions.page(&Question::of(&format!("/regions/key?{query}"))));
        assert_eq!(page(""), [1, 2, 3]);
        assert_eq!(page("format=hex&limit=2&key="), [1, 2]);
        assert_eq!(page("format=hex&key=10"), [2, 3], "an end is not in its region");
        assert_eq!(page("format=hex&key=11&limit=1"), [2], "a key in the middle of a region");
        assert_eq!(page("format=hex&key=&end_key=20"), [1, 2]);
        assert_eq!(page("key=%10&end_key=+&limit=-1"), [2], "bytes, unless they are called hex");
    }
}
