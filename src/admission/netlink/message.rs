//! The form of every netlink message: a header, and attributes that have a length and a kind each.
//!
//! Writing cannot fail. Reading takes any bytes: what does not fit its own length ends the reading.

/// Every header and attribute begins at a multiple of this.
const ALIGN: usize = 4;
const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;
/// An attribute that holds attributes.
const NESTED: u16 = 0x8000;

/// `NLMSG_ERROR` and `NLMSG_DONE`.
pub(crate) const ERROR: u16 = 2;
pub(crate) const DONE: u16 = 3;

pub(crate) const REQUEST: u16 = 0x1;
pub(crate) const ACK: u16 = 0x4;
pub(crate) const DUMP: u16 = 0x300;
pub(crate) const CREATE: u16 = 0x400;
/// What was listed has changed in between: the list may be wrong.
pub(crate) const INTERRUPTED: u16 = 0x10;

/// Messages that are being written, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    bytes: Vec<u8>,
    /// Where each message begins.
    starts: Vec<usize>,
}

impl Messages {
    /// Adds a message; `fill` writes what comes after the header.
    pub(crate) fn add(&mut self, kind: u16, flags: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.starts.push(start);
        self.put(&[0; 4]);
        self.put(&kind.to_ne_bytes());
        self.put(&(flags | REQUEST).to_ne_bytes());
        self.put(&[0; 8]);
        fill(self);
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.patch(start, &length.to_ne_bytes());
    }

    /// Adds bytes that are no attribute, such as the header of a kernel subsystem.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.open(kind, |inside| inside.put(value));
    }

    /// A name as the kernel reads it, with a zero at its end.
    pub(crate) fn text(&mut self, kind: u16, text: &str) {
        self.open(kind, |inside| {
            inside.put(text.as_bytes());
            inside.put(&[0]);
        });
    }

    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        self.open(kind | NESTED, fill);
    }

    fn open(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.put(&[0; 2]);
        self.put(&kind.to_ne_bytes());
        fill(self);
        // The kernel's own limit is the same; it refuses a message that was cut here.
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        self.patch(start, &length.to_ne_bytes());
        self.bytes
            .resize(self.bytes.len().next_multiple_of(ALIGN), 0);
    }

    /// Asks the kernel to say when the message added last was carried out.
    pub(crate) fn acknowledge(&mut self) {
        if let Some(&start) = self.starts.last()
            && let Some(flags) = self.bytes.get_mut(start + 6)
        {
            *flags |= ACK.to_ne_bytes()[0];
        }
    }

    /// Numbers the messages, the first one with `first`.
    pub(super) fn number(&mut self, first: u32) {
        let mut sequence = first;
        for index in 0..self.starts.len() {
            self.patch(self.starts[index] + 8, &sequence.to_ne_bytes());
            sequence = sequence.wrapping_add(1);
        }
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.starts.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// One message of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    /// The socket that asked for it, or for the change it tells of.
    pub(crate) port: u32,
    pub(crate) body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The attributes that follow a header of `fixed` bytes.
    pub(crate) fn attributes(&self, fixed: usize) -> Attributes<'a> {
        Attributes(self.body.get(fixed..).unwrap_or_default())
    }
}

/// The messages of one datagram.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Received<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let length = usize::try_from(u32::from_ne_bytes(*self.0.first_chunk()?)).ok()?;
        let message = self.0.get(..length).filter(|_| length >= HEADER)?;
        self.0 = self
            .0
            .get(length.next_multiple_of(ALIGN)..)
            .unwrap_or_default();
        Some(Message {
            kind: u16_at(message, 4)?,
            flags: u16_at(message, 6)?,
            sequence: u32_at(message, 8)?,
            port: u32_at(message, 12)?,
            body: &message[HEADER..],
        })
    }
}

/// Attributes, each with its kind and its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Attributes<'a> {
    /// The value of the first attribute of this kind; empty where there is none.
    pub(crate) fn value(mut self, wanted: u16) -> &'a [u8] {
        let found = self.find(|(kind, _)| *kind == wanted);
        found.map(|(_, value)| value).unwrap_or_default()
    }

    pub(crate) fn inside(self, wanted: u16) -> Self {
        Self(self.value(wanted))
    }

    /// A number in network order, as nftables writes every number of its own.
    pub(crate) fn u64_be(self, wanted: u16) -> Option<u64> {
        let bytes = self.value(wanted);
        bytes.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
    }

    pub(crate) fn u32_be(self, wanted: u16) -> Option<u32> {
        let bytes = self.value(wanted);
        bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// A name, without the zero at its end.
    pub(crate) fn text(self, wanted: u16) -> &'a [u8] {
        let bytes = self.value(wanted);
        bytes.strip_suffix(&[0]).unwrap_or(bytes)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)? & !NESTED;
        let value = self.0.get(ATTRIBUTE_HEADER..length)?;
        self.0 = self
            .0
            .get(length.next_multiple_of(ALIGN)..)
            .unwrap_or_default();
        Some((kind, value))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|b| u16::from_ne_bytes(*b))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|b| u32::from_ne_bytes(*b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_reads_the_same() {
        let mut messages = Messages::default();
        messages.add(7, ACK, |m| {
            m.put(&[1, 2, 3, 4]);
            m.text(1, "up");
            m.nest(2, |m| m.attribute(3, &5_u64.to_be_bytes()));
        });
        messages.add(8, 0, |_| {});
        messages.number(41);

        let read: Vec<_> = Received(messages.bytes()).collect();
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].kind, read[0].flags), (7, REQUEST | ACK));
        assert_eq!((read[0].sequence, read[1].sequence), (41, 42));
        let attributes = read[0].attributes(4);
        assert_eq!(attributes.text(1), b"up");
        assert_eq!(attributes.inside(2).u64_be(3), Some(5));
        assert_eq!(attributes.u64_be(9), None);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200), fixed in 0_usize..40) {
            for message in Received(&bytes).take(100) {
                let attributes = message.attributes(fixed);
                prop_assert!(attributes.count() <= bytes.len());
                attributes.inside(1).u64_be(2);
                attributes.text(3);
            }
        }

        #[test]
        fn a_damaged_message_is_read_without_harm(at in 0_usize..64, byte in any::<u8>()) {
            let mut messages = Messages::default();
            messages.add(7, 0, |m| m.nest(1, |m| {
                m.nest(2, |m| m.text(3, "counter"));
                m.attribute(4, &[0; 8]);
            }));
            let mut bytes = messages.bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            for message in Received(&bytes) {
                message.attributes(0).inside(1).inside(2).text(3);
            }
        }
    }
}
