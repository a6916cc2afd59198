//! What a whole hello comes to, for every ledger: marks to answer with, and what to write down.

use super::plan::{Disagreement, Heard, Mark, hear, waiting};
use super::settle::Standing;
use super::{AuditEntry, Greeting, Marks};
use crate::domain::ids::StreamId;
use crate::wire::link::StreamMark;

/// What a ledger writes of a hello, in one transaction.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    pub(super) streams: Vec<StreamMark>,
    pub(super) closed_now: Vec<(StreamId, Disagreement)>,
    /// How many frames wait in each stream, those that are new here among them.
    pub(super) waiting: Vec<(StreamId, u64)>,
    /// Streams that lack frames here, seen for the first time.
    pub(super) behind: Vec<StreamId>,
    pub(super) notes: Vec<AuditEntry>,
}

/// Hears the offers, each with its standing and whether it was noted that frames are missing here; fails
/// with a stream that is another gateway's.
pub(super) fn hear_all(
    greeting: &Greeting,
    known: &[Option<(Standing, bool)>],
) -> Result<Hearing, StreamId> {
    let mut hearing = Hearing::default();
    for (offer, known) in greeting.offers.iter().zip(known) {
        let (standing, is_noted) = known.unwrap_or((
            Standing {
                owner: greeting.gateway,
                mark: Mark::START,
            },
            false,
        ));
        if standing.owner != greeting.gateway {
            return Err(offer.id);
        }
        let mut mark = standing.mark;
        let mut note = |action, what: String| {
            let entry = AuditEntry::new(greeting.now, action, &greeting.gateway, &what);
            hearing.notes.push(entry);
        };
        match hear(&mark, offer) {
            Heard::Follows | Heard::Closed => {}
            Heard::Behind if is_noted => {}
            Heard::Behind => {
                hearing.behind.push(offer.id);
                let what = format!(
                    "stream {}: its oldest frame is {}, and only {} are here",
                    offer.id, offer.floor, mark.acked
                );
                note("stream_behind", what);
            }
            Heard::Close(why) => {
                mark.closed = true;
                hearing.closed_now.push((offer.id, why));
                let what = format!(
                    "stream {}: its next frame is {}, and {} are here: {}",
                    offer.id,
                    offer.next,
                    mark.acked,
                    why.code()
                );
                note("stream_closed", what);
            }
        }
        hearing.waiting.push((offer.id, waiting(&mark, offer)));
        hearing.streams.push(StreamMark {
            id: offer.id,
            acked: mark.acked,
            closed: mark.closed,
        });
    }
    Ok(hearing)
}

impl From<Hearing> for Marks {
    fn from(hearing: Hearing) -> Self {
        Self::At {
            streams: hearing.streams,
            closed_now: hearing.closed_now,
        }
    }
}
