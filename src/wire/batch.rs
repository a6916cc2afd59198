//! A batch of frames on its way to headquarters, and the receipt that comes back.
//!
//! A batch is NDJSON: a header line, then one line a frame. A frame's line is its stored body with its
//! sequence and id put in front, so the body can be cut out again byte for byte:
//!
//! ```text
//! {"v":1,"first":10001,"n":2,"sw":"0.1.0","q":{"n":812,"B":204800}}
//! {"s":10001,"id":"0193…","st":"SZ01","b":37,…}
//! {"s":10002,"id":"0193…","st":"SZ01","b":37,…}
//! ```
//!
//! The receipt's `acked` is cumulative: everything up to and including it is committed at headquarters.

use serde::{Deserialize, Serialize};

use crate::domain::ids::FrameId;

/// The only version so far. Headquarters reads the last three for at least a year.
pub const VERSION: u8 = 1;

/// The most that headquarters unpacks of one batch.
pub const MAX_BATCH_BYTES: u64 = 4 << 20;

/// The most frames in a batch.
pub const MAX_BATCH_FRAMES: usize = 500;

/// One frame in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub seq: u64,
    pub id: FrameId,
    /// As stored in the journal.
    pub body: Vec<u8>,
}

/// What stands before the frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub v: u8,
    pub first: u64,
    pub n: usize,
    /// The gateway's version.
    pub sw: String,
    /// What still waits at the gateway, this batch included.
    pub q: Waiting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Waiting {
    #[serde(rename = "n")]
    pub frames: u64,
    #[serde(rename = "B")]
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub header: Header,
    pub lines: Vec<Line>,
}

/// Headquarters' answer to a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The highest sequence up to which everything is committed.
    pub acked: u64,
    /// Headquarters' clock, in Unix milliseconds.
    pub now: i64,
    /// The bundle that this gateway should have.
    pub desired_v: u64,
    /// How long to wait before the next batch, where headquarters is busy.
    #[serde(default)]
    pub wait_ms: u64,
    /// Events that were acknowledged but put aside, with the reason.
    #[serde(default)]
    pub refused: Vec<Refused>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub s: u64,
    pub why: String,
}

/// Headquarters' answer to a batch that does not follow the one before: where to go on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    pub acked: u64,
}

/// Why a batch is not a batch.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadBatch {
    #[error("the header line is missing or unreadable: {0}")]
    Header(String),
    #[error("version {0} is not one of those read here")]
    Version(u8),
    #[error("line {0} is not a frame: {1}")]
    Line(usize, String),
    #[error("line {line} has sequence {found}, not {expected}")]
    Sequence {
        line: usize,
        found: u64,
        expected: u64,
    },
    #[error("the header says {said} frames and there are {found}")]
    Count { said: usize, found: usize },
}

/// Writes a batch.
pub fn encode(batch: &Batch) -> Vec<u8> {
    let mut out = serde_json::to_vec(&batch.header).expect("a header is plain data");
    out.push(b'\n');
    for line in &batch.lines {
        let prefix = format!("{{\"s\":{},\"id\":\"{}\",", line.seq, line.id);
        out.extend_from_slice(prefix.as_bytes());
        // The body is a JSON object of at least one key; its opening brace is already written.
        out.extend_from_slice(line.body.get(1..).unwrap_or(b"}"));
        out.push(b'\n');
    }
    out
}

/// Reads a batch; the sequences must be dense and begin where the header says.
pub fn decode(bytes: &[u8]) -> Result<Batch, BadBatch> {
    let mut rows = bytes.split(|byte| *byte == b'\n');
    let header = rows.next().unwrap_or_default();
    let header: Header =
        serde_json::from_slice(header).map_err(|error| BadBatch::Header(error.to_string()))?;
    if header.v != VERSION {
        return Err(BadBatch::Version(header.v));
    }
    let mut lines = Vec::with_capacity(header.n.min(MAX_BATCH_FRAMES));
    for (number, row) in (2..).zip(rows.filter(|row| !row.is_empty())) {
        let line = read_line(row).map_err(|fault| BadBatch::Line(number, fault))?;
        // A header may claim to begin at the last number there is.
        let expected = header.first.saturating_add(lines.len() as u64);
        if line.seq != expected {
            return Err(BadBatch::Sequence {
                line: number,
                found: line.seq,
                expected,
            });
        }
        lines.push(line);
    }
    if lines.len() != header.n {
        return Err(BadBatch::Count {
            said: header.n,
            found: lines.len(),
        });
    }
    Ok(Batch { header, lines })
}

fn read_line(row: &[u8]) -> Result<Line, String> {
    #[derive(Deserialize)]
    struct Prefix {
        s: u64,
        id: FrameId,
    }
    // Two commas end the prefix: neither a number nor a UUID has one.
    let end = row
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b',')
        .map(|(place, _)| place)
        .nth(1)
        .ok_or("no frame after the prefix")?;
    let mut prefix = row[..end].to_vec();
    prefix.push(b'}');
    let prefix: Prefix = serde_json::from_slice(&prefix).map_err(|error| error.to_string())?;
    let mut body = vec![b'{'];
    body.extend_from_slice(&row[end + 1..]);
    Ok(Line {
        seq: prefix.s,
        id: prefix.id,
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: u64) -> Line {
        Line {
            seq,
            id: FrameId::from_time_and_entropy(1_796_110_200_000, [7; 10]),
            body: br#"{"st":"SZ01","b":1,"m":2,"w":3,"z":480,"e":[]}"#.to_vec(),
        }
    }

    fn batch(first: u64, n: u64) -> Batch {
        Batch {
            header: Header {
                v: VERSION,
                first,
                n: usize::try_from(n).unwrap(),
                sw: "0.1.0".to_owned(),
                q: Waiting {
                    frames: n,
                    bytes: 100,
                },
            },
            lines: (first..first + n).map(line).collect(),
        }
    }

    const GOLDEN: &str = include_str!("../../tests/fixtures/wire/batch-0.1.0.ndjson");

    #[test]
    fn a_batch_is_written_as_version_0_1_0_wrote_it() {
        let written = String::from_utf8(encode(&batch(10_001, 2))).unwrap();
        assert_eq!(written, GOLDEN);
    }

    #[test]
    fn a_batch_gives_back_the_stored_bytes_of_its_frames() {
        assert_eq!(decode(GOLDEN.as_bytes()).unwrap(), batch(10_001, 2));
    }

    #[test]
    fn a_batch_with_a_hole_is_refused() {
        let mut holed = batch(5, 3);
        holed.lines.remove(1);
        assert_eq!(
            decode(&encode(&holed)),
            Err(BadBatch::Sequence {
                line: 3,
                found: 7,
                expected: 6
            })
        );
    }

    #[test]
    fn a_batch_cut_short_is_refused() {
        let mut cut = batch(5, 3);
        cut.lines.pop();
        assert_eq!(
            decode(&encode(&cut)),
            Err(BadBatch::Count { said: 3, found: 2 })
        );
        let mut endless = batch(1, 2);
        endless.header.first = u64::MAX;
        endless.lines[0].seq = u64::MAX;
        assert!(decode(&encode(&endless)).is_err());
        assert!(matches!(decode(b""), Err(BadBatch::Header(_))));
        assert!(matches!(
            decode(b"{\"v\":9,\"first\":1,\"n\":0,\"sw\":\"\",\"q\":{\"n\":0,\"B\":0}}"),
            Err(BadBatch::Version(9))
        ));
    }
}
