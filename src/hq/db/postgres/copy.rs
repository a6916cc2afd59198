//! Frames and events on their way into the database, by binary COPY: the cheapest way in.

use deadpool_postgres::Transaction;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::{Sql, signed, text};
use crate::domain::ids::StoreId;
use crate::hq::db::settle::NewFrame;
use uuid::Uuid;

const FRAMES: &str = "copy frame (stream, seq, id, store, at, tq, body, received)
    from stdin (format binary)";
const FRAME: [Type; 8] = [
    Type::INT4,
    Type::INT8,
    Type::UUID,
    Type::TEXT,
    Type::INT8,
    Type::INT2,
    Type::BYTEA,
    Type::TIMESTAMPTZ,
];

const EVENTS: &str =
    "copy event (stream, seq, kind, tq, store, at, campaign, coupon, vid, received)
    from stdin (format binary)";
const EVENT: [Type; 10] = [
    Type::INT4,
    Type::INT8,
    Type::INT2,
    Type::INT2,
    Type::TEXT,
    Type::TIMESTAMPTZ,
    Type::TEXT,
    Type::UUID,
    Type::UUID,
    Type::TIMESTAMPTZ,
];

const ASIDE: &str = "copy quarantine (stream, seq, kind, code, reason, received)
    from stdin (format binary)";
const PUT_ASIDE: [Type; 6] = [
    Type::INT4,
    Type::INT8,
    Type::INT4,
    Type::TEXT,
    Type::TEXT,
    Type::TIMESTAMPTZ,
];

type Rows<'a> = [(i32, &'a NewFrame<'a>)];

/// Rows on their way into one table.
struct Copy {
    writer: std::pin::Pin<Box<BinaryCopyInWriter>>,
}

impl Copy {
    async fn into(tx: &Transaction<'_>, sql: &str, types: &[Type]) -> Sql<Self> {
        let statement = tx.prepare_cached(sql).await?;
        let sink = tx.copy_in(&statement).await?;
        let writer = Box::pin(BinaryCopyInWriter::new(sink, types));
        Ok(Self { writer })
    }

    async fn row(&mut self, values: &[&(dyn ToSql + Sync)]) -> Sql<()> {
        self.writer.as_mut().write(values).await
    }

    async fn finish(mut self) -> Sql<()> {
        self.writer.as_mut().finish().await.map(drop)
    }
}

/// Stores frames, each with the number of its stream's row.
pub(super) async fn frames(tx: &Transaction<'_>, frames: &Rows<'_>) -> Sql<()> {
    if frames.is_empty() {
        return Ok(());
    }
    let mut copy = Copy::into(tx, FRAMES, &FRAME).await?;
    for (stream, new) in frames {
        let time = new.frame.and_then(|frame| frame.time);
        let store = new.frame.and_then(|frame| frame.store.as_ref());
        copy.row(&[
            stream,
            &signed(new.seq),
            &new.id.0,
            &store.map(StoreId::as_str),
            &time.map(|time| time.unix_ms),
            &time.map(|time| i16::from(time.quality as u8)),
            &new.frame.map_or(&[][..], |frame| &frame.body),
            &new.received,
        ])
        .await?;
    }
    copy.finish().await
}

/// Stores the events of those frames that could be read.
pub(super) async fn events(tx: &Transaction<'_>, frames: &Rows<'_>) -> Sql<()> {
    let whole = || {
        frames
            .iter()
            .filter_map(|(no, new)| Some((no, new, new.frame?)))
    };
    if whole().all(|(_, _, frame)| frame.events.is_empty()) {
        return Ok(());
    }
    let mut copy = Copy::into(tx, EVENTS, &EVENT).await?;
    for (stream, new, frame) in whole() {
        for event in &frame.events {
            copy.row(&[
                stream,
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
            ])
            .await?;
        }
    }
    copy.finish().await
}

/// Keeps what could not be counted, with the reason.
pub(super) async fn put_aside(tx: &Transaction<'_>, frames: &Rows<'_>) -> Sql<()> {
    let whole = || {
        frames
            .iter()
            .filter_map(|(no, new)| Some((no, new, new.frame?)))
    };
    if whole().all(|(_, _, frame)| frame.put_aside.is_empty()) {
        return Ok(());
    }
    let mut copy = Copy::into(tx, ASIDE, &PUT_ASIDE).await?;
    for (stream, new, frame) in whole() {
        for aside in &frame.put_aside {
            copy.row(&[
                stream,
                &signed(new.seq),
                &aside.kind.map(i32::from),
                &aside.code,
                &text(&aside.reason),
                &new.received,
            ])
            .await?;
        }
    }
    copy.finish().await
}
