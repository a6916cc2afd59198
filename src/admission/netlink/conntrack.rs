//! Ends connections by their mark, so that a device that is out is out at once.

use std::io;

use super::message::ACK;
use super::{Messages, Socket};

/// `NFNL_SUBSYS_CTNETLINK`, `IPCTNL_MSG_CT_DELETE`.
const DELETE: u16 = (1 << 8) | 2;
const MARK: u16 = 8;
const MARK_MASK: u16 = 21;

/// Forgets every connection, IPv4 and IPv6, whose mark is `mark` in the bits of `mask`.
pub(crate) fn cut(socket: &mut Socket, mark: u32, mask: u32) -> io::Result<()> {
    socket.ask(&mut delete(mark, mask), &mut |_| {})
}

fn delete(mark: u32, mask: u32) -> Messages {
    let mut messages = Messages::default();
    messages.add(DELETE, ACK, |m| {
        // Both families, version 0, no resource.
        m.put(&[0; 4]);
        m.attribute(MARK, &mark.to_be_bytes());
        m.attribute(MARK_MASK, &mask.to_be_bytes());
    });
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `strace conntrack -D --mark 0x01000001/0xffffffff` shows to be sent, once per family there.
    #[test]
    fn a_cut_is_written_as_the_kernel_reads_it() {
        #[rustfmt::skip]
        let bytes = [
            36, 0, 0, 0, 2, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0,
            8, 0, 8, 0, 1, 0, 0, 1,
            8, 0, 21, 0, 255, 255, 255, 255,
        ];
        assert_eq!(delete(0x0100_0001, u32::MAX).bytes(), bytes);
    }
}
