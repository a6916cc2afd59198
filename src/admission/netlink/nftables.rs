//! Elements of the sets of one table of nftables: put in, taken out and read, in batches that happen whole.
//!
//! Sets, chains and rules are `nft`'s work; what changes while phones come and go is written here.

use std::io;
use std::time::Duration;

use super::message::{ACK, Attributes, CREATE, DUMP};
use super::{Message, Messages, Socket};

const SUBSYSTEM: u16 = 10;
/// `NFNL_MSG_BATCH_BEGIN` and `NFNL_MSG_BATCH_END`.
const BEGIN: u16 = 0x10;
const END: u16 = 0x11;
/// `NFPROTO_INET`: IPv4 and IPv6 in one table.
const FAMILY: u8 = 1;

/// `NFT_MSG_…`
const GET_TABLE: u16 = 1;
const DELETE_TABLE: u16 = 2;
const GET_CHAIN: u16 = 4;
const GET_SET: u16 = 10;
const NEW_ELEMENT: u16 = 12;
const GET_ELEMENT: u16 = 13;
const DELETE_ELEMENT: u16 = 14;
const NEW_GENERATION: u16 = 15;
const GET_GENERATION: u16 = 16;

/// In messages about elements.
const TABLE: u16 = 1;
const SET: u16 = 2;
const ELEMENTS: u16 = 3;

/// In an element.
const KEY: u16 = 1;
const DATA: u16 = 2;
const FLAGS: u16 = 3;
const TIMEOUT: u16 = 4;
const EXPIRES: u16 = 5;
const EXPRESSION: u16 = 7;
const EXPRESSIONS: u16 = 11;
/// The element that stands for every key that has none of its own.
const CATCHALL: u32 = 2;

/// In a list, and in a value.
const ITEM: u16 = 1;
const VALUE: u16 = 1;

/// Longer than any session, shorter than what the kernel's clock can hold.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Counts or limits what its element is looked up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expression {
    Counter,
    /// Matches up to this many bytes a second.
    Limit {
        bytes_per_second: u64,
        burst: u32,
    },
    /// Matches once this many bytes have been seen.
    Over {
        bytes: u64,
    },
}

/// One element, as it is put in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) key: &'a [u8],
    /// What the key leads to, in a map.
    pub(crate) data: Option<u32>,
    /// None: until it is taken out.
    pub(crate) lasts: Option<Duration>,
    pub(crate) expressions: &'a [Expression],
}

impl<'a> Element<'a> {
    pub(crate) fn plain(key: &'a [u8]) -> Self {
        Self {
            key,
            data: None,
            lasts: None,
            expressions: &[],
        }
    }
}

/// Changes of one table's elements that happen all together or not at all.
#[derive(Debug)]
pub(crate) struct Batch {
    table: &'static str,
    messages: Messages,
}

impl Batch {
    pub(crate) fn of(table: &'static str) -> Self {
        let mut messages = Messages::default();
        frame(&mut messages, BEGIN);
        Self { table, messages }
    }

    /// Puts an element in. One that is there stays as it is.
    pub(crate) fn put(&mut self, set: &str, element: &Element<'_>) {
        self.change(NEW_ELEMENT, CREATE, set, |m| write_element(m, element));
    }

    /// What a map leads to where it has no element of its own.
    pub(crate) fn put_otherwise(&mut self, set: &str, data: u32) {
        self.change(NEW_ELEMENT, CREATE, set, |m| {
            m.attribute(FLAGS, &CATCHALL.to_be_bytes());
            m.nest(DATA, |m| m.attribute(VALUE, &data.to_ne_bytes()));
        });
    }

    /// Takes an element out, and is content where there is none: it is put in first, because taking out
    /// what is not there would fail the batch and the kernel may have let it run out just now.
    pub(crate) fn take(&mut self, set: &str, key: &[u8], data: Option<u32>) {
        let element = Element {
            data,
            ..Element::plain(key)
        };
        self.put(set, &element);
        self.change(DELETE_ELEMENT, 0, set, |m| {
            m.nest(KEY, |m| m.attribute(VALUE, key));
        });
    }

    /// Takes everything out of a set.
    pub(crate) fn empty(&mut self, set: &str) {
        let table = self.table;
        message(&mut self.messages, DELETE_ELEMENT, 0, |m| {
            m.text(TABLE, table);
            m.text(SET, set);
        });
    }

    /// Removes the table with all that is in it.
    pub(crate) fn remove_table(&mut self) {
        let table = self.table;
        message(&mut self.messages, DELETE_TABLE, 0, |m| {
            m.text(TABLE, table);
        });
    }

