//! The wall in the kernel: one table of nftables, set up by `nft` and changed by netlink.
//!
//! It is `nft`'s work to set the table up, because that happens once and its language is what operators
//! read. A phone that comes or goes is one batch of elements, which the kernel carries out whole or not at
//! all; no process is started for it.

mod entries;
mod program;
mod table;
mod watch;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::netlink::NETFILTER;

use super::Mac;
use super::firewall::{Entry, Firewall, FirewallError, Mark, OnStop, Traffic};
use super::netlink::{Socket, conntrack, nftables};
pub use program::Program;
use table::{Addresses, DOWN, GUESTS, OWN_SETS, SPENT, TABLE, UP, WAN_AWAY};
pub use table::{Layout, garden_set, pass_set, probe_set};
pub use watch::Watch;

/// Devices that go into the kernel in one batch: it must fit the socket's buffer.
const DEVICES_AT_ONCE: usize = 32;
/// Devices that `nft` can put into the kernel with the table where it may not have a larger buffer (in a
/// container). The others follow within milliseconds.
const DEVICES_THAT_FIT: usize = 500;
/// A list that changes while it is read is read again.
const MOST_READS: usize = 5;
const NAME_ROOM: usize = 16;

/// The table `inet maitred`.
#[derive(Debug)]
pub struct NftFirewall {
    layout: Layout,
    program: Program,
    wan_is_up: AtomicBool,
    /// Held while the table is set up: it is for those who can wait for `nft`.
    setting_up: Mutex<()>,
    kernel: Mutex<Kernel>,
}

/// What changes of the table go through.
#[derive(Debug)]
struct Kernel {
    socket: Socket,
    /// The kernel's number of the change with which the table was there as it should be.
    set_up_in: u32,
}

/// What is there of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Table {
    Absent,
    /// Somebody has removed a part of it.
    Incomplete {
        what: String,
    },
    Complete,
}

impl NftFirewall {
    /// Touches nothing yet. `program` is `nft`, or where to find it.
    pub fn open(layout: Layout, program: &str) -> Result<Self, FirewallError> {
        Ok(Self {
            layout,
            program: Program::at(program),
            wan_is_up: AtomicBool::new(true),
            setting_up: Mutex::new(()),
            kernel: Mutex::new(Kernel {
                socket: Socket::open(Some(NETFILTER))?,
                set_up_in: 0,
            }),
        })
    }

    /// What is there of the table now.
    pub fn examine(&self) -> io::Result<Table> {
        examine(&mut self.kernel().socket, &self.layout)
    }

    /// Whether a change came after the table was set up. Waits for a setting up that is under way.
    fn is_after_set_up(&self, generation: u32) -> bool {
        let _set_up = self.setting_up();
        let ahead = generation.wrapping_sub(self.kernel().set_up_in);
        ahead.cast_signed() > 0
    }

    fn wan_batch(&self, is_up: bool) -> nftables::Batch {
        let mut batch = entries::batch();
        batch.empty(WAN_AWAY);
        if !is_up {
            for zone in &self.layout.zones {
                let name = name_as_key(&zone.interface);
                batch.put(WAN_AWAY, &nftables::Element::plain(&name));
            }
        }
        batch
    }

    fn setting_up(&self) -> MutexGuard<'_, ()> {
        self.setting_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn kernel(&self) -> MutexGuard<'_, Kernel> {
        self.kernel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks whether the table is there and whole: for `doctor`, from another process.
pub fn inspect(layout: &Layout) -> io::Result<Table> {
    examine(&mut Socket::open(Some(NETFILTER))?, layout)
}

impl Firewall for NftFirewall {
    /// What dnsmasq has put into the walled gardens is kept as long as the table was still there. After a
    /// flush it is not: dnsmasq then has to be told to forget its cache (SIGHUP), because it adds an address
    /// only when it hears it.
    fn set_up(&self, entries: &[Entry]) -> Result<(), FirewallError> {
        let _one_at_a_time = self.setting_up();
        let addresses = addresses(&mut self.kernel().socket, &self.layout);
        let wan_was_up = self.wan_is_up.load(Ordering::Relaxed);
        let script = self.layout.write(entries, &addresses, wan_was_up);
        // Nobody else waits for it.
        match self.program.carry_out(&script) {
            Err(FirewallError::Refused { said }) if said.contains(program::TOO_LONG) => {
                let some = &entries[..entries.len().min(DEVICES_THAT_FIT)];
                let script = self.layout.write(some, &Addresses::new(), wan_was_up);
                self.program.carry_out(&script)?;
            }
            done => done?,
        }
        let Kernel { socket, set_up_in } = &mut *self.kernel();
        // Whoever was told in the meantime has told the table that is gone.
        let wan_is_up = self.wan_is_up.load(Ordering::Relaxed);
        if wan_is_up != wan_was_up {
            self.wan_batch(wan_is_up).send(socket).map_err(why)?;
        }
        for some in entries.chunks(DEVICES_AT_ONCE) {
            let mut batch = entries::batch();
            for entry in some {
                entries::put(&mut batch, entry, Some(entry.mark));
            }
            batch.send(socket).map_err(why)?;
        }
        // In this order: what happens from here on is noticed as a change, what happened before is seen.
        *set_up_in = nftables::generation(socket)?;
        match examine(socket, &self.layout)? {
            Table::Complete => Ok(()),
            Table::Absent | Table::Incomplete { .. } => Err(FirewallError::Gone),
        }
    }

    fn admit(&self, entry: &Entry) -> Result<(), FirewallError> {
        let socket = &mut self.kernel().socket;
        let before = mark_of(socket, entry.mac)?;
        let mut batch = entries::batch();
        entries::put(&mut batch, entry, before);
        batch.send(socket).map_err(why)
    }

