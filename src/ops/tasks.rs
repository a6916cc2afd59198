//! Every task of the process, and the one signal that ends them.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::metrics;

/// A future whose type does not matter: what a trait object's async method returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Owns the tasks of a server. Cloning gives another handle to the same set.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// Whether everything ended in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Clean,
    /// Some task was still running when the grace was over.
    GraceExceeded,
}

/// What becomes of the others when a task panics.
#[derive(Debug, Clone, Copy)]
enum Duty {
    /// They stop.
    Part,
    /// They go on.
    Guest,
}

impl Tasks {
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a part of the server until it ends. One that ends by a panic stops the whole set: a server
    /// that has lost a part of itself must be started again, not limp on.
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.watch(Box::pin(task), name, Duty::Part);
    }

    /// Runs one of many guests, such as a connection: a panic in it ends it alone.
    pub fn spawn_guest<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.watch(Box::pin(task), name, Duty::Guest);
    }

    /// One type of task: tokio is compiled for each type anew, 2 kB on a router for each of thirty.
    #[expect(clippy::disallowed_methods, reason = "this is where tasks belong")]
    fn watch(&self, task: BoxFuture<'static, ()>, name: &'static str, duty: Duty) {
        let task = self.tracker.spawn(task);
        let stop = self.stop.clone();
        tokio::spawn(async move {
            if !task.await.is_err_and(|error| error.is_panic()) {
                return;
            }
            match duty {
                Duty::Part => {
                    tracing::error!(task.name = name, "a task panicked; stopping");
                    stop.cancel();
                }
                Duty::Guest => {
                    tracing::error!(task.name = name, "a task panicked");
                    metrics::count(metrics::PANICS);
                }
            }
        });
    }

    /// Ends when the process is to stop. Every loop waits for this beside its own work.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Asks every task to end.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Asks every task to end and waits for them, at most `grace`.
    pub async fn shut_down(&self, grace: Duration) -> Ended {
        self.stop();
        self.tracker.close();
        match tokio::time::timeout(grace, self.tracker.wait()).await {
            Ok(()) => Ended::Clean,
            Err(_) => Ended::GraceExceeded,
        }
    }
}

/// Ends at the first SIGTERM or interrupt.
pub async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be watched at start");
    let mut interrupt = signal(SignalKind::interrupt()).expect("signals can be watched at start");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_task_stops_the_others() {
        let tasks = Tasks::new();
        let other = tasks.clone();
        tasks.spawn("other", async move { other.stopping().await });
        tasks.spawn("broken", async { panic!("on purpose") });
        tasks.stopping().await;
        assert_eq!(tasks.shut_down(Duration::from_secs(5)).await, Ended::Clean);
    }

    #[tokio::test]
    async fn a_panic_in_a_guest_leaves_the_server_running() {
        let tasks = Tasks::new();
        tasks.spawn_guest("broken", async { panic!("on purpose") });
        tasks.tracker.close();
        tasks.tracker.wait().await;
        assert!(!tasks.is_stopping());
    }
}