    fn change(&mut self, kind: u16, flags: u16, set: &str, element: impl FnOnce(&mut Messages)) {
        let table = self.table;
        message(&mut self.messages, kind, flags, |m| {
            m.text(TABLE, table);
            m.text(SET, set);
            m.nest(ELEMENTS, |m| m.nest(ITEM, element));
        });
    }

    /// Has the kernel carry it out.
    pub(crate) fn send(self, socket: &mut Socket) -> io::Result<()> {
        socket.ask(&mut self.sealed(), &mut |_| {})
    }

    fn sealed(mut self) -> Messages {
        self.messages.acknowledge();
        frame(&mut self.messages, END);
        self.messages
    }
}

/// An element, as it is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a>(Attributes<'a>);

impl<'a> Found<'a> {
    pub(crate) fn key(&self) -> &'a [u8] {
        self.0.inside(KEY).value(VALUE)
    }

    /// Where it leads to, in a map of marks.
    pub(crate) fn data(&self) -> Option<u32> {
        let bytes = self.0.inside(DATA).value(VALUE);
        bytes.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
    }

    /// How long it will still be there. None: until it is taken out.
    pub(crate) fn expires(&self) -> Option<Duration> {
        self.0.u64_be(EXPIRES).map(Duration::from_millis)
    }

    /// Bytes that were counted, or used up of a quota.
    pub(crate) fn bytes(&self) -> Option<u64> {
        const NAME: u16 = 1;
        const INSIDE: u16 = 2;
        let listed = self.0.inside(EXPRESSIONS).filter(|(kind, _)| *kind == ITEM);
        let single = self.0.filter(|(kind, _)| *kind == EXPRESSION);
        listed.chain(single).find_map(|(_, expression)| {
            let expression = Attributes(expression);
            match expression.text(NAME) {
                b"counter" => expression.inside(INSIDE).u64_be(COUNTER_BYTES),
                b"quota" => expression.inside(INSIDE).u64_be(QUOTA_CONSUMED),
                _ => None,
            }
        })
    }
}

const COUNTER_BYTES: u16 = 1;
const QUOTA_CONSUMED: u16 = 4;

/// The mark that a map has for `key`.
pub(crate) fn look_up(
    socket: &mut Socket,
    table: &str,
    map: &str,
    key: &[u8],
) -> io::Result<Option<u32>> {
    let mut messages = Messages::default();
    message(&mut messages, GET_ELEMENT, ACK, |m| {
        m.text(TABLE, table);
        m.text(SET, map);
        m.nest(ELEMENTS, |m| {
            m.nest(ITEM, |m| m.nest(KEY, |m| m.attribute(VALUE, key)));
        });
    });
    let mut data = None;
    let asked = socket.ask(&mut messages, &mut |message| {
        for_each_element(message, &mut |found| data = found.data());
    });
    match asked {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        asked => asked.map(|()| data),
    }
}

/// Hands `each` every element of a set.
pub(crate) fn list(
    socket: &mut Socket,
    table: &str,
    set: &str,
    each: &mut dyn FnMut(Found<'_>),
) -> io::Result<()> {
    let mut messages = Messages::default();
    message(&mut messages, GET_ELEMENT, DUMP, |m| {
        m.text(TABLE, table);
        m.text(SET, set);
    });
    socket.ask(&mut messages, &mut |message| {
        for_each_element(message, each);
    })
}

fn for_each_element(message: &Message<'_>, each: &mut dyn FnMut(Found<'_>)) {
    for (kind, element) in message.attributes(4).inside(ELEMENTS) {
        if kind == ITEM {
            each(Found(Attributes(element)));
        }
    }
}

/// A table, chain or set as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: Vec<u8>,
    /// Rules in a chain and rules that lead to it; what the number is of elsewhere does not matter here.
    pub(crate) uses: u32,
    /// Tells a table from one of the same name that was there before.
    pub(crate) handle: u64,
}

/// The table of this name.
pub(crate) fn table(socket: &mut Socket, table: &str) -> io::Result<Option<Part>> {
    let mut messages = Messages::default();
    message(&mut messages, GET_TABLE, ACK, |m| m.text(TABLE, table));
    let mut part = None;
    let asked = socket.ask(&mut messages, &mut |message| {
        let attributes = message.attributes(4);
        part = Some(Part {
            name: attributes.text(1).to_vec(),
            uses: attributes.u32_be(3).unwrap_or_default(),
            handle: attributes.u64_be(4).unwrap_or_default(),
        });
    });
    match asked {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        asked => asked.map(|()| part),
    }
}

