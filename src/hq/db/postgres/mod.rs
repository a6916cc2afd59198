//! The ledger of a chain: a PostgreSQL database.
//!
//! Deliveries wait in a queue for one of a few writers, which takes all that wait into one transaction
//! ([`ingest`]); everything else goes its own way on a connection of the pool. A database that was away is
//! found again by itself: until then every call fails, and whoever asked comes again.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Object, Pool, PoolError};
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::{Mutex, mpsc};
use tokio_postgres::Row as SqlRow;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::row::{Row, Waiting};
use super::*;
use crate::ops::tasks::Tasks;

mod access;
mod audit;
mod commands;
mod connect;
mod copy;
mod figures;
mod figures_in;
mod fleet;
mod ingest;
mod members;
mod partitions;
mod people;
mod persons;
mod phones;
mod rows;
mod sisters;
mod spots;
mod stickers;
mod streams;
mod writing;

mod migrations {
    refinery::embed_migrations!("src/hq/db/postgres/migrations");
}

/// Deliveries that may wait for a writer; past that, whoever brings one waits.
const QUEUE: usize = 1_024;

/// Rows of deliveries that are written at a time: while one waits for the disk, another is made.
const WRITERS: usize = 3;

/// Two headquarters that start at the same time must not both bring the ledger to a version. Any number
/// that nobody else uses in this database will do.
const MIGRATING: i64 = 0x6d61_6974_7265;

/// The ledger in a database.
pub(super) struct Postgres {
    pool: Pool,
    deliveries: mpsc::Sender<Waiting>,
    writers: Tasks,
}

impl Postgres {
    /// Opens a ledger that is there.
    pub(super) async fn open(database: &Database) -> Answer<Self> {
        let pool = connect::pool(database)?;
        if !is_made(&pool).await? {
            return Err(LedgerError::Missing("the database".to_owned()));
        }
        Self::over(pool).await
    }

    /// Makes one in an empty database.
    pub(super) async fn create(database: &Database) -> Answer<Self> {
        let pool = connect::pool(database)?;
        if is_made(&pool).await? {
            return Err(LedgerError::Storage(
                "the database holds a ledger already".to_owned(),
            ));
        }
        Self::over(pool).await
    }

    async fn over(pool: Pool) -> Answer<Self> {
        migrate(&pool).await?;
        let (deliveries, queue) = mpsc::channel(QUEUE);
        let (queue, writers) = (Arc::new(Mutex::new(Queue::of(queue))), Tasks::new());
        let partitions = Arc::new(partitions::Partitions::default());
        for _ in 0..WRITERS {
            let own = (pool.clone(), Arc::clone(&queue), Arc::clone(&partitions));
            writers.spawn("ledger writer", async move {
                let (pool, queue, partitions) = own;
                while let Some(row) = next_row(&queue).await {
                    take_in(&pool, &partitions, row).await;
                }
            });
        }
        Ok(Self {
            pool,
            deliveries,
            writers,
        })
    }

    async fn client(&self) -> Answer<Object> {
        client(&self.pool).await
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.writers.stop();
    }
}

async fn client(pool: &Pool) -> Answer<Object> {
    Ok(pool.get().await?)
}

/// Whether there is a ledger in the database, of whatever version.
async fn is_made(pool: &Pool) -> Answer<bool> {
    let sql = "select to_regclass('refinery_schema_history') is not null";
    let found = one(&client(pool).await?, sql, &[]).await?;
    Ok(found.get(0))
}

async fn migrate(pool: &Pool) -> Answer<()> {
    let mut client = client(pool).await?;
    run(&client, "select pg_advisory_lock($1)", &[&MIGRATING]).await?;
    let plain: &mut tokio_postgres::Client = &mut client;
    let migrated = migrations::migrations::runner().run_async(plain).await;
    run(&client, "select pg_advisory_unlock($1)", &[&MIGRATING]).await?;
    migrated
        .map(drop)
        .map_err(|error| LedgerError::Storage(error.to_string()))
}

