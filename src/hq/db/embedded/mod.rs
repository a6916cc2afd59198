//! The embedded ledger: one SQLite file, one thread that owns it.
//!
//! Every call is a job for that thread, in the order they came, and deliveries that wait in a row share a
//! transaction. The queue is bounded, and when it is full callers wait (their handlers have time-outs). A job
//! that a caller no longer waits for is still done whole: that is harmless, because frames are counted by mark
//! and not by request.

use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::row::{Row, Waiting};
use super::*;
use crate::ops::files::{self, Readers};

mod access;
mod audit;
mod commands;
mod figures;
mod fleet;
mod ingest;
mod members;
mod people;
mod persons;
mod phones;
mod sisters;
mod spots;
mod stickers;
mod streams;
mod migrations {
    refinery::embed_migrations!("src/hq/db/embedded/migrations");
}

/// Jobs that may wait: about a second's work of one disk.
const QUEUE: usize = 256;

/// How long a job waits for another process, such as `maitred hq token`, that is writing.
const BUSY: std::time::Duration = std::time::Duration::from_secs(5);

/// What SQLite keeps in memory.
const CACHE_KIB: i64 = 32 << 10;

/// Pages of 4 KiB after which the log is copied into the file: 32 MiB.
const CHECKPOINT_PAGES: i64 = 8_000;

/// Work for the ledger's thread.
enum Job {
    Work(Box<dyn FnOnce(&mut Connection) + Send>),
    /// Told apart from the others, so that those that wait share a transaction.
    Ingest(Waiting),
}

/// The ledger in a file.
#[derive(Debug)]
pub(super) struct Embedded {
    jobs: mpsc::Sender<Job>,
}

impl Embedded {
    /// Opens the file, makes it when it is missing, and brings it to this version.
    pub(super) fn open(path: &Path) -> Answer<Self> {
        let mut connection = connect(path)?;
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        std::thread::Builder::new()
            .name("hq-ledger".to_owned())
            .spawn(move || {
                let mut next = queue.blocking_recv();
                while let Some(job) = next.take() {
                    next = match job {
                        Job::Work(work) => {
                            work(&mut connection);
                            None
                        }
                        Job::Ingest(first) => ingest_all(&mut connection, first, &mut queue),
                    }
                    .or_else(|| queue.blocking_recv());
                }
            })
            .map_err(|error| LedgerError::Storage(error.to_string()))?;
        Ok(Self { jobs })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let (answer, answered) = oneshot::channel();
        let work = Box::new(move |connection: &mut Connection| {
            // Nobody waits any longer where this fails.
            answer.send(work(connection)).ok();
        });
        self.put(Job::Work(work)).await?;
        let done = answered.await.map_err(|_| LedgerError::Stopped)?;
        done.map_err(LedgerError::from)
    }

    async fn put(&self, job: Job) -> Answer<()> {
        let stopped = |_| LedgerError::Stopped;
        self.jobs.send(job).await.map_err(stopped)
    }
}

/// Takes a delivery in, with those that wait behind it, and returns the job that ended the row.
fn ingest_all(
    connection: &mut Connection,
    first: Waiting,
    queue: &mut mpsc::Receiver<Job>,
) -> Option<Job> {
    let mut row = Row::begin(first);
    let left = loop {
        match queue.try_recv() {
            Ok(Job::Ingest(waiting)) => {
                if let Err(waiting) = row.join(waiting) {
                    break Some(Job::Ingest(waiting));
                }
            }
            Ok(job) => break Some(job),
            // Nobody waits: there is no reason to let those in the row wait for company.
            Err(_) => break None,
        }
    };
    let mut rows = vec![row];
    while let Some(row) = rows.pop() {
        let done = ingest::ingest(connection, row.deliveries()).map_err(LedgerError::from);
        rows.extend(row.answer(done));
    }
    left
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.to_string())
    }
}

fn connect(path: &Path) -> Answer<Connection> {
    let storage = |error: &dyn fmt::Display| LedgerError::Storage(error.to_string());
    if !path.exists() {
        // SQLite gives its journal the mode of its file: coupons and diners are nobody else's business.
        files::replace(path, b"", Readers::OnlyUs).map_err(|error| storage(&error))?;
    }
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // With less than FULL a power cut could take back what a receipt has promised.
    connection.pragma_update(None, "synchronous", "full")?;
    // The pages of figures and diners change again and again: with more of them in memory, and the log
    // copied back less often, each is written once where it was written many times.
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    migrations::migrations::runner()
        .run(&mut connection)
        .map_err(|error| storage(&error))?;
    Ok(connection)
}

#[async_trait]
impl Ledger for Embedded {
    async fn stopped(&self) {
        self.jobs.closed().await;
    }

