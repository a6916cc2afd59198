//! Notices when somebody else has removed or changed the table.
//!
//! The kernel tells what was changed and by whom: changes of our own socket are ours, and so is everything
//! up to the generation in which the table was last set up. What dnsmasq adds to the walled gardens is
//! expected. Everything else about the table is a loss.

use std::io;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::netlink::NETFILTER;
use tokio::io::Interest;
use tokio::net::UnixDatagram;

use super::super::netlink::nftables::Event;
use super::super::netlink::{Message, Socket};
use super::table::{OWN_SETS, TABLE};
use super::{NftFirewall, Table};

/// `NFNLGRP_NFTABLES`, as a bit.
const CHANGES: u32 = 1 << 6;

/// Listens to what happens to the table of a firewall.
#[derive(Debug)]
pub struct Watch {
    firewall: Arc<NftFirewall>,
    changes: Socket,
    /// The same socket, for tokio to wait with: to it one socket of datagrams is like another.
    waiting: UnixDatagram,
    ours: u32,
    /// Whether a part of the table was changed by somebody else since the last complete change.
    is_touched: bool,
    /// Whether the table must be looked at, because something may have been missed.
    is_in_doubt: bool,
}

impl Watch {
    /// Begins to listen. It needs a runtime of tokio.
    pub fn start(firewall: Arc<NftFirewall>) -> io::Result<Self> {
        let changes = Socket::listen(Some(NETFILTER), CHANGES)?;
        let waiting = UnixDatagram::from_std(changes.handle()?.into())?;
        let ours = firewall.kernel().socket.port();
        Ok(Self {
            firewall,
            changes,
            waiting,
            ours,
            is_touched: false,
            is_in_doubt: true,
        })
    }

    /// Waits until the table is not what it was set up as. The caller sets it up anew and waits again.
    pub async fn lost(&mut self) -> io::Result<()> {
        loop {
            if std::mem::take(&mut self.is_in_doubt) && self.firewall.examine()? != Table::Complete
            {
                return Ok(());
            }
            self.waiting.readable().await?;
            let mut judge = Judge {
                ours: self.ours,
                is_touched: self.is_touched,
                touched_in: None,
            };
            let heard = self.waiting.try_io(Interest::READABLE, || {
                self.changes.hear(&mut |message| judge.hear(message))
            });
            match heard {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if is_overrun(&error) => self.is_in_doubt = true,
                Err(error) => return Err(error),
            }
            self.is_touched = judge.is_touched;
            if let Some(generation) = judge.touched_in
                && self.is_after_set_up(generation).await?
            {
                return Ok(());
            }
        }
    }

    /// `nft` may be at work, which is not waited for among tasks that serve.
    async fn is_after_set_up(&self, generation: u32) -> io::Result<bool> {
        let firewall = Arc::clone(&self.firewall);
        let asked = move || firewall.is_after_set_up(generation);
        Ok(tokio::task::spawn_blocking(asked).await?)
    }
}

/// Tells our own changes from other people's.
#[derive(Debug)]
struct Judge {
    ours: u32,
    is_touched: bool,
    /// The last generation in which somebody else has changed the table.
    touched_in: Option<u32>,
}

impl Judge {
    fn hear(&mut self, message: &Message<'_>) {
        match Event::read(message) {
            Some(Event::Done { generation }) => {
                if std::mem::take(&mut self.is_touched) {
                    self.touched_in = Some(generation);
                }
            }
            Some(event) if message.port != self.ours => self.is_touched |= is_loss(&event),
            Some(_) | None => {}
        }
    }
}

fn is_loss(event: &Event<'_>) -> bool {
    match event {
        Event::Elements { table, set } => {
            *table == TABLE.as_bytes() && OWN_SETS.iter().any(|own| own.as_bytes() == *set)
        }
        Event::Shape { table } => *table == TABLE.as_bytes(),
        Event::Done { .. } => false,
    }
}

fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error())
}