/// The queue's reading end, and a delivery that was taken out and has to begin the next row.
struct Queue {
    deliveries: mpsc::Receiver<Waiting>,
    left: Option<Waiting>,
}

impl Queue {
    const fn of(deliveries: mpsc::Receiver<Waiting>) -> Self {
        Self {
            deliveries,
            left: None,
        }
    }
}

/// All that wait, up to a row's length; none when the ledger is no longer wanted.
async fn next_row(queue: &Mutex<Queue>) -> Option<Row> {
    // The writers wait here one behind the other: the first gets everything.
    let mut queue = queue.lock().await;
    let first = match queue.left.take() {
        Some(first) => first,
        None => queue.deliveries.recv().await?,
    };
    let mut row = Row::begin(first);
    while !row.is_long_enough() {
        let Ok(waiting) = queue.deliveries.try_recv() else {
            break;
        };
        if let Err(waiting) = row.join(waiting) {
            queue.left = Some(waiting);
            break;
        }
    }
    Some(row)
}

async fn take_in(pool: &Pool, partitions: &partitions::Partitions, row: Row) {
    let mut rows = vec![row];
    while let Some(row) = rows.pop() {
        let done = ingest::ingest(pool, partitions, row.deliveries()).await;
        if let Err(error) = &done {
            tracing::warn!(%error, deliveries = row.deliveries().len(), "deliveries were not taken in");
        }
        rows.extend(row.answer(done));
    }
}

impl From<PoolError> for LedgerError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            error @ (PoolError::Timeout(_)
            | PoolError::Closed
            | PoolError::NoRuntimeSpecified
            | PoolError::PostCreateHook(_)) => Self::Unreachable(error.to_string()),
        }
    }
}

impl From<tokio_postgres::Error> for LedgerError {
    /// Never with the details of a fault: they quote rows.
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(fault) = error.as_db_error() else {
            return Self::Unreachable(error.to_string());
        };
        let words = format!("{} ({})", fault.message(), fault.code().code());
        let is_going = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
        ];
        if is_going.contains(fault.code()) {
            Self::Unreachable(words)
        } else {
            Self::Storage(words)
        }
    }
}

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];
type Sql<T> = Result<T, tokio_postgres::Error>;

async fn all(db: &impl GenericClient, sql: &str, parameters: Parameters<'_>) -> Sql<Vec<SqlRow>> {
    let statement = db.prepare_cached(sql).await?;
    db.query(&statement, parameters).await
}

async fn one(db: &impl GenericClient, sql: &str, parameters: Parameters<'_>) -> Sql<SqlRow> {
    let statement = db.prepare_cached(sql).await?;
    db.query_one(&statement, parameters).await
}

async fn maybe(
    db: &impl GenericClient,
    sql: &str,
    parameters: Parameters<'_>,
) -> Sql<Option<SqlRow>> {
    let statement = db.prepare_cached(sql).await?;
    db.query_opt(&statement, parameters).await
}

async fn run(db: &impl GenericClient, sql: &str, parameters: Parameters<'_>) -> Sql<u64> {
    let statement = db.prepare_cached(sql).await?;
    db.execute(&statement, parameters).await
}

/// PostgreSQL's integers are signed; sequences and counts never come near the difference.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn number(gateway: GatewayId) -> i32 {
    i32::try_from(gateway.0).unwrap_or(i32::MAX)
}

fn gateway_id(number: i32) -> GatewayId {
    GatewayId(u32::try_from(number).unwrap_or_default())
}

/// PostgreSQL's text cannot hold a NUL, and what people and programs say can.
fn text(said: &str) -> String {
    said.replace('\0', "\u{fffd}")
}

/// A value in the database that this program did not write.
fn corrupt(what: impl fmt::Display) -> LedgerError {
    LedgerError::Storage(format!(
        "a value in the database is not one of ours: {what}"
    ))
}

#[async_trait]
impl Ledger for Postgres {
    async fn stopped(&self) {
        self.deliveries.closed().await;
    }