    async fn ping(&self) -> Answer<()> {
        self.run(|db| db.query_row("select 1", [], |_| Ok(())))
            .await
    }

    async fn ingest(&self, delivery: Delivery) -> Answer<IngestOutcome> {
        let (waiting, ticket) = Waiting::new(delivery);
        self.put(Job::Ingest(waiting)).await?;
        ticket.outcome().await
    }

    async fn greet(&self, greeting: Greeting) -> Answer<Marks> {
        self.run(move |db| streams::greet(db, &greeting)).await
    }

    async fn audit_day(&self, store: StoreId, day: Date) -> Answer<DayAudit> {
        self.run(move |db| audit::day(db, &store, day)).await
    }

    async fn audit_streams(&self) -> Answer<Vec<StreamCount>> {
        self.run(|db| audit::streams(db)).await
    }

    async fn figures(&self, asked: Vec<(StoreId, Date)>) -> Answer<Vec<Figures>> {
        self.run(move |db| {
            asked
                .iter()
                .map(|(store, day)| figures::of_day(db, store, *day))
                .collect()
        })
        .await
    }

    async fn places(&self, store: StoreId, days: Days) -> Answer<Places> {
        self.run(move |db| spots::over(db, &store, &days)).await
    }

    async fn first_visits(&self, store: StoreId, days: Days) -> Answer<FirstVisits> {
        self.run(move |db| spots::first_visits(db, &store, &days))
            .await
    }

    async fn deeds(&self, asked: Vec<(StoreId, Date)>) -> Answer<Vec<Places>> {
        self.run(move |db| {
            let of = |(store, day): &(StoreId, Date)| spots::deeds(db, store, *day);
            asked.iter().map(of).collect()
        })
        .await
    }

    async fn places_since(&self) -> Answer<Option<Date>> {
        self.run(|db| spots::since(db)).await
    }

    async fn totals(&self) -> Answer<Totals> {
        self.run(figures::totals).await
    }

    async fn coupons(&self) -> Answer<Coupons> {
        self.run(|db| figures::coupons(db)).await
    }

    async fn gateways(&self) -> Answer<Vec<Gateway>> {
        self.run(|db| fleet::gateways(db)).await
    }

    async fn recognise(&self, caller: Caller) -> Answer<Result<Gateway, Denied>> {
        self.run(move |db| fleet::recognise(db, &caller)).await
    }

    async fn record_certificate(&self, certificate: Certificate) -> Answer<()> {
        self.run(move |db| fleet::record_certificate(db, &certificate))
            .await
    }

    async fn record_report(&self, report: Report) -> Answer<()> {
        self.run(move |db| fleet::record_report(db, &report)).await
    }

    async fn revoke(&self, gateway: GatewayId, now: Timestamp) -> Answer<Revoked> {
        self.run(move |db| fleet::revoke(db, gateway, now)).await
    }

    async fn keep_host_request(&self, request: HostRequest) -> Answer<()> {
        self.run(move |db| fleet::keep_host_request(db, &request))
            .await
    }

    async fn host_requests(&self, store: StoreId) -> Answer<Vec<HostRequest>> {
        self.run(move |db| fleet::host_requests(db, &store)).await
    }

    async fn keep_token(&self, token: NewToken) -> Answer<()> {
        self.run(move |db| fleet::keep_token(db, &token)).await
    }

    async fn look_at_token(
        &self,
        hash: TokenHash,
        now: Timestamp,
    ) -> Answer<Result<Serves, TokenRefusal>> {
        self.run(move |db| fleet::look_at_token(db, hash, now))
            .await
    }

    async fn enrol(&self, enrolment: Enrolment) -> Answer<Result<GatewayId, TokenRefusal>> {
        self.run(move |db| fleet::enrol(db, &enrolment)).await
    }

    async fn give(&self, order: Order) -> Answer<Option<u64>> {
        self.run(move |db| commands::give(db, &order)).await
    }

    async fn commands_after(
        &self,
        gateway: GatewayId,
        cursor: Option<Cursor>,
        now: Timestamp,
    ) -> Answer<Vec<Item>> {
        self.run(move |db| commands::after(db, gateway, cursor, now))
            .await
    }

    async fn keep_notice(&self, notice: Notice) -> Answer<()> {
        self.run(move |db| commands::keep_notice(db, &notice).map(drop))
            .await
    }

    async fn commands(&self, gateway: GatewayId) -> Answer<Vec<Given>> {
        self.run(move |db| commands::all(db, gateway)).await
    }

    async fn say(&self, word: Word) -> Answer<()> {
        self.run(move |db| stickers::say(db, &word)).await
    }

    async fn last_word(&self) -> Answer<u64> {
        self.run(|db| stickers::last_word(db)).await
    }

    async fn words(&self) -> Answer<Vec<Word>> {
        self.run(|db| stickers::words(db)).await
    }