/// The chains of a table.
pub(crate) fn chains(socket: &mut Socket, table: &str) -> io::Result<Vec<Part>> {
    let part = |attributes: Attributes<'_>| Part {
        name: attributes.text(3).to_vec(),
        uses: attributes.u32_be(6).unwrap_or_default(),
        handle: attributes.u64_be(2).unwrap_or_default(),
    };
    parts(socket, table, GET_CHAIN, &part)
}

/// The sets of a table.
pub(crate) fn sets(socket: &mut Socket, table: &str) -> io::Result<Vec<Part>> {
    let part = |attributes: Attributes<'_>| Part {
        name: attributes.text(2).to_vec(),
        uses: 0,
        handle: attributes.u64_be(16).unwrap_or_default(),
    };
    parts(socket, table, GET_SET, &part)
}

fn parts(
    socket: &mut Socket,
    table: &str,
    kind: u16,
    part: &dyn Fn(Attributes<'_>) -> Part,
) -> io::Result<Vec<Part>> {
    let mut messages = Messages::default();
    // Chains are listed of all tables, whatever is asked for.
    message(&mut messages, kind, DUMP, |m| m.text(TABLE, table));
    let mut parts = Vec::new();
    socket.ask(&mut messages, &mut |message| {
        let attributes = message.attributes(4);
        if attributes.text(TABLE) == table.as_bytes() {
            parts.push(part(attributes));
        }
    })?;
    Ok(parts)
}

/// The number of the last change that the kernel has carried out, of anybody's.
pub(crate) fn generation(socket: &mut Socket) -> io::Result<u32> {
    let mut messages = Messages::default();
    message(&mut messages, GET_GENERATION, ACK, |_| {});
    let mut generation = 0;
    socket.ask(&mut messages, &mut |message| {
        generation = message.attributes(4).u32_be(1).unwrap_or_default();
    })?;
    Ok(generation)
}

/// Something that happened to nftables, as a listening socket hears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// A change of this generation is complete; its parts came before.
    Done { generation: u32 },
    /// Elements of a set of this table.
    Elements { table: &'a [u8], set: &'a [u8] },
    /// The table itself, or its chains, rules and sets.
    Shape { table: &'a [u8] },
}

impl<'a> Event<'a> {
    /// None: not of nftables, or of tables that are not for both families.
    pub(crate) fn read(message: &Message<'a>) -> Option<Self> {
        let is_inet = message.body.first() == Some(&FAMILY);
        let is_generation = message.kind & 0xff == NEW_GENERATION;
        if message.kind >> 8 != SUBSYSTEM || !(is_inet || is_generation) {
            return None;
        }
        let attributes = message.attributes(4);
        // The first attribute of every message is the table's name, but for the generation's.
        let table = attributes.text(TABLE);
        Some(match message.kind & 0xff {
            NEW_GENERATION => Self::Done {
                generation: attributes.u32_be(1).unwrap_or_default(),
            },
            NEW_ELEMENT | DELETE_ELEMENT => Self::Elements {
                table,
                set: attributes.text(SET),
            },
            _ => Self::Shape { table },
        })
    }
}

fn message(messages: &mut Messages, kind: u16, flags: u16, fill: impl FnOnce(&mut Messages)) {
    messages.add((SUBSYSTEM << 8) | kind, flags, |m| {
        m.put(&[FAMILY, 0, 0, 0]);
        fill(m);
    });
}

/// The beginning or the end of a batch.
fn frame(messages: &mut Messages, kind: u16) {
    messages.add(kind, 0, |m| {
        m.put(&[0, 0]);
        m.put(&SUBSYSTEM.to_be_bytes());
    });
}

fn write_element(m: &mut Messages, element: &Element<'_>) {
    if let Some(lasts) = element.lasts {
        // Nothing would be for ever.
        let millis = lasts.min(LONGEST).as_millis().max(1);
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        m.attribute(TIMEOUT, &millis.to_be_bytes());
    }
    m.nest(KEY, |m| m.attribute(VALUE, element.key));
    if let Some(data) = element.data {
        m.nest(DATA, |m| m.attribute(VALUE, &data.to_ne_bytes()));
    }
    if !element.expressions.is_empty() {
        m.nest(EXPRESSIONS, |m| {
            for expression in element.expressions {
                m.nest(ITEM, |m| write_expression(m, expression));
            }
        });
    }
}

fn write_expression(m: &mut Messages, expression: &Expression) {
    const NAME: u16 = 1;
    const INSIDE: u16 = 2;
    match *expression {
        Expression::Counter => {
            m.text(NAME, "counter");
            m.nest(INSIDE, |m| m.attribute(COUNTER_BYTES, &[0; 8]));
        }
        Expression::Limit {
            bytes_per_second,
            burst,
        } => {
            m.text(NAME, "limit");
            m.nest(INSIDE, |m| {
                m.attribute(1, &bytes_per_second.max(1).to_be_bytes());
                // Per second; in bytes, not packets.
                m.attribute(2, &1_u64.to_be_bytes());
                m.attribute(3, &burst.to_be_bytes());
                m.attribute(4, &1_u32.to_be_bytes());
            });
        }
        Expression::Over { bytes } => {
            m.text(NAME, "quota");
            m.nest(INSIDE, |m| {
                m.attribute(1, &bytes.to_be_bytes());
                // Matches when it is over, not until then.
                m.attribute(2, &1_u32.to_be_bytes());
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The bytes that `strace nft add element inet x g '{ 02:00:00:00:00:01 timeout 100s : 0x01000001 }'`
    /// shows, without the number of a set that it creates in the same batch and with an acknowledgement.
    #[test]
    #[rustfmt::skip]
    fn an_element_of_a_map_is_written_as_nft_writes_it() {
        let mut batch = Batch::of("x");
        batch.put("g", &Element {
            data: Some(0x0100_0001),
            lasts: Some(Duration::from_secs(100)),
            ..Element::plain(&[2, 0, 0, 0, 0, 1])
        });
        let [a, b, c, d] = 0x0100_0001_u32.to_ne_bytes();
        let bytes = [
            20, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 10,
            84, 0, 0, 0, 12, 10, 5, 4, 0, 0, 0, 0, 0, 0, 0, 0,
            1, 0, 0, 0,
            6, 0, 1, 0, b'x', 0, 0, 0,
            6, 0, 2, 0, b'g', 0, 0, 0,
            48, 0, 3, 0x80,
            44, 0, 1, 0x80,
            12, 0, 4, 0, 0, 0, 0, 0, 0, 1, 0x86, 0xa0,
            16, 0, 1, 0x80, 10, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 0,
            12, 0, 2, 0x80, 8, 0, 1, 0, a, b, c, d,
            20, 0, 0, 0, 0x11, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 10,
        ];
        assert_eq!(batch.sealed().bytes(), bytes);
    }

    #[test]
    fn what_was_counted_is_found_among_other_expressions() {
        let mut messages = Messages::default();
        message(&mut messages, NEW_ELEMENT, 0, |m| {
            let element = Element {
                expressions: &[
                    Expression::Limit {
                        bytes_per_second: 5,
                        burst: 7,
                    },
                    Expression::Counter,
                ],
                ..Element::plain(&[1, 2, 3, 4])
            };
            m.nest(ELEMENTS, |m| m.nest(ITEM, |m| write_element(m, &element)));
        });
        let mut seen = Vec::new();
        for message in super::super::message::Received(messages.bytes()) {
            for_each_element(&message, &mut |found| {
                seen.push((found.key().to_vec(), found.bytes()));
            });
        }
        assert_eq!(seen, [(vec![1, 2, 3, 4], Some(0))]);
    }

    proptest! {
        #[test]
        fn any_answer_can_be_read(kind in any::<u16>(), body in prop::collection::vec(any::<u8>(), 0..200)) {
            let message = Message { kind, flags: 0, sequence: 0, port: 0, body: &body };
            Event::read(&message);
            for_each_element(&message, &mut |found| {
                let _read = (found.key(), found.data(), found.expires(), found.bytes());
            });
        }

        #[test]
        fn a_damaged_element_is_read_without_harm(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut messages = Messages::default();
            message(&mut messages, NEW_ELEMENT, 0, |m| {
                let element = Element {
                    expressions: &[Expression::Over { bytes: 5 }, Expression::Counter],
                    data: Some(7),
                    ..Element::plain(&[1, 2, 3, 4])
                };
                m.nest(ELEMENTS, |m| m.nest(ITEM, |m| write_element(m, &element)));
            });
            let mut bytes = messages.bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            for message in super::super::message::Received(&bytes) {
                for_each_element(&message, &mut |found| {
                    let _read = (found.key(), found.data(), found.expires(), found.bytes());
                });
            }
        }
    }
}
