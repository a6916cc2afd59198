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
    let stream = journal.outbox().depths().borrow().p0.stream;
    let outbox = journal.outbox();
    outbox.acknowledge(Spool::P0, stream, 2).await.unwrap();
    journal.note(b"view".to_vec());
    journal.close().await.unwrap();
    let before = files(shop.dir.path());

    let mut seen = Vec::new();
    let reports = inspect(shop.dir.path(), &mut |spool, frame| {
        seen.push((spool, frame.seq, text(&frame.body)));
    })
    .unwrap();

    let p0 = numbered(3..12)
        .into_iter()
        .map(|(seq, body)| (Spool::P0, seq, body));
    let p1 = (Spool::P1, 1, "view".to_owned());
    assert_eq!(seen, p0.chain([p1]).collect::<Vec<_>>());
    let counts: Vec<_> = reports
        .iter()
        .map(|report| {
            let contents = report.contents.as_ref().unwrap();
            (report.spool, report.base_seq, contents.frames, report.state)
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
    assert_eq!(reports[0].stream, stream);
    assert_eq!(
        reports[0].contents.as_ref().unwrap().oldest_unix_ms,
        Some(unix_millis_of("2026-10-01T18:30:00Z"))
    );
    assert_eq!(files(shop.dir.path()), before);
}

#[tokio::test]
async fn a_running_journal_is_listed_too() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..4).await;
    let reports = inspect(shop.dir.path(), &mut |_, _| {}).unwrap();
    assert_eq!(reports[0].state, GenerationState::Open);
    assert_eq!(reports[0].contents.as_ref().unwrap().frames, 3);
    capture_numbers(&journal, 4..5).await;
}

#[tokio::test]
async fn one_unreadable_generation_does_not_hide_the_others() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..12).await;
    journal.close().await.unwrap();
    let conf = shop.path(&format!("p0/{}/conf", generation(1)));
    fs_err::write(conf, b"torn in the middle").unwrap();

    let reports = inspect(shop.dir.path(), &mut |_, _| {}).unwrap();
    assert!(reports[0].contents.is_err());
    assert_eq!(reports[1].contents.as_ref().unwrap().frames, 3);
}
