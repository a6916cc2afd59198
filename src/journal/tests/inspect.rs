//! What a support engineer sees without touching anything.

use std::collections::BTreeMap;

use super::*;

/// Every file below a directory with its bytes.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for name in disk::names_in(dir).unwrap() {
        let path = dir.join(name);
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs_err::read(&path).unwrap());
        }
    }
    found
}

#[tokio::test]
async fn a_stopped_journal_is_listed_without_being_changed() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..12).await;
    let stream = journal.outbox().depths().borrow().p0.written().stream;
    let outbox = journal.outbox();
    outbox.acknowledge(Spool::P0, stream, 2).await.unwrap();
    journal.note(b"view".to_vec());
    journal.close().await.unwrap();
    let before = files(shop.dir.path());

    let mut seen = Vec::new();
    let inventory = inspect(shop.dir.path(), &mut |spool, frame| {
        seen.push((spool, frame.seq, text(&frame.body)));
    })
    .unwrap();

    let p0 = numbered(3..12)
        .into_iter()
        .map(|(seq, body)| (Spool::P0, seq, body));
    let p1 = (Spool::P1, 1, "view".to_owned());
    assert_eq!(seen, p0.chain([p1]).collect::<Vec<_>>());
    let reports = &inventory.generations;
    let counts: Vec<_> = reports
        .iter()
        .map(|report| {
            let contents = &report.contents;
            (report.spool, contents.begin, contents.frames, report.state)
        })
        .collect();
    assert_eq!(
        counts,
        [
            (Spool::P0, 1, 6, GenerationState::Clean),
            (Spool::P0, 9, 3, GenerationState::Clean),
            (Spool::P1, 1, 1, GenerationState::Clean),
        ]
    );
    assert_eq!(reports[0].stream, Some(stream));
    assert_eq!(
        reports[0].contents.oldest_unix_ms,
        Some(unix_millis_of("2026-10-01T18:30:00Z"))
    );
    assert_eq!(files(shop.dir.path()), before);
}

#[tokio::test]
async fn a_running_journal_is_listed_too() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..4).await;
    let inventory = inspect(shop.dir.path(), &mut |_, _| {}).unwrap();
    assert_eq!(inventory.generations[0].state, GenerationState::Open);
    assert_eq!(inventory.generations[0].contents.frames, 3);
    assert_eq!(verify(shop.dir.path()).unwrap(), [""; 0]);
    capture_numbers(&journal, 4..5).await;
}

#[tokio::test]
async fn what_sled_cannot_open_is_listed_and_named_by_verify() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..12).await;
    journal.close().await.unwrap();
    let damaged = shop.path(&format!("p0/{}", generation(1)));
    fs_err::write(damaged.join("conf"), b"torn in the middle").unwrap();

    let inventory = inspect(shop.dir.path(), &mut |_, _| {}).unwrap();
    let frames: Vec<u64> = inventory
        .generations
        .iter()
        .map(|report| report.contents.frames)
        .collect();
    assert_eq!(frames, [8, 3, 0]);
    let faults = verify(shop.dir.path()).unwrap();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains(&generation(1)), "{faults:?}");
    assert!(
        faults[0].contains("8 waiting frames are whole"),
        "{faults:?}"
    );
    let mut saved = Vec::new();
    salvage(&damaged, &mut |frame| {
        saved.push((frame.seq, text(&frame.body)));
    })
    .unwrap();
    assert_eq!(saved, numbered(1..9));
}

#[tokio::test]
async fn verify_tells_what_the_next_start_saves_from_what_nothing_can() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..8).await;
    journal.close().await.unwrap();
    let file = shop.path(&format!("p0/{}/db", generation(1)));
    let mut bytes = fs_err::read(&file).unwrap();
    let (_, lost) = numbered(4..5).remove(0);
    let length = lost.len();
    let places: Vec<usize> = (0..bytes.len() - length)
        .filter(|place| bytes[*place..*place + length] == *lost.as_bytes())
        .collect();
    for place in places {
        bytes[place] ^= 0xff;
    }
    fs_err::write(&file, bytes).unwrap();

    let faults = verify(shop.dir.path()).unwrap();
    assert!(
        faults[0].contains("frames 4 to 4 are not in the file"),
        "{faults:?}"
    );
    // sled does not get past the damage to what was written behind it.
    assert!(
        faults[1].contains("frames 5 to 6, which are whole in the file; the next start saves them"),
        "{faults:?}"
    );
    let journal = shop.open();
    let there: Vec<u64> = drain(&journal, Spool::P0)
        .await
        .iter()
        .map(|(seq, _)| *seq)
        .collect();
    assert_eq!(there, [1, 2, 3, 5, 6, 7]);
    assert_eq!(verify(shop.dir.path()).unwrap(), [""; 0]);
}