    async fn ping(&self) -> Answer<()> {
        run(&self.client().await?, "select 1", &[]).await?;
        Ok(())
    }

    async fn ingest(&self, delivery: Delivery) -> Answer<IngestOutcome> {
        let (waiting, ticket) = Waiting::new(delivery);
        let stopped = |_| LedgerError::Stopped;
        self.deliveries.send(waiting).await.map_err(stopped)?;
        ticket.outcome().await
    }

    async fn greet(&self, greeting: Greeting) -> Answer<Marks> {
        streams::greet(&mut self.client().await?, &greeting).await
    }

    async fn audit_day(&self, store: StoreId, day: Date) -> Answer<DayAudit> {
        audit::day(&mut self.client().await?, &store, day).await
    }

    async fn audit_streams(&self) -> Answer<Vec<StreamCount>> {
        audit::streams(&self.client().await?).await
    }

    async fn figures(&self, asked: Vec<(StoreId, Date)>) -> Answer<Vec<Figures>> {
        figures::of_days(&self.client().await?, &asked).await
    }

    async fn places(&self, store: StoreId, days: Days) -> Answer<Places> {
        spots::over(&self.client().await?, &store, &days).await
    }

    async fn first_visits(&self, store: StoreId, days: Days) -> Answer<FirstVisits> {
        spots::first_visits(&self.client().await?, &store, &days).await
    }

    async fn deeds(&self, asked: Vec<(StoreId, Date)>) -> Answer<Vec<Places>> {
        spots::deeds(&self.client().await?, &asked).await
    }

    async fn places_since(&self) -> Answer<Option<Date>> {
        spots::since(&self.client().await?).await
    }

    async fn totals(&self) -> Answer<Totals> {
        figures::totals(&self.client().await?).await
    }

    async fn coupons(&self) -> Answer<Coupons> {
        figures::coupons(&self.client().await?).await
    }

    async fn gateways(&self) -> Answer<Vec<Gateway>> {
        fleet::gateways(&self.client().await?).await
    }

    async fn recognise(&self, caller: Caller) -> Answer<Result<Gateway, Denied>> {
        fleet::recognise(&self.client().await?, &caller).await
    }

    async fn record_certificate(&self, certificate: Certificate) -> Answer<()> {
        fleet::record_certificate(&self.client().await?, &certificate).await
    }

    async fn record_report(&self, report: Report) -> Answer<()> {
        fleet::record_report(&self.client().await?, &report).await
    }

    async fn revoke(&self, gateway: GatewayId, now: Timestamp) -> Answer<Revoked> {
        fleet::revoke(&mut self.client().await?, gateway, now).await
    }

    async fn keep_host_request(&self, request: HostRequest) -> Answer<()> {
        fleet::keep_host_request(&self.client().await?, &request).await
    }

    async fn host_requests(&self, store: StoreId) -> Answer<Vec<HostRequest>> {
        fleet::host_requests(&self.client().await?, &store).await
    }

    async fn keep_token(&self, token: NewToken) -> Answer<()> {
        fleet::keep_token(&mut self.client().await?, &token).await
    }

    async fn look_at_token(
        &self,
        hash: TokenHash,
        now: Timestamp,
    ) -> Answer<Result<Serves, TokenRefusal>> {
        fleet::look_at_token(&self.client().await?, hash, now).await
    }

    async fn enrol(&self, enrolment: Enrolment) -> Answer<Result<GatewayId, TokenRefusal>> {
        fleet::enrol(&mut self.client().await?, &enrolment).await
    }

    async fn give(&self, order: Order) -> Answer<Option<u64>> {
        commands::give(&mut self.client().await?, &order).await
    }

    async fn commands_after(
        &self,
        gateway: GatewayId,
        cursor: Option<Cursor>,
        now: Timestamp,
    ) -> Answer<Vec<Item>> {
        commands::after(&mut self.client().await?, gateway, cursor, now).await
    }

    async fn keep_notice(&self, notice: Notice) -> Answer<()> {
        commands::keep_notices(&self.client().await?, &[Cow::Owned(notice)]).await?;
        Ok(())
    }

