//! A list of members of before, as a chain's old system wrote it: read as a whole, or refused with every mistake.
//!
//! The columns are `code` (of a card that our own pages show), `phone_sha256`, `since` and `consent`; a row has a
//! code, a hash or both. A phone number itself is refused: it has no place in a file that is mailed about. The
//! mistakes are named by their lines and quote nothing that could be somebody.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::db::members::{ImportedRow, Member};
use crate::domain::ids::{MemberCode, Vid};

const COLUMNS: [&str; 4] = ["code", "phone_sha256", "since", "consent"];

/// Mistakes that are named at once; a file with more is of another kind.
const MOST_MISTAKES: usize = 20;

/// A line that cannot be taken, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Mistake {
    line: u64,
    what: &'static str,
}

/// Reads a list on `today`; `guests` are those of its store that headquarters knows.
pub fn read(text: &str, guests: &[Member], today: Date) -> Result<Vec<ImportedRow>, Vec<Mistake>> {
    let known = by_code(guests);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let heads = reader.headers().cloned().unwrap_or_default();
    if heads.is_empty() || heads.iter().any(|head| !COLUMNS.contains(&head)) {
        let what = "the columns are code, phone_sha256, since and consent, and no others";
        return Err(vec![Mistake { line: 1, what }]);
    }
    let (mut rows, mut mistakes, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for record in reader.records() {
        let read = match &record {
            Ok(record) => {
                let cells: BTreeMap<&str, &str> = heads.iter().zip(record.iter()).collect();
                row(&cells, &known, today)
            }
            Err(_) => Err("it does not have as many cells as the first line"),
        };
        let read = read.and_then(|row| {
            let keys = [row.vid.map(|vid| vid.to_string()), row.phone.clone()];
            let is_new = keys.into_iter().flatten().all(|key| seen.insert(key));
            is_new
                .then_some(row)
                .ok_or("an earlier line has the same member")
        });
        match read {
            Ok(row) => rows.push(row),
            Err(what) => mistakes.push(Mistake {
                line: line_of(&record),
                what,
            }),
        }
    }
    if mistakes.is_empty() {
        Ok(rows)
    } else {
        mistakes.truncate(MOST_MISTAKES);
        Err(mistakes)
    }
}

fn line_of(record: &csv::Result<csv::StringRecord>) -> u64 {
    let place = match record {
        Ok(record) => record.position(),
        Err(error) => error.position(),
    };
    place.map_or(0, csv::Position::line)
}

/// Whose code is whose; nobody's where it is two guests'.
fn by_code(guests: &[Member]) -> BTreeMap<MemberCode, Option<Vid>> {
    let mut known = BTreeMap::new();
    for vid in guests.iter().filter_map(|guest| guest.vid) {
        let of = known.entry(MemberCode::of(vid));
        of.and_modify(|twin| *twin = None).or_insert(Some(vid));
    }
    known
}

fn row(
    cells: &BTreeMap<&str, &str>,
    known: &BTreeMap<MemberCode, Option<Vid>>,
    today: Date,
) -> Result<ImportedRow, &'static str> {
    let cell = |name: &str| cells.get(name).copied().filter(|cell| !cell.is_empty());
    let vid = match cell("code") {
        None => None,
        Some(code) => {
            let code = MemberCode::parse(code).map_err(|_| "`code` is no code of a card")?;
            match known.get(&code) {
                None => return Err("no guest of this store has this code"),
                Some(None) => return Err("two guests of this store have this code"),
                Some(Some(vid)) => Some(*vid),
            }
        }
    };
    let phone = cell("phone_sha256").map(str::to_lowercase);
    if let Some(phone) = &phone {
        let is_hash = phone.len() == 64 && phone.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_hash && phone.bytes().filter(u8::is_ascii_digit).count() >= 7 && phone.len() < 20 {
            return Err("a phone number itself has no place here: give its SHA-256");
        }
        if !is_hash {
            return Err("`phone_sha256` is 64 hexadecimal digits");
        }
    }
    if vid.is_none() && phone.is_none() {
        return Err("it has neither a code nor the hash of a phone number");
    }
    let since = match cell("since") {
        None => None,
        Some(day) => Some(
            day.parse::<Date>()
                .map_err(|_| "`since` is a day such as 2024-03-01")?,
        ),
    };
    if since > Some(today) {
        return Err("`since` lies ahead");
    }
    let consents = match cell("consent") {
        None => None,
        Some("yes") => Some(true),
        Some("no") => Some(false),
        Some(_) => return Err("`consent` is yes, no, or empty where nobody knows"),
    };
    Ok(ImportedRow {
        vid,
        phone,
        since,
        consents,
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const TODAY: Date = date(2026, 12, 1);
    const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn guests() -> Vec<Member> {
        // Two of them differ where no code tells.
        let twin = |last| {
            let mut vid = [5; 16];
            vid[15] = last;
            Vid::from_entropy(vid)
        };
        let vids = [Vid::from_entropy([7; 16]), twin(1), twin(2)];
        let guest = |vid| Member {
            vid: Some(vid),
            ..Member::default()
        };
        vids.map(guest).to_vec()
    }

    fn code(vid: [u8; 16]) -> String {
        MemberCode::of(Vid::from_entropy(vid)).to_string()
    }

    #[test]
    fn a_list_is_read_by_code_or_hash_in_any_order_of_its_columns() {
        let own = code([7; 16]);
        let file = format!(
            "\u{feff}consent,code,since,phone_sha256\r\nyes,{own},2024-03-01,\r\n,,,{}\r\n",
            HASH.to_uppercase()
        );
        let rows = read(&file, &guests(), TODAY).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].vid, Some(Vid::from_entropy([7; 16])));
        assert_eq!(
            (rows[0].since, rows[0].consents),
            (Some(date(2024, 3, 1)), Some(true))
        );
        assert_eq!(rows[1].phone.as_deref(), Some(HASH));
        assert_eq!((rows[1].since, rows[1].consents), (None, None));
    }

    #[test]
    fn every_mistake_is_named_by_its_line_and_quotes_nobody() {
        let (own, twins, nobody) = (code([7; 16]), code([5; 16]), code([9; 16]));
        let file = format!(
            "code,phone_sha256,since,consent\n\
             {own},,,yes\n\
             {own},,,yes\n\
             {nobody},,,\n\
             {twins},,,\n\
             7K3F,,,\n\
             ,13800138000,,\n\
             ,abc,,\n\
             ,,2024-01-01,\n\
             ,{HASH},1.3.2024,\n\
             ,{HASH},2030-01-01,\n\
             ,{HASH},,maybe\n\
             ,{HASH}\n"
        );
        let mistakes = read(&file, &guests(), TODAY).unwrap_err();
        let said: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        let wanted = [
            "line 3: an earlier line has the same member",
            "line 4: no guest of this store has this code",
            "line 5: two guests of this store have this code",
            "line 6: `code` is no code of a card",
            "line 7: a phone number itself has no place here: give its SHA-256",
            "line 8: `phone_sha256` is 64 hexadecimal digits",
            "line 9: it has neither a code nor the hash of a phone number",
            "line 10: `since` is a day such as 2024-03-01",
            "line 11: `since` lies ahead",
            "line 12: `consent` is yes, no, or empty where nobody knows",
            "line 13: it does not have as many cells as the first line",
        ];
        assert_eq!(said, wanted);
        for file in ["", "name,phone\nlin,138\n", "code;since\n"] {
            let mistakes = read(file, &guests(), TODAY).unwrap_err();
            assert!(
                mistakes[0]
                    .to_string()
                    .starts_with("line 1: the columns are")
            );
        }
    }
}
