//! A connection inside the one transaction that takes frames in.
//!
//! What the transaction asks goes out as early as it can, several questions behind one another, its end among
//! them. So everything it will say is prepared before it begins: a statement that had to be prepared in
//! between would arrive behind the commit that was to make it last. Where one fails, the database undoes all
//! of them whatever comes behind, and the connection, which may be in the middle of a COPY, is given up.

use deadpool_postgres::Object;
use tokio_postgres::Statement;

use super::{Sql, copy, figures_in, ingest, sisters, spots, streams};

/// Everything that is said in every transaction.
pub(super) struct Statements {
    pub(super) lock: Statement,
    pub(super) families: Statement,
    pub(super) frames: Statement,
    pub(super) events: Statement,
    pub(super) figures: Statement,
    pub(super) visits: Statement,
    pub(super) spots: Statement,
    pub(super) patrons: Statement,
    pub(super) runs: Statement,
    pub(super) uses: Statement,
    pub(super) marks: Statement,
}

impl Statements {
    /// Prepares what this connection has not said before.
    pub(super) async fn of(client: &Object) -> Sql<Self> {
        Ok(Self {
            lock: client.prepare_cached(streams::LOCK).await?,
            families: client.prepare_cached(streams::FAMILIES).await?,
            frames: client.prepare_cached(copy::FRAMES).await?,
            events: client.prepare_cached(copy::EVENTS).await?,
            figures: client.prepare_cached(figures_in::FIGURES).await?,
            visits: client.prepare_cached(figures_in::VISITS).await?,
            spots: client.prepare_cached(spots::SPOTS).await?,
            patrons: client.prepare_cached(spots::PATRONS).await?,
            runs: client.prepare_cached(ingest::RUNS).await?,
            uses: client.prepare_cached(sisters::HEAR).await?,
            marks: client.prepare_cached(streams::MOVE).await?,
        })
    }
}

/// Gives the connection back when the transaction has ended well, and closes it otherwise.
pub(super) struct Writing {
    client: Option<Object>,
}

impl Writing {
    pub(super) const fn over(client: Object) -> Self {
        Self {
            client: Some(client),
        }
    }

    pub(super) fn db(&self) -> &Object {
        self.client.as_ref().expect("it is there until the end")
    }

    pub(super) async fn begin(&self) -> Sql<()> {
        self.db().batch_execute("begin").await
    }

    /// Counts only where all that was said before it went well: after a fault it ends the transaction, too,
    /// and says nothing.
    pub(super) async fn commit(&self) -> Sql<()> {
        self.db().batch_execute("commit").await
    }

    /// It has been committed.
    pub(super) fn done(mut self) {
        self.client = None;
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // With the connection the database ends the transaction, too.
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }
}
