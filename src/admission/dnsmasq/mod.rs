//! Keeps the router's dnsmasq up to date: the portal's name, the walled garden, what phones are told.
//!
//! It promises that dnsmasq reads a file soon after it changes, that it is restarted only for what it reads at
//! its start, and then at most every half minute. Nothing here waits on a request's path. What goes wrong is
//! logged once and kept in [`DnsmasqFiles::trouble`] until it works again.
//!
//! When the gateway stops, what is true only while it answers and would not be taken back by anybody else is
//! taken out, whatever becomes of the wall: the address of the RFC 8908 interface, and the public addresses of
//! checks. The portal's name and the garden stay: they do no harm, and would cost a restart of dnsmasq.

mod due;
mod render;
mod tell;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::garden::Garden;
use super::zone::Zone;
use crate::ops::metrics;
use crate::ops::tasks::Tasks;
use due::{Due, Step};
use render::{Wanted, render};
use tell::Changed;
pub use tell::{Trouble, has_not_read};

/// Where dnsmasq is, and how it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the files for it are written.
    pub dir: PathBuf,
    pub pid_file: PathBuf,
    /// The command that restarts it, a word each; empty: somebody else does.
    pub restart: Vec<String>,
}

/// What the files follow.
#[derive(Debug, Clone)]
pub struct Follows {
    /// The portal's host, without a port.
    pub host: watch::Receiver<String>,
    pub garden: watch::Receiver<Garden>,
    /// The address of the RFC 8908 interface, while it can be asked.
    pub advertise: watch::Receiver<Option<String>>,
    pub wan_is_up: watch::Receiver<bool>,
}

/// A handle to the task that writes them.
#[derive(Debug, Clone)]
pub struct DnsmasqFiles {
    emptied: Arc<Notify>,
    trouble: watch::Receiver<Option<String>>,
}

impl DnsmasqFiles {
    /// Writes the files, and from now on whenever what they say changes.
    pub fn start(settings: Settings, zones: &[Zone], follows: Follows, tasks: &Tasks) -> Self {
        let (trouble, troubled) = watch::channel(None);
        let emptied = Arc::new(Notify::new());
        let Settings { dir, pid_file, .. } = &settings;
        let mut keeper = Keeper {
            interfaces: zones.iter().map(|zone| zone.interface.clone()).collect(),
            // A gateway that was killed between writing and restarting left this behind.
            due: Due::at_start(
                Instant::now(),
                !settings.restart.is_empty() && has_not_read(dir, pid_file),
            ),
            settings,
            follows,
            emptied: Arc::clone(&emptied),
            trouble,
        };
        let own = tasks.clone();
        tasks.spawn("dnsmasq", async move {
            loop {
                tokio::select! {
                    () = keeper.news() => {}
                    () = own.stopping() => break,
                }
                // Not given up in the middle: dnsmasq would stay away between the halves of a restart.
                keeper.work_and_say().await;
            }
            keeper.leave().await;
        });
        Self {
            emptied,
            trouble: troubled,
        }
    }

    /// Says that the kernel's sets were made anew and are empty: names that dnsmasq remembers would not be
    /// looked up again, and their addresses not put back.
    pub fn sets_were_emptied(&self) {
        self.emptied.notify_one();
    }

    /// What keeps dnsmasq from knowing what it should, if anything does.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.clone()
    }
}

struct Keeper {
    settings: Settings,
    interfaces: Vec<String>,
    follows: Follows,
    emptied: Arc<Notify>,
    trouble: watch::Sender<Option<String>>,
    due: Due,
}

impl Keeper {
    /// Waits for something to do.
    async fn news(&mut self) {
        let wake_at = self.due.wake_at();
        tokio::select! {
            // A sender that is gone will not change anything any more.
            Ok(()) = self.follows.host.changed() => {}
            Ok(()) = self.follows.garden.changed() => {}
            Ok(()) = self.follows.advertise.changed() => {}
            Ok(()) = self.follows.wan_is_up.changed() => {}
            () = self.emptied.notified() => self.due.add_reread(),
            () = until(wake_at) => {}
        }
    }

    async fn work_and_say(&mut self) {
        match self.work().await {
            // What did not work is not tried yet, and still does not.
            Ok(None) => {}
            Ok(Some(_)) => self.say(None),
            Err(trouble) => self.say(Some(trouble.to_string())),
        }
    }

    async fn work(&mut self) -> Result<Option<Step>, Trouble> {
        let can_restart = !self.settings.restart.is_empty();
        let wanted = self.wanted();
        let changed = match self.write(wanted).await {
            Ok(changed) => changed,
            Err(trouble) => {
                self.due.put_off(Instant::now());
                return Err(trouble);
            }
        };
        if changed.conf && !can_restart {
            tracing::info!("dnsmasq's settings have changed; somebody has to restart it");
        }
        self.due.add(changed, can_restart);
        let Some(step) = self.due.next(Instant::now()) else {
            return Ok(None);
        };
        let outcome = match step {
            Step::Restart => tell::restart(&self.settings.restart).await,
            Step::Reread => tell::reread(&self.settings.pid_file),
        };
        self.due.taken(step, outcome.is_ok(), Instant::now());
        outcome.map(|()| Some(step))
    }

    /// Takes back what is true only while the gateway answers.
    async fn leave(&mut self) {
        let wanted = Wanted {
            advertise: None,
            wan_is_up: true,
            ..self.wanted()
        };
        let told = match self.write(wanted).await {
            Ok(Changed { reread: true, .. }) => tell::reread(&self.settings.pid_file),
            Ok(_) => Ok(()),
            Err(trouble) => Err(trouble),
        };
        if let Err(trouble) = told {
            self.say(Some(trouble.to_string()));
        }
    }

    fn wanted(&mut self) -> Wanted {
        Wanted {
            host: self.follows.host.borrow_and_update().clone(),
            interfaces: self.interfaces.clone(),
            garden: self.follows.garden.borrow_and_update().clone(),
            advertise: self.follows.advertise.borrow_and_update().clone(),
            wan_is_up: *self.follows.wan_is_up.borrow_and_update(),
        }
    }

    async fn write(&self, wanted: Wanted) -> Result<Changed, Trouble> {
        let dir = self.settings.dir.clone();
        let write = move || tell::write(&dir, &render(&wanted, &dir));
        tokio::task::spawn_blocking(write)
            .await
            .unwrap_or_else(|error| Err(Trouble::Files(std::io::Error::other(error))))
    }

    fn say(&self, trouble: Option<String>) {
        metrics::set(metrics::DNSMASQ_TROUBLE, trouble.is_some().into());
        let is_news = self
            .trouble
            .send_if_modified(|before| std::mem::replace(before, trouble.clone()) != trouble);
        if let (true, Some(trouble)) = (is_news, trouble) {
            tracing::warn!(trouble, "dnsmasq does not know what it should");
        }
    }
}

async fn until(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}
