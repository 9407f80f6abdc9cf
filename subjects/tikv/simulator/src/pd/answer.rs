//! The shapes of PD's answers and errors.

use bytes::Bytes;
use serde::Serialize;

use crate::Reply;

pub(crate) const JSON: &str = "application/json; charset=UTF-8";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
pub(crate) const OCTETS: &str = "application/octet-stream";

pub(crate) const NOT_BOOTSTRAPPED: &str =
    "[PD:cluster:ErrNotBootstrapped]TiKV cluster not bootstrapped, please start TiKV first";

/// Most endpoints: indented JSON with a line feed.
pub(crate) fn json(status: u16, value: &(impl Serialize + ?Sized)) -> Reply {
    match serde_json::to_string_pretty(value) {
        Ok(mut text) => {
            text.push('\n');
            Reply::new(status, Some(JSON), text)
        }
        Err(error) => Reply::new(500, Some(TEXT), error.to_string()),
    }
}

pub(crate) fn ok(value: &(impl Serialize + ?Sized)) -> Reply {
    json(200, value)
}

pub(crate) fn empty() -> Reply {
    ok(&[(); 0])
}

/// Endpoints that answer with regions: compact JSON that is not called JSON.
pub(crate) fn octets(value: &(impl Serialize + ?Sized)) -> Reply {
    match serde_json::to_vec(value) {
        Ok(body) => Reply::new(200, Some(OCTETS), body),
        Err(error) => Reply::new(500, Some(TEXT), error.to_string()),
    }
}

/// Most errors: a JSON string.
pub(crate) fn error(status: u16, message: impl AsRef<str>) -> Reply {
    json(status, message.as_ref())
}

/// The errors of some parameters: an object, and a header.
pub(crate) fn input_error(message: &str) -> Reply {
    #[derive(Serialize)]
    struct Coded<'a> {
        code: &'static str,
        msg: &'a str,
        data: Empty,
    }
    #[derive(Serialize)]
    struct Empty {}
    let mut reply = json(400, &Coded { code: "input", msg: message, data: Empty {} });
    if let Reply::Answer { headers, .. } = &mut reply {
        headers.push(("TiDB-Error-Code".to_owned(), "input".to_owned()));
    }
    reply
}

pub(crate) fn text(status: u16, body: impl Into<Bytes>) -> Reply {
    Reply::new(status, Some(TEXT), body)
}

pub(crate) fn not_found() -> Reply {
    text(404, "404 page not found\n")
}

pub(crate) fn not_bootstrapped() -> Reply {
    error(500, NOT_BOOTSTRAPPED)
}

/// What Go's recovery middleware sends when a handler dereferenced nothing.
pub(crate) fn panicked(handler: &str) -> Reply {
    text(
        500,
        format!(
            "PANIC: runtime error: invalid memory address or nil pointer dereference\n\
             goroutine 4359 [running]:\n\
             github.com/urfave/negroni.(*Recovery).ServeHTTP.func1()\n\
             \t/go/pkg/mod/github.com/urfave/negroni@v0.3.0/recovery.go:159 +0xa7\n\
             panic({{0x2737fa0?, 0x3ec0a40?}})\n\
             \t/go-root/src/runtime/panic.go:860 +0x13a\n\
             github.com/tikv/pd/pkg/schedule/handler.(*Handler).{handler}(0x1ba3bb0d87b0)\n"
        ),
    )
}

/// A path without its query, cut at its slashes and percent-decoded.
pub(crate) fn path_segments(path: &str) -> Vec<Vec<u8>> {
    path.split('/').skip(1).map(|segment| percent_decode(segment, false)).collect()
}

fn percent_decode(text: &str, plus_is_space: bool) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = (*byte == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (escaped, byte) {
            (Some(value), _) => {
                decoded.push(value);
                at += 3;
                continue;
            }
            (None, b'+') if plus_is_space => decoded.push(b' '),
            (None, byte) => decoded.push(*byte),
        }
        at += 1;
    }
    decoded
}

/// The parameters of a request.
#[derive(Debug)]
pub(crate) struct Query(Vec<(Vec<u8>, Vec<u8>)>);

impl Query {
    pub(crate) fn of(path_and_query: &str) -> Self {
        let query = path_and_query.split_once('?').map_or("", |(_, query)| query);
        Self(
            query
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (percent_decode(name, true), percent_decode(value, true)))
                .collect(),
        )
    }

    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let name = name.as_bytes().to_vec();
        self.0.iter().filter(move |(n, _)| *n == name).map(|(_, value)| value.as_slice())
    }

    /// The first value, empty when there is none, as Go has it.
    pub(crate) fn first(&self, name: &str) -> &[u8] {
        self.all(name).next().unwrap_or(&[])
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }
}

/// Reads a number as Go's `strconv` does, with its words when it is none.
pub(crate) fn number<T: std::str::FromStr>(text: &[u8], function: &str) -> Result<T, String> {
    let text = String::from_utf8_lossy(text);
    text.parse().map_err(|_| {
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let numeric = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let problem = if numeric && !text.starts_with('-') { "value out of range" } else { "invalid syntax" };
        format!("strconv.{function}: parsing {text:?}: {problem}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded_as_bytes() {
        let query = Query::of("/x?key=r%00%FB&limit=3&state=0&state=1&flag&a=1+2");
        assert_eq!(query.first("key"), b"r\0\xFB");
        assert_eq!(query.all("state").count(), 2);
        assert!(query.has("flag") && !query.has("none"));
        assert_eq!(query.first("a"), b"1 2");
        assert_eq!(Query::of("/x?key=%zz").first("key"), b"%zz");
    }

    #[test]
    fn numbers_fail_in_gos_words() {
        assert_eq!(number::<u64>(b"18446744073709551615", "ParseUint"), Ok(u64::MAX));
        assert_eq!(
            number::<u64>(b"abc", "ParseUint"),
            Err("strconv.ParseUint: parsing \"abc\": invalid syntax".to_owned())
        );
        assert_eq!(
            number::<u64>(b"18446744073709551616", "ParseUint"),
            Err("strconv.ParseUint: parsing \"18446744073709551616\": value out of range".to_owned())
        );
    }
}
