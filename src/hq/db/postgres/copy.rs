//! Frames and events on their way into the database, by binary COPY: the cheapest way in.

use std::borrow::Cow;
use std::io::Cursor;
use std::pin::Pin;

use futures_util::SinkExt;
use tokio_postgres::{CopyInSink, Statement};
use uuid::Uuid;

use super::rows::Rows;
use super::{Sql, signed, text};
use crate::domain::ids::StoreId;
use crate::hq::db::Frame;
use crate::hq::db::settle::NewFrame;

pub(super) const FRAMES: &str = "copy frame (stream, seq, id, store, at, tq, body, received)
    from stdin (format binary)";

pub(super) const EVENTS: &str =
    "copy event (stream, seq, kind, tq, store, at, campaign, coupon, vid, received)
    from stdin (format binary)";

pub(super) const ASIDE: &str = "copy quarantine (stream, seq, kind, code, reason, received)
    from stdin (format binary)";

/// About what a row takes, besides a frame's body.
const ROW: usize = 128;

/// New frames, each with the number of its stream's row.
pub(super) type Numbered<'a> = [(i32, &'a NewFrame<'a>)];

type Sink = Pin<Box<CopyInSink<Cursor<Vec<u8>>>>>;

/// Rows on their way into one table; nothing where there are none.
pub(super) struct Copy {
    sink: Option<Sink>,
    rows: Rows,
}

impl Copy {
    /// Tells the database that they come.
    pub(super) async fn begin(
        db: &tokio_postgres::Client,
        statement: &Statement,
        rows: Rows,
    ) -> Sql<Self> {
        let sink = if rows.is_empty() {
            None
        } else {
            Some(Box::pin(db.copy_in(statement).await?))
        };
        Ok(Self { sink, rows })
    }

    pub(super) async fn finish(self) -> Sql<()> {
        if let Some(mut sink) = self.sink {
            sink.feed(Cursor::new(self.rows.into_bytes())).await?;
            sink.as_mut().finish().await?;
        }
        Ok(())
    }
}

/// Frames with their bytes.
pub(super) fn frames(frames: &Numbered<'_>) -> Rows {
    let body = |(_, new): &(i32, &NewFrame<'_>)| new.frame.map_or(0, |frame| frame.body.len());
    let mut rows = Rows::with_room(frames.iter().map(|one| ROW + body(one)).sum());
    for (stream, new) in frames {
        let time = new.frame.and_then(|frame| frame.time);
        let store = new.frame.and_then(|frame| frame.store.as_ref());
        rows.add(&[
            stream,
            &signed(new.seq),
            &new.id.0,
            &store.map(StoreId::as_str),
            &time.map(|time| time.unix_ms),
            &time.map(|time| i16::from(time.quality as u8)),
            &&*new.frame.map_or_else(Cow::default, Frame::kept_body),
            &new.received,
        ]);
    }
    rows
}

/// The events of those frames that could be read.
pub(super) fn events(frames: &Numbered<'_>) -> Rows {
    let mut rows = Rows::with_room(frames.len() * ROW);
    for (stream, new, frame) in whole(frames) {
        for event in &frame.events {
            rows.add(&[
                &stream,
                &signed(new.seq),
                // The registry's numbers have three digits.
                &i16::try_from(event.kind).unwrap_or(i16::MAX),
                &i16::from(event.quality as u8),
                &frame.store.as_ref().map_or("", StoreId::as_str),
                &event.at,
                &event.campaign.as_ref().map(|id| id.as_str()),
                &event.coupon.map(|id| Uuid::from_bytes(id.to_bytes())),
                &event.vid.map(|id| Uuid::from_bytes(id.to_bytes())),
                &new.received,
            ]);
        }
    }
    rows
}

/// What could not be counted, with the reason.
pub(super) fn put_aside(frames: &Numbered<'_>) -> Rows {
    let mut rows = Rows::with_room(0);
    for (stream, new, frame) in whole(frames) {
        for aside in &frame.put_aside {
            rows.add(&[
                &stream,
                &signed(new.seq),
                &aside.kind.map(i32::from),
                &aside.code,
                &text(&aside.reason).as_str(),
                &new.received,
            ]);
        }
    }
    rows
}

fn whole<'a>(frames: &'a Numbered<'a>) -> impl Iterator<Item = (i32, &'a NewFrame<'a>, &'a Frame)> {
    frames
        .iter()
        .filter_map(|(no, new)| Some((*no, *new, new.frame?)))
}
