//! A batch of frames on its way to headquarters, and the receipt that comes back.
//!
//! A batch is NDJSON: a header line, then one line a frame. A frame's line is its stored body with its
//! sequence, its id and, where the clock is known, its time put in front, so the body can be cut out again
//! byte for byte. A gap line stands for frames that will never come:
//!
//! ```text
//! {"v":1,"first":10001,"n":3,"prev":"9f3a1c2277aa0b41","sw":"0.1.0","q":{"n":812,"B":204800}}
//! {"s":10001,"id":"0193…","at":1796110200000,"tq":3,"st":"SZ01","b":37,…}
//! {"s":10002,"gap":{"to":10040,"why":"evicted","h":"51c0…"}}
//! {"s":10041,"id":"0193…","st":"SZ01","b":37,…}
//! ```
//!
//! | key | meaning |
//! |---|---|
//! | `first`, `n` | the first sequence, and how many lines follow |
//! | `prev` | the chain before `first`, where the gateway knows it: tells a copied box from the real one |
//! | `q` | what waits at the gateway |
//! | `s`, `id` | sequence and id of a frame |
//! | `at`, `tq` | when it happened in Unix milliseconds, fixed when first sent, and how well that is known |
//! | `gap` | up to where nothing will come, why, and the chain after it where that is known |
//!
//! The receipt's `acked` is cumulative: everything up to and including it is committed at headquarters.

use serde::{Deserialize, Serialize};

use crate::domain::ids::{Chain, FrameId};

/// The only version so far. Headquarters reads the last three for at least a year.
pub const VERSION: u8 = 1;

/// The most that headquarters unpacks of one batch.
pub const MAX_BATCH_BYTES: u64 = 4 << 20;

/// The most lines in a batch.
pub const MAX_BATCH_FRAMES: usize = 500;

/// One line of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub seq: u64,
    pub what: What,
}

/// What a line stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Frame {
        id: FrameId,
        /// None: only what the body says.
        time: Option<Time>,
        /// As stored in the journal.
        body: Vec<u8>,
    },
    Gap(Gap),
}

/// When a frame's events happened, by the gateway's best knowledge at the first sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    pub unix_ms: i64,
    pub quality: TimeQuality,
}

/// How well a time is known; the better is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum TimeQuality {
    /// Whatever the box's clock said.
    #[default]
    Unknown = 0,
    /// Not before a time that this box has been sure of.
    Floor = 1,
    /// Between two times that are known.
    Bounded = 2,
    /// Measured against headquarters' clock.
    Anchored = 3,
    /// Kept by a time service.
    Disciplined = 4,
}

/// Sequences that will never come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The last of them.
    pub to: u64,
    pub why: GapReason,
    /// The chain after it.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Chain>,
}

/// Why there is a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// There was no room for all page views.
    Evicted,
    /// The box's storage lost them.
    Damaged,
    /// Headquarters had them and came back from a backup without them.
    Restored,
}

/// What stands before the lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub v: u8,
    pub first: u64,
    pub n: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<Chain>,
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

impl Line {
    /// A frame of which only the body tells the time.
    pub const fn frame(seq: u64, id: FrameId, body: Vec<u8>) -> Self {
        let time = None;
        Self {
            seq,
            what: What::Frame { id, time, body },
        }
    }

    /// The last sequence that this line stands for.
    pub const fn end(&self) -> u64 {
        match &self.what {
            What::Frame { .. } => self.seq,
            What::Gap(gap) => gap.to,
        }
    }
}

impl TryFrom<u8> for TimeQuality {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, &'static str> {
        [
            Self::Unknown,
            Self::Floor,
            Self::Bounded,
            Self::Anchored,
            Self::Disciplined,
        ]
        .into_iter()
        .find(|quality| *quality as u8 == number)
        .ok_or("the quality of a time is 0 to 4")
    }
}

