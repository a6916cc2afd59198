//! Asks one resolver for the addresses of a name (RFC 1035), as a phone in the shop would.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::admission::garden::Version;
use crate::ops::files::random;

/// dnsmasq answers at once, or asks somebody on the Internet, or is not there.
const WITHIN: Duration = Duration::from_secs(3);

/// Why there are no addresses.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("nobody answers: {0}")]
    Nobody(#[from] io::Error),
    #[error("no answer in {} s", WITHIN.as_secs())]
    Late,
    /// What the resolver says instead of an answer: 2 is its own trouble, 3 is no such name.
    #[error("{}", meaning(*.0))]
    Code(u8),
    #[error("the answer cannot be read")]
    Garbled,
}

fn meaning(code: u8) -> String {
    match code {
        2 => "the resolver gets no answer itself".to_owned(),
        3 => "there is no such name".to_owned(),
        5 => "the resolver refuses".to_owned(),
        code => format!("the resolver answers with code {code}"),
    }
}

/// The addresses of `name`, of one version; an empty list where the name has none.
pub(super) async fn ask(
    resolver: SocketAddr,
    name: &str,
    version: Version,
) -> Result<Vec<IpAddr>, NoAnswer> {
    let own: IpAddr = match resolver {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((own, 0)).await?;
    socket.connect(resolver).await?;
    let question = question(random(), name, version);
    socket.send(&question).await?;
    let mut answer = [0; 1232];
    let length = timeout(WITHIN, socket.recv(&mut answer))
        .await
        .map_err(|_| NoAnswer::Late)??;
    read(&answer[..length], &question, version)
}

const fn kind(version: Version) -> u16 {
    match version {
        Version::V4 => 1,
        Version::V6 => 28,
    }
}

/// One question, with recursion wanted.
fn question(id: [u8; 2], name: &str, version: Version) -> Vec<u8> {
    let mut question = id.to_vec();
    question.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        // A longer one is no name, and the resolver says so.
        let label = &label.as_bytes()[..label.len().min(63)];
        question.push(u8::try_from(label.len()).unwrap_or_default());
        question.extend(label);
    }
    question.push(0);
    question.extend(kind(version).to_be_bytes());
    question.extend([0, 1]);
    question
}

fn read(answer: &[u8], question: &[u8], version: Version) -> Result<Vec<IpAddr>, NoAnswer> {
    let body = (answer.len() >= question.len() && answer[..2] == question[..2])
        .then(|| &answer[question.len()..])
        .ok_or(NoAnswer::Garbled)?;
    let code = answer[3] & 0x0f;
    if code != 0 {
        return Err(NoAnswer::Code(code));
    }
    let records = u16::from_be_bytes([answer[6], answer[7]]);
    let mut rest = Reader(body);
    let mut addresses = Vec::new();
    for _ in 0..records {
        let (found, data) = rest.record().ok_or(NoAnswer::Garbled)?;
        // Other kinds are the steps from an alias to its name.
        if found != kind(version) {
            continue;
        }
        let address = match version {
            Version::V4 => <[u8; 4]>::try_from(data).map(IpAddr::from),
            Version::V6 => <[u8; 16]>::try_from(data).map(IpAddr::from),
        };
        addresses.push(address.map_err(|_| NoAnswer::Garbled)?);
    }
    Ok(addresses)
}

/// What is left of a message.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The kind and the data of the next record.
    fn record(&mut self) -> Option<(u16, &'a [u8])> {
        self.skip_name()?;
        let kind = self.number()?;
        let _class_and_time_to_live = self.take(6)?;
        let length = self.number()?;
        Some((kind, self.take(length.into())?))
    }

    fn skip_name(&mut self) -> Option<()> {
        loop {
            match self.take(1)? {
                [0] => return Some(()),
                // The rest of the name stands earlier in the message.
                [pointer] if pointer & 0xc0 == 0xc0 => return self.take(1).map(|_| ()),
                [length] => self.take(usize::from(*length))?,
                _ => return None,
            };
        }
    }

    fn number(&mut self) -> Option<u16> {
        let bytes = self.take(2)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 2] = [7, 8];

    /// An alias, and the address of what it stands for.
    fn answer(question: &[u8]) -> Vec<u8> {
        let mut answer = question.to_vec();
        answer[2..8].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 2]);
        answer.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, b'b', 0xc0, 12]);
        answer.extend([
            1, b'b', 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 51, 100, 9,
        ]);
        answer
    }

    #[test]
    fn an_alias_is_followed_to_its_address() {
        let question = question(ID, "a.test", Version::V4);
        let addresses = read(&answer(&question), &question, Version::V4).unwrap();
        assert_eq!(addresses, [IpAddr::from([198, 51, 100, 9])]);
    }

    #[test]
    fn a_code_is_told_in_words_and_no_beginning_of_an_answer_is_taken_for_one() {
        let question = question(ID, "a.test", Version::V4);
        let whole = answer(&question);
        for end in 0..whole.len() {
            let cut = read(&whole[..end], &question, Version::V4);
            assert!(matches!(cut, Err(NoAnswer::Garbled)), "{end}: {cut:?}");
        }
        let mut refused = whole;
        refused[3] |= 3;
        let error = read(&refused, &question, Version::V4).unwrap_err();
        assert_eq!(error.to_string(), "there is no such name");
    }

    #[test]
    fn somebody_elses_answer_is_none() {
        let question = question(ID, "a.test", Version::V4);
        let mut other = answer(&question);
        other[0] ^= 1;
        assert!(read(&other, &question, Version::V4).is_err());
    }
}