    async fn commands(&self, gateway: GatewayId) -> Answer<Vec<Given>> {
        commands::given(&self.client().await?, gateway).await
    }

    async fn say(&self, word: Word) -> Answer<()> {
        stickers::say(&mut self.client().await?, &word).await
    }

    async fn last_word(&self) -> Answer<u64> {
        stickers::last_word(&self.client().await?).await
    }

    async fn words(&self) -> Answer<Vec<Word>> {
        stickers::words(&self.client().await?).await
    }

    async fn walks(&self) -> Answer<Vec<Walked>> {
        stickers::walks(&self.client().await?).await
    }

    async fn reserve(&self, wish: Wish) -> Answer<Said> {
        sisters::reserve(&mut self.client().await?, &wish).await
    }

    async fn release(&self, gateway: GatewayId, unused: Unused) -> Answer<()> {
        sisters::release(&self.client().await?, gateway, &unused).await
    }

    async fn doubles(&self) -> Answer<Vec<Double>> {
        sisters::doubles(&self.client().await?).await
    }

    async fn members(&self, store: StoreId) -> Answer<Vec<Member>> {
        members::of_store(&mut self.client().await?, &store).await
    }

    async fn import(&self, imported: Imported) -> Answer<()> {
        members::import(&mut self.client().await?, &imported).await
    }

    async fn reach(&self, reached: Vec<Reached>) -> Answer<()> {
        members::reach(&self.client().await?, &reached).await
    }

    async fn sweep(&self, now: Timestamp) -> Answer<usize> {
        persons::sweep(&mut self.client().await?, now).await
    }

    async fn erasures(&self) -> Answer<Vec<Erasure>> {
        persons::erasures(&self.client().await?).await
    }

    async fn unanswered(&self) -> Answer<Vec<Unanswered>> {
        persons::unanswered(&self.client().await?).await
    }

    async fn access_held(&self, store: StoreId) -> Answer<Option<Held>> {
        access::held(&self.client().await?, &store).await
    }

    async fn access(&self, asked: Asked) -> Answer<Vec<Kept>> {
        access::of(&self.client().await?, &asked).await
    }

    async fn forget_access(&self, before: Timestamp) -> Answer<u64> {
        access::forget(&self.client().await?, before).await
    }

    async fn booked_phone(&self, store: StoreId, which: Which) -> Answer<Option<Found>> {
        phones::of(&self.client().await?, &store, which).await
    }

    async fn forget_phones(&self, before: Timestamp) -> Answer<u64> {
        phones::forget_before(&self.client().await?, before).await
    }

    async fn agreed(&self) -> Answer<Vec<Agreed>> {
        persons::agreed(&self.client().await?).await
    }

    async fn published(&self, gateway: GatewayId) -> Answer<Option<Published>> {
        fleet::published(&self.client().await?, gateway).await
    }

    async fn publish(&self, gateway: GatewayId, published: Published) -> Answer<()> {
        fleet::publish(&self.client().await?, gateway, &published).await
    }

    async fn add_admin(&self, login: String, password_hash: String) -> Answer<()> {
        people::add_admin(&self.client().await?, &login, &password_hash).await
    }

    async fn admin_password_hash(&self, login: String) -> Answer<Option<String>> {
        people::admin_password_hash(&self.client().await?, &login).await
    }

    async fn open_session(&self, session: NewSession) -> Answer<()> {
        people::open_session(&mut self.client().await?, &session).await
    }

    async fn session(&self, hash: SessionHash, now: Timestamp) -> Answer<Option<String>> {
        people::session(&self.client().await?, hash, now).await
    }

    async fn close_session(&self, hash: SessionHash) -> Answer<()> {
        people::close_session(&self.client().await?, hash).await
    }

    async fn note(&self, entry: AuditEntry) -> Answer<()> {
        people::note(&self.client().await?, &[entry]).await
    }

    async fn audit(&self, count: u32) -> Answer<Vec<AuditEntry>> {
        people::audit(&self.client().await?, count).await
    }
}
