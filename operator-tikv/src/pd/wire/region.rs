//! Regions: the one answer that is large, so the one that is read with care for time and memory.

use std::fmt;
use std::marker::PhantomData;

use operator_core::{Key, RegionId};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{compact, or_default};

/// One region. Keys go from hex to bytes as they are read.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Region {
    /// 0 for a region that there is not.
    pub(crate) id: u64,
    #[serde(default)]
    pub(crate) start_key: Key,
    #[serde(default)]
    pub(crate) end_key: Key,
    #[serde(default)]
    pub(crate) epoch: Epoch,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) peers: Vec<Peer>,
    /// Without an id if there is none.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) leader: Peer,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) down_peers: Vec<DownPeer>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) pending_peers: Vec<Peer>,
    #[serde(default)]
    pub(crate) written_bytes: Option<u64>,
    #[serde(default)]
    pub(crate) read_bytes: Option<u64>,
    #[serde(default)]
    pub(crate) written_keys: Option<u64>,
    #[serde(default)]
    pub(crate) read_keys: Option<u64>,
    /// MiB; at least 1 once a leader has reported.
    #[serde(default)]
    pub(crate) approximate_size: Option<i64>,
    #[serde(default)]
    pub(crate) approximate_keys: Option<i64>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub(crate) struct Epoch {
    pub(crate) conf_ver: u64,
    pub(crate) version: u64,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub(crate) struct Peer {
    pub(crate) id: u64,
    pub(crate) store_id: u64,
    /// Omitted for a voter.
    pub(crate) role: u64,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
pub(crate) struct DownPeer {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) peer: Peer,
    #[serde(default)]
    pub(crate) down_seconds: Option<u64>,
}

/// `/regions/key`, `/regions/check/…`: `{count, regions}`, each region turned into an `R` as it is read, so that a
/// page exists once only.
#[derive(Debug)]
pub(crate) struct RegionPage<R> {
    pub(crate) regions: Vec<R>,
}

/// PD gives no larger pages: whatever `count` says, room is made for no more.
pub(super) const LARGEST_PAGE: usize = 10_240;

impl<R: From<Region>> RegionPage<R> {
    /// Reads a page as fast as its form allows.
    pub(crate) fn read(json: &[u8]) -> serde_json::Result<Self> {
        match compact::regions(json) {
            Some(regions) => Ok(Self { regions }),
            None => serde_json::from_slice(json),
        }
    }
}

impl<'de, R: From<Region>> Deserialize<'de> for RegionPage<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "snake_case")]
        enum Field {
            Count,
            Regions,
            #[serde(other)]
            Other,
        }

        struct Page<R>(PhantomData<R>);
        impl<'de, R: From<Region>> Visitor<'de> for Page<R> {
            type Value = RegionPage<R>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a page of regions")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RegionPage<R>, A::Error> {
                let (mut room, mut regions) = (0, None);
                while let Some(field) = map.next_key()? {
                    match field {
                        Field::Count => room = map.next_value::<u64>()?,
                        Field::Regions => {
                            let room =
                                usize::try_from(room).map_or(LARGEST_PAGE, |room| room.min(LARGEST_PAGE));
                            regions = Some(map.next_value_seed(Each { room, to: PhantomData })?);
                        }
                        Field::Other => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                regions
                    .map(|regions| RegionPage { regions })
                    .ok_or_else(|| A::Error::missing_field("regions"))
            }
        }
        deserializer.deserialize_map(Page(PhantomData))
    }
}

/// A list of regions, each turned into an `R`.
struct Each<R> {
    room: usize,
    to: PhantomData<R>,
}

impl<'de, R: From<Region>> DeserializeSeed<'de> for Each<R> {
    type Value = Vec<R>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<R>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: From<Region>> Visitor<'de> for Each<R> {
    type Value = Vec<R>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of regions")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Vec<R>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<R>, A::Error> {
        let mut regions = Vec::with_capacity(self.room);
        while let Some(region) = list.next_element::<Region>()? {
            regions.push(region.into());
        }
        Ok(regions)
    }
}

/// Reads the ids of the first regions of a page, as many as fit `limit`, into a list of the caller's: if the text ends
/// too early, what was read before stays.
pub(crate) struct RegionIds<'a> {
    pub(crate) ids: &'a mut Vec<RegionId>,
    pub(crate) limit: usize,
}

impl<'de> DeserializeSeed<'de> for RegionIds<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RegionIds<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of regions")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if name == "regions" {
                map.next_value_seed(IdList { ids: self.ids, limit: self.limit })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct IdList<'a> {
    ids: &'a mut Vec<RegionId>,
    limit: usize,
}

impl<'de> DeserializeSeed<'de> for IdList<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for IdList<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of regions")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        #[derive(Deserialize)]
        struct Id {
            id: u64,
        }
        while self.ids.len() < self.limit {
            match list.next_element::<Id>()? {
                Some(Id { id: 0 }) => return Err(A::Error::custom("a region without an id")),
                Some(Id { id }) => self.ids.push(RegionId(id)),
                None => return Ok(()),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