    async fn walks(&self) -> Answer<Vec<Walked>> {
        self.run(|db| stickers::walks(db)).await
    }

    async fn reserve(&self, wish: Wish) -> Answer<Said> {
        self.run(move |db| sisters::reserve(db, &wish)).await
    }

    async fn release(&self, gateway: GatewayId, unused: Unused) -> Answer<()> {
        self.run(move |db| sisters::release(db, gateway, &unused))
            .await
    }

    async fn doubles(&self) -> Answer<Vec<Double>> {
        self.run(|db| sisters::doubles(db)).await
    }

    async fn members(&self, store: StoreId) -> Answer<Vec<Member>> {
        self.run(move |db| members::of_store(db, &store)).await
    }

    async fn import(&self, imported: Imported) -> Answer<()> {
        self.run(move |db| members::import(db, &imported)).await
    }

    async fn reach(&self, reached: Vec<Reached>) -> Answer<()> {
        self.run(move |db| members::reach(db, &reached)).await
    }

    async fn sweep(&self, now: Timestamp) -> Answer<usize> {
        let mut swept = 0;
        for one in self.run(|db| persons::open(db)).await? {
            if one.is_due(now) {
                // In strides, between which whatever waits has its turn.
                let mut from = Some(0);
                while let Some(next) = from {
                    let stride =
                        move |db: &mut Connection| persons::sweep_some(db, &one, next, now);
                    from = self.run(stride).await?;
                }
                self.run(move |db| persons::swept(db, &one, now)).await?;
                swept += 1;
            } else if one.may_close() {
                self.run(move |db| persons::close(db, &one)).await?;
            }
        }
        Ok(swept)
    }

    async fn erasures(&self) -> Answer<Vec<Erasure>> {
        self.run(|db| persons::erasures(db)).await
    }

    async fn unanswered(&self) -> Answer<Vec<Unanswered>> {
        self.run(|db| persons::unanswered(db)).await
    }

    async fn access_held(&self, store: StoreId) -> Answer<Option<Held>> {
        self.run(move |db| access::held(db, &store)).await
    }

    async fn access(&self, asked: Asked) -> Answer<Vec<Kept>> {
        self.run(move |db| access::of(db, &asked)).await
    }

    async fn forget_access(&self, before: Timestamp) -> Answer<u64> {
        let gone = self.run(move |db| access::forget(db, before)).await?;
        Ok(gone as u64)
    }

    async fn booked_phone(&self, store: StoreId, which: Which) -> Answer<Option<Found>> {
        self.run(move |db| phones::of(db, &store, which)).await
    }

    async fn forget_phones(&self, before: Timestamp) -> Answer<u64> {
        let gone = self
            .run(move |db| phones::forget_before(db, before))
            .await?;
        Ok(gone as u64)
    }

    async fn agreed(&self) -> Answer<Vec<Agreed>> {
        self.run(|db| persons::agreed(db)).await
    }

    async fn published(&self, gateway: GatewayId) -> Answer<Option<Published>> {
        self.run(move |db| fleet::published(db, gateway)).await
    }

    async fn publish(&self, gateway: GatewayId, published: Published) -> Answer<()> {
        self.run(move |db| fleet::publish(db, gateway, &published))
            .await
    }

    async fn add_admin(&self, login: String, password_hash: String) -> Answer<()> {
        self.run(move |db| people::add_admin(db, &login, &password_hash))
            .await
    }

    async fn admin_password_hash(&self, login: String) -> Answer<Option<String>> {
        self.run(move |db| people::admin_password_hash(db, &login))
            .await
    }

    async fn open_session(&self, session: NewSession) -> Answer<()> {
        self.run(move |db| people::open_session(db, &session)).await
    }

    async fn session(&self, hash: SessionHash, now: Timestamp) -> Answer<Option<String>> {
        self.run(move |db| people::session(db, hash, now)).await
    }

    async fn close_session(&self, hash: SessionHash) -> Answer<()> {
        self.run(move |db| people::close_session(db, hash)).await
    }

    async fn note(&self, entry: AuditEntry) -> Answer<()> {
        self.run(move |db| people::note(db, &entry)).await
    }

    async fn audit(&self, count: u32) -> Answer<Vec<AuditEntry>> {
        self.run(move |db| people::audit(db, count)).await
    }
}

/// SQLite's integers are signed; sequences and counts never come near the difference.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

/// An hour on a store's wall, as its rows are keyed.
fn hour(hour: DateTime) -> String {
    hour.strftime("%Y-%m-%dT%H").to_string()
}

/// A value in the file that this program did not write.
fn corrupt(column: usize, what: impl fmt::Display) -> rusqlite::Error {
    let fault = std::io::Error::other(what.to_string());
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(fault))
}
