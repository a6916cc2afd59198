//! A socket to one part of the kernel: asks, and waits for the answer.
//!
//! The kernel answers while it is being asked, so an exchange takes microseconds; the time limit is for a
//! kernel that does not speak the protocol at all.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, getsockname,
    recv, send, socket_with, sockopt,
};

use super::message::{DONE, ERROR, INTERRUPTED, Message, Messages, Received, u32_at};

const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// The kernel fills no datagram beyond the room it has seen.
const ROOM: usize = 16 * 1024;

/// A netlink socket and its room for answers.
#[derive(Debug)]
pub(crate) struct Socket {
    descriptor: OwnedFd,
    port: u32,
    sequence: u32,
    room: Vec<u8>,
}

impl Socket {
    /// `protocol` is None for routes and neighbours, the first of all netlink protocols.
    pub(crate) fn open(protocol: Option<Protocol>) -> io::Result<Self> {
        let socket = Self::bound(protocol, 0, SocketFlags::CLOEXEC)?;
        let limit = Some(ANSWER_WITHIN);
        sockopt::set_socket_timeout(&socket.descriptor, sockopt::Timeout::Recv, limit)?;
        Ok(socket)
    }

    /// A socket that only listens to what happens, and never waits.
    pub(crate) fn listen(protocol: Option<Protocol>, groups: u32) -> io::Result<Self> {
        Self::bound(
            protocol,
            groups,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        )
    }

    fn bound(protocol: Option<Protocol>, groups: u32, flags: SocketFlags) -> io::Result<Self> {
        let descriptor = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        bind(&descriptor, &SocketAddrNetlink::new(0, groups))?;
        let name = SocketAddrNetlink::try_from(getsockname(&descriptor)?)?;
        Ok(Self {
            descriptor,
            port: name.pid(),
            sequence: 0,
            room: vec![0; ROOM],
        })
    }

    /// What the kernel calls this socket; it signs with it what was done through it.
    pub(crate) fn port(&self) -> u32 {
        self.port
    }

    /// Sends `messages` and hands `each` what comes back, until the kernel says that it is done: with the
    /// acknowledgement of the message that asked for one, or at the end of a list.
    ///
    /// The error is the first one that the kernel has named. It carries out either all of a batch or
    /// nothing.
    pub(crate) fn ask(
        &mut self,
        messages: &mut Messages,
        each: &mut dyn FnMut(&Message<'_>),
    ) -> io::Result<()> {
        let first = self.sequence.wrapping_add(1);
        self.sequence = self.sequence.wrapping_add(messages.count());
        messages.number(first);
        send(&self.descriptor, messages.bytes(), SendFlags::empty())?;

        let mut failure = None;
        let mut is_torn = false;
        loop {
            let filled = receive(&self.descriptor, &mut self.room)?;
            for message in Received(&self.room[..filled]) {
                // What is left of an exchange that was given up.
                if message.sequence.wrapping_sub(first) >= messages.count() {
                    continue;
                }
                is_torn |= message.flags & INTERRUPTED != 0;
                match message.kind {
                    // A list that could not be made ends with the error; nothing else does.
                    DONE => return finish(failure.or_else(|| refusal(&message)), is_torn),
                    ERROR => {
                        let refused = refusal(&message);
                        let is_whole = message.sequence == first || is_acknowledged(&message);
                        failure = failure.or(refused);
                        if is_whole {
                            return finish(failure, is_torn);
                        }
                    }
                    _ => each(&message),
                }
            }
        }
    }

    /// Hands `each` a datagram of what has happened, or fails with `WouldBlock` where there is none.
    /// `ENOBUFS`: something was lost on the way.
    pub(crate) fn hear(&mut self, each: &mut dyn FnMut(&Message<'_>)) -> io::Result<()> {
        let filled = receive(&self.descriptor, &mut self.room)?;
        for message in Received(&self.room[..filled]) {
            each(&message);
        }
        Ok(())
    }

    /// Another handle to this socket: to wait with.
    pub(crate) fn handle(&self) -> io::Result<OwnedFd> {
        self.descriptor.try_clone()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn receive(descriptor: &OwnedFd, room: &mut [u8]) -> io::Result<usize> {
    loop {
        match recv(descriptor, &mut *room, RecvFlags::TRUNC) {
            Ok((filled, length)) if length > filled => {
                return Err(io::Error::other("an answer of the kernel is too long"));
            }
            Ok((filled, _)) => return Ok(filled),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What the kernel says went wrong, in an `ERROR` or at the end of a list.
fn refusal(message: &Message<'_>) -> Option<io::Error> {
    let code = u32_at(message.body, 0)?.cast_signed();
    (code != 0).then(|| io::Error::from_raw_os_error(code.saturating_neg()))
}

/// Whether the message that this answers had asked for an acknowledgement; its header comes after the code.
fn is_acknowledged(message: &Message<'_>) -> bool {
    let flags = message.body.get(10..12).and_then(|b| b.first_chunk());
    flags.is_some_and(|b| u16::from_ne_bytes(*b) & super::message::ACK != 0)
}

fn finish(failure: Option<io::Error>, is_torn: bool) -> io::Result<()> {
    match failure {
        Some(error) => Err(error),
        None if is_torn => Err(io::ErrorKind::Interrupted.into()),
        None => Ok(()),
    }
}
