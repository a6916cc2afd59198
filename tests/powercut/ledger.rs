//! What headquarters has, read from its file beside the running program, as an auditor would.
//!
//! This is the one place outside `hq/db` that knows the names of its tables: the test holds the box against
//! what arrived, and not against what a program says about it.

use std::collections::BTreeMap;
use std::path::Path;

use maitred::domain::event::Event;
use maitred::domain::ids::{FrameId, StreamId};
use maitred::wire::frame;
use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

use super::line::Marks;

/// A frame's place.
pub(crate) type Place = (StreamId, u64);

/// A frame as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) id: FrameId,
    pub(crate) body: Vec<u8>,
}

/// Everything that arrived.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    pub(crate) frames: BTreeMap<Place, Arrived>,
    /// By coupon, where its claim stands. More than one place means that it was doubled.
    pub(crate) claims: BTreeMap<String, Vec<Place>>,
}

fn open(hq_dir: &Path) -> Connection {
    let file = maitred::hq::db::file(hq_dir);
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    connection.busy_timeout(crate::support::PATIENCE).unwrap();
    connection
}

/// Up to where headquarters has taken each stream.
pub(crate) fn marks(hq_dir: &Path) -> Marks {
    let connection = open(hq_dir);
    let mut rows = connection.prepare("select id, acked from stream").unwrap();
    let marks = rows.query_map([], |row| Ok((StreamId(uuid(row.get(0)?)), row.get(1)?)));
    marks.unwrap().map(Result::unwrap).collect()
}

pub(crate) fn arrivals(hq_dir: &Path) -> Arrivals {
    let connection = open(hq_dir);
    let mut rows = connection
        .prepare("select stream, seq, id, body from frame")
        .unwrap();
    let frames = rows
        .query_map([], |row| {
            let place = (StreamId(uuid(row.get(0)?)), row.get(1)?);
            let id = FrameId(uuid(row.get(2)?));
            let body = row.get(3)?;
            Ok((place, Arrived { id, body }))
        })
        .unwrap();
    let mut arrivals = Arrivals::default();
    for frame in frames {
        let (place, arrived) = frame.unwrap();
        for coupon in claimed_in(&arrived.body) {
            arrivals.claims.entry(coupon).or_default().push(place);
        }
        let before = arrivals.frames.insert(place, arrived);
        assert!(before.is_none(), "headquarters has {place:?} twice");
    }
    arrivals
}

/// The coupons whose claims a frame holds.
pub(crate) fn claimed_in(body: &[u8]) -> Vec<String> {
    let decoded = frame::decode(body).unwrap();
    let claims = decoded.occurrences.into_iter().filter_map(|occurrence| {
        let Event::Claim(claim) = occurrence.event else {
            return None;
        };
        Some(claim.coupon.to_string())
    });
    claims.collect()
}

fn uuid(bytes: [u8; 16]) -> Uuid {
    Uuid::from_bytes(bytes)
}