impl From<TimeQuality> for u8 {
    fn from(quality: TimeQuality) -> Self {
        quality as Self
    }
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

/// Headquarters' answer to a batch of a stream that it has closed: which of these frames it has nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    pub known: Vec<u64>,
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
    for Line { seq, what } in &batch.lines {
        match what {
            What::Frame { id, time, body } => {
                let time = time.map_or_else(String::new, |Time { unix_ms, quality }| {
                    format!("\"at\":{unix_ms},\"tq\":{},", quality as u8)
                });
                out.extend_from_slice(format!("{{\"s\":{seq},\"id\":\"{id}\",{time}").as_bytes());
                // The body is a JSON object of at least one key; its opening brace is already written.
                out.extend_from_slice(body.get(1..).unwrap_or(b"}"));
            }
            What::Gap(gap) => {
                let gap = serde_json::to_string(gap).expect("a gap is plain data");
                out.extend_from_slice(format!("{{\"s\":{seq},\"gap\":{gap}}}").as_bytes());
            }
        }
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
    let mut expected = header.first;
    for (number, row) in (2..).zip(rows.filter(|row| !row.is_empty())) {
        let line = read_line(row).map_err(|fault| BadBatch::Line(number, fault))?;
        if line.seq != expected {
            return Err(BadBatch::Sequence {
                line: number,
                found: line.seq,
                expected,
            });
        }
        // A line may claim to end at the last number there is.
        expected = line.end().saturating_add(1);
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
        at: Option<i64>,
        #[serde(default)]
        tq: TimeQuality,
    }
    // Neither a number nor a UUID has a comma, so the commas tell where the prefix ends.
    let comma = |count: usize| {
        let mut commas = (0..row.len()).filter(|place| row[*place] == b',');
        commas.nth(count - 1).ok_or("no frame after the prefix")
    };
    if row[comma(1)? + 1..].starts_with(b"\"gap\":") {
        return read_gap(row);
    }
    let mut end = comma(2)?;
    if row[end + 1..].starts_with(b"\"at\":") {
        end = comma(4)?;
    }
    let prefix = [&row[..end], b"}"].concat();
    let prefix: Prefix = serde_json::from_slice(&prefix).map_err(|error| error.to_string())?;
    let quality = prefix.tq;
    Ok(Line {
        seq: prefix.s,
        what: What::Frame {
            id: prefix.id,
            time: prefix.at.map(|unix_ms| Time { unix_ms, quality }),
            body: [b"{", &row[end + 1..]].concat(),
        },
    })
}

fn read_gap(row: &[u8]) -> Result<Line, String> {
    #[derive(Deserialize)]
    struct Whole {
        s: u64,
        gap: Gap,
    }
    let Whole { s: seq, gap } = serde_json::from_slice(row).map_err(|error| error.to_string())?;
    if gap.to < seq {
        return Err(format!("a gap from {seq} to {}", gap.to));
    }
    Ok(Line {
        seq,
        what: What::Gap(gap),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: u64) -> Line {
        let id = FrameId::from_time_and_entropy(1_796_110_200_000, [7; 10]);
        let body = br#"{"st":"SZ01","b":1,"m":2,"w":3,"z":480,"e":[]}"#;
        Line::frame(seq, id, body.to_vec())
    }

    fn batch(first: u64, n: u64) -> Batch {
        Batch {
            header: Header {
                v: VERSION,
                first,
                n: usize::try_from(n).unwrap(),
                prev: None,
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

    fn with_times_and_a_gap() -> Batch {
        let mut batch = batch(10_001, 2);
        batch.header.n = 3;
        batch.header.prev = Some(Chain::from_bytes([0x9f; 8]));
        let What::Frame { time, .. } = &mut batch.lines[0].what else {
            panic!("it begins with a frame");
        };
        *time = Some(Time {
            unix_ms: 1_796_110_200_000,
            quality: TimeQuality::Anchored,
        });
        batch.lines[1] = Line {
            seq: 10_002,
            what: What::Gap(Gap {
                to: 10_040,
                why: GapReason::Evicted,
                chain: Some(Chain::from_bytes([0x51; 8])),
            }),
        };
        batch.lines.push(line(10_041));
        batch
    }

    /// What version 0.2.0 may write besides. Add a file, never change this one.
    const GOLDEN_TIMES: &str = include_str!("../../tests/fixtures/wire/batch-0.2.0.ndjson");

    #[test]
    fn times_chains_and_gaps_are_written_as_version_0_2_0_wrote_them() {
        let batch = with_times_and_a_gap();
        assert_eq!(String::from_utf8(encode(&batch)).unwrap(), GOLDEN_TIMES);
        assert_eq!(decode(GOLDEN_TIMES.as_bytes()).unwrap(), batch);
    }

    #[test]
    fn a_gap_that_ends_before_it_begins_is_refused() {
        let row = br#"{"s":7,"gap":{"to":6,"why":"evicted"}}"#;
        assert!(read_line(row).is_err());
        assert!(read_line(br#"{"s":7,"gap":{"to":7,"why":"because"}}"#).is_err());
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