    fn remove(&self, mac: Mac, mark: Mark) -> Result<(), FirewallError> {
        let socket = &mut self.kernel().socket;
        let before = mark_of(socket, mac)?;
        let mut batch = entries::batch();
        entries::take(&mut batch, mac, before);
        if before != Some(mark) {
            entries::take_mark(&mut batch, mark);
        }
        batch.send(socket).map_err(why)?;
        for mark in before
            .iter()
            .filter(|before| **before != mark)
            .chain([&mark])
        {
            cut(socket, mark.bits(), u32::MAX);
        }
        Ok(())
    }

    fn traffic(&self) -> Result<Vec<Traffic>, FirewallError> {
        let socket = &mut self.kernel().socket;
        let mut traffic = BTreeMap::new();
        for set in [UP, DOWN, SPENT] {
            for (mark, bytes) in counted(socket, set)? {
                let nothing = Traffic {
                    mark,
                    up: 0,
                    down: 0,
                    quota_used: None,
                };
                let device: &mut Traffic = traffic.entry(mark).or_insert(nothing);
                match set {
                    UP => device.up = bytes,
                    DOWN => device.down = bytes,
                    _ => device.quota_used = Some(bytes),
                }
            }
        }
        Ok(traffic.into_values().collect())
    }

    fn wan(&self, is_up: bool) -> Result<(), FirewallError> {
        // Also where it fails: the next table is set up so.
        self.wan_is_up.store(is_up, Ordering::Relaxed);
        self.wan_batch(is_up)
            .send(&mut self.kernel().socket)
            .map_err(why)
    }

    fn take_down(&self, on_stop: OnStop) -> Result<(), FirewallError> {
        let socket = &mut self.kernel().socket;
        let mut batch = entries::batch();
        match on_stop {
            OnStop::Keep => return Ok(()),
            OnStop::Open => batch.remove_table(),
            OnStop::Close => {
                for set in OWN_SETS.into_iter().filter(|set| *set != WAN_AWAY) {
                    batch.empty(set);
                }
                batch.put_otherwise(GUESTS, 0);
            }
        }
        batch.send(socket).map_err(why)?;
        if on_stop == OnStop::Close {
            for bit in [Mark::OPEN_BIT, Mark::PASS_BIT] {
                cut(socket, bit, bit);
            }
        }
        Ok(())
    }
}

fn mark_of(socket: &mut Socket, mac: Mac) -> io::Result<Option<Mark>> {
    let mark = nftables::look_up(socket, TABLE, GUESTS, &mac.0)?;
    Ok(mark.map(Mark::from_bits))
}

/// Ends connections. The device is out already and its next packet would be refused, so one that stays
/// known does no harm: no error of the caller's.
fn cut(socket: &mut Socket, mark: u32, mask: u32) {
    if let Err(error) = conntrack::cut(socket, mark, mask) {
        tracing::warn!(%error, "connections of a device that is out end with their next packet only");
    }
}

fn counted(socket: &mut Socket, set: &str) -> Result<Vec<(Mark, u64)>, FirewallError> {
    for _ in 0..MOST_READS {
        let mut counted = Vec::new();
        let listed = nftables::list(socket, TABLE, set, &mut |found| {
            if let (Some(key), Some(bytes)) = (found.key().first_chunk(), found.bytes()) {
                counted.push((Mark::from_bits(u32::from_ne_bytes(*key)), bytes));
            }
        });
        match listed {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(why(error)),
            Ok(()) => return Ok(counted),
        }
    }
    Err(io::Error::from(io::ErrorKind::Interrupted).into())
}

/// What dnsmasq has put into the walled gardens. Without an answer: nothing, which it will add again.
fn addresses(socket: &mut Socket, layout: &Layout) -> Addresses {
    let mut addresses = Addresses::new();
    for (set, _) in layout.address_sets() {
        let mut inside = Vec::new();
        let listed = nftables::list(socket, TABLE, &set, &mut |found| {
            let lasts = found.expires().filter(|lasts| *lasts > Duration::ZERO);
            inside.extend(address(found.key()).zip(lasts));
        });
        if listed.is_ok() {
            addresses.insert(set, inside);
        }
    }
    addresses
}

fn address(key: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(key).ok().map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(key).ok().map(IpAddr::from);
    v4().or_else(v6)
}

fn examine(socket: &mut Socket, layout: &Layout) -> io::Result<Table> {
    if nftables::table(socket, TABLE)?.is_none() {
        return Ok(Table::Absent);
    }
    let incomplete = |what: String| Ok(Table::Incomplete { what });
    let sets = nftables::sets(socket, TABLE)?;
    for wanted in layout.sets() {
        if !sets.iter().any(|set| set.name == wanted.as_bytes()) {
            return incomplete(format!("the set {wanted} is missing"));
        }
    }
    let chains = nftables::chains(socket, TABLE)?;
    for (wanted, uses) in layout.chains() {
        match chains.iter().find(|chain| chain.name == wanted.as_bytes()) {
            None => return incomplete(format!("the chain {wanted} is missing")),
            Some(chain) if chain.uses != uses => {
                return incomplete(format!("the chain {wanted} does not have its own rules"));
            }
            Some(_) => {}
        }
    }
    Ok(Table::Complete)
}

/// An interface's name as a key of a set.
fn name_as_key(name: &str) -> [u8; NAME_ROOM] {
    let mut key = [0; NAME_ROOM];
    for (to, from) in key.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    key
}

/// What an operator should hear of it.
fn why(error: io::Error) -> FirewallError {
    use rustix::io::Errno;
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NFILE | Errno::NOSPC) => FirewallError::Full,
        Some(Errno::NOENT) => FirewallError::Gone,
        _ => FirewallError::Kernel(error),
    }
}
