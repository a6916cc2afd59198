//! A guest calls from a table and says how it was; the counter sees it, sees to it and answers.

use axum::http::StatusCode;
use maitred::cli::demo::phone::Page;

use crate::support::{Phone, Sending, Tasks, TestChain, TestStore, Till, eventually, scan, table};

async fn call(phone: &mut Phone, code: &str, what: &str) -> Page {
    let fields = [("code", code), ("what", what)];
    phone.post("/feedback/call", &fields).await.unwrap()
}

/// Fills in the form of a place's page, in English.
async fn say(phone: &mut Phone, code: &str, rating: &str, words: &str) -> Page {
    let page = phone.get(&format!("/feedback/{code}?lang=en")).await;
    let id = page.unwrap().field("id").unwrap().to_owned();
    let mut fields = vec![("id", id.as_str()), ("code", code), ("words", words)];
    if !rating.is_empty() {
        fields.push(("rating", rating));
    }
    phone.post("/feedback", &fields).await.unwrap()
}

/// The list at the counter, for whoever is signed in at `till`.
async fn inbox(store: &TestStore, till: &Till) -> String {
    let mut phone = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
    phone.remember(till.phone.cookies());
    let page = phone.get("/counter/inbox?lang=en").await.unwrap();
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    page.html
}

/// The ids of the list's buttons, in their order.
fn ids(list: &str) -> Vec<&str> {
    let forms = list.split("name=\"id\" value=\"").skip(1);
    forms.map(|form| form.split_once('"').unwrap().0).collect()
}

async fn answer(till: &mut Till, id: &str, is: &str, words: Option<&str>) -> Page {
    let mut fields = vec![("id", id), ("is", is)];
    fields.extend(words.map(|words| ("words", words)));
    till.phone.post("/counter/inbox", &fields).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_calls_the_counter_sees_to_it_and_a_power_cut_forgets_nothing() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let till = Till::open(&store, &pin).await;
    assert!(inbox(&store, &till).await.contains("Nobody is waiting"));

    let code = table(3);
    let (mut guest, landing) = scan(store.portal(), &code).await;
    assert!(landing.html.contains(&format!("/feedback/{code}")));
    let called = call(&mut guest, &code, "waiter").await;
    assert_eq!(called.status, StatusCode::SEE_OTHER, "{}", called.html);
    let again = call(&mut guest, &code, "waiter").await;
    assert_eq!(again.location, called.location, "twice is one call");
    let said = guest.get(&called.location.unwrap()).await.unwrap();
    assert!(said.html.contains("马上就来"), "{}", said.html);

    // Written before it was shown: a plug that is pulled now takes nothing.
    store.process.kill();
    let store = chain.start_store(Sending::AtOnce).await;
    let list = inbox(&store, &till).await;
    assert!(
        list.contains("A waiter, please") && list.contains("A03"),
        "{list}"
    );
    let mut till = reopened(&store, till).await;
    let page = till.phone.get("/counter?lang=en").await.unwrap().html;
    assert!(page.contains("A waiter, please"), "on the first page, too");

    let waiting = ids(&list)[0].to_owned();
    let done = answer(&mut till, &waiting, "done", None).await;
    assert_eq!(done.location.as_deref(), Some("/counter/inbox"));
    let list = inbox(&store, &till).await;
    assert!(
        list.contains("Nobody is waiting") && list.contains("Reopen"),
        "{list}"
    );
    answer(&mut till, &waiting, "open", None).await;
    assert!(
        !inbox(&store, &till).await.contains("Nobody is waiting"),
        "done was a mistake"
    );
    answer(&mut till, &waiting, "done", None).await;

    store.process.stop();
    let store = chain.start_store(Sending::AtOnce).await;
    assert!(
        inbox(&store, &till).await.contains("Nobody is waiting"),
        "from the checkpoint"
    );
    store.wait_until_sent().await;
    assert_eq!(
        chain.totals().await.quarantined,
        0,
        "headquarters reads all of it"
    );
}

/// The same device after the box has started anew.
async fn reopened(store: &TestStore, till: Till) -> Till {
    let mut phone = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
    phone.remember(till.phone.cookies());
    Till { phone }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_rating_stands_on_top_and_the_guest_reads_the_answer() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let mut till = Till::open(&store, &pin).await;
    let code = table(1);
    let (mut guest, _) = scan(store.portal(), &code).await;
    call(&mut guest, &code, "bill").await;
    let said = say(&mut guest, &code, "1", "The soup was cold.").await;
    assert_eq!(said.status, StatusCode::SEE_OTHER, "{}", said.html);

    let list = inbox(&store, &till).await;
    let (alert, call) = (list.find("Bad rating"), list.find("The bill, please"));
    assert!(alert.is_some() && alert < call, "{list}");
    assert!(list.contains("The soup was cold."));
    let id = ids(&list)[0].to_owned();
    let path = format!("/counter/inbox/{id}?lang=en");
    let page = till.phone.get(&path).await.unwrap();
    assert!(page.html.contains("The soup was cold."), "{}", page.html);
    let refused = answer(&mut till, &id, "done", Some("called 13800138000")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.html.contains(">called 13800138000</textarea>"),
        "{}",
        refused.html
    );
    answer(&mut till, &id, "done", Some("A new bowl is on its way.")).await;
    assert!(!inbox(&store, &till).await.contains("Bad rating"));

    let own = guest.get(&said.location.clone().unwrap()).await.unwrap();
    assert!(
        own.html.contains("A new bowl is on its way."),
        "{}",
        own.html
    );
    writes_back_once(&mut guest, &said.location.unwrap(), &store, &till).await;
    let own = guest.get(&format!("/feedback/{code}")).await.unwrap();
    assert!(
        own.html.contains("A new bowl is on its way."),
        "by the cookie"
    );
    let (mut other, _) = scan(store.portal(), &code).await;
    let others = other.get(&format!("/feedback/{code}")).await.unwrap();
    assert!(
        !others.html.contains("soup"),
        "nobody else's words are shown"
    );
}

/// The guest goes on with what they said, and the counter shows it beside the answer.
async fn writes_back_once(guest: &mut Phone, said: &str, store: &TestStore, till: &Till) {
    let refused = guest.post(said, &[("words", "ring 13800138000")]).await;
    let refused = refused.unwrap();
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.html.contains(">ring 13800138000</textarea>"));
    for words in ["Now it is hot, thank you.", "And once more."] {
        let back = guest.post(said, &[("words", words)]).await.unwrap();
        assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.html);
    }
    let page = guest.get(said).await.unwrap().html;
    assert!(page.contains("Now it is hot, thank you."), "{page}");
    assert!(
        !page.contains("And once more.") && !page.contains("<textarea"),
        "{page}"
    );
    let list = inbox(store, till).await;
    assert!(list.contains("Now it is hot, thank you."), "{list}");
    assert!(
        list.contains("Bad rating"),
        "somebody should look again: {list}"
    );
    let mut stranger = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
    let theirs = stranger.post(said, &[("words", "me, too")]).await.unwrap();
    assert_eq!(theirs.status, StatusCode::NOT_FOUND, "{}", theirs.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_is_explained_and_what_was_typed_stays() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let store = chain.open_store().await;
    let till = Till::open(&store, &pin).await;
    let (code, door) = (table(1), table(23));
    let (mut guest, _) = scan(store.portal(), &code).await;
    for (rating, words, why) in [
        (
            "2",
            "ring me: 138 0013 8000",
            "Please leave out phone numbers",
        ),
        ("", "  ", "Please choose a number or write something"),
        ("", &"x".repeat(401), "more than 400 characters"),
    ] {
        let refused = say(&mut guest, &code, rating, words).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.html.contains(why), "{}", refused.html);
        assert!(refused.html.contains(&format!(">{words}</textarea>")));
        assert_eq!(refused.html.contains(" checked"), rating == "2");
    }
    let no_star = say(&mut guest, &code, "6", "").await;
    assert_eq!(no_star.status, StatusCode::UNPROCESSABLE_ENTITY);

    let at_the_door = guest.get(&format!("/feedback/{door}?lang=en")).await;
    let at_the_door = at_the_door.unwrap().html;
    assert!(
        at_the_door.contains("scan the code on your table"),
        "{at_the_door}"
    );
    let refused = call(&mut guest, &door, "waiter").await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let unknown = guest.get("/feedback/22222222").await.unwrap();
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(inbox(&store, &till).await.contains("Nobody is waiting"));

    for _ in 0..3 {
        let said = say(&mut guest, &code, "5", "").await;
        assert_eq!(said.status, StatusCode::SEE_OTHER);
    }
    let enough = say(&mut guest, &code, "5", "").await;
    assert_eq!(enough.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(enough.html.contains("enough for now"), "{}", enough.html);
    let stranger = guest.get("/counter/inbox").await.unwrap();
    assert_eq!(
        stranger.status,
        StatusCode::SEE_OTHER,
        "a guest sees no counter"
    );
}

/// Waits until the counter shows `words`.
async fn at_the_counter(store: &TestStore, till: &Till, words: &str) -> String {
    eventually(words, || async {
        let list = inbox(store, till).await;
        list.contains(words).then_some(list)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_street_takes_no_calls_and_its_words_reach_the_counter_and_back() {
    let chain = TestChain::start();
    let pin = chain.add_staff();
    let street = chain.open_street().await;
    let code = table(1);
    let (mut guest, _) = scan(street.portal(), &code).await;
    let page = guest.get(&format!("/feedback/{code}?lang=en")).await;
    let page = page.unwrap();
    assert!(page.html.contains("own Wi-Fi only"), "{}", page.html);
    assert_eq!(
        call(&mut guest, &code, "waiter").await.status,
        StatusCode::NOT_FOUND
    );
    let said = say(&mut guest, &code, "2", "Cold soup.").await;
    let said = said.location.unwrap();
    let page = guest.get(&said).await.unwrap().html;
    assert!(page.contains("once the shop is online"), "{page}");
    street.wait_until_sent().await;

    // The shop was closed when it was said.
    let store = chain.open_store().await;
    let mut till = Till::open(&store, &pin).await;
    let list = at_the_counter(&store, &till, "Cold soup.").await;
    for word in ["Bad rating", "A01", "over mobile data"] {
        assert!(list.contains(word), "{word}: {list}");
    }
    let id = ids(&list)[0].to_owned();
    answer(&mut till, &id, "done", Some("A new bowl is coming.")).await;
    let guest = &tokio::sync::Mutex::new(guest);
    eventually("the answer on the street", || async {
        let page = guest.lock().await.get(&said).await.unwrap().html;
        page.contains("A new bowl is coming.").then_some(())
    })
    .await;
    let back = [("words", "Now it is hot.")];
    let back = guest.lock().await.post(&said, &back).await.unwrap();
    assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.html);
    let list = at_the_counter(&store, &till, "Now it is hot.").await;
    assert!(list.contains("Bad rating"), "somebody should look again");

    store.process.kill();
    let store = chain.start_store(Sending::AtOnce).await;
    let list = inbox(&store, &till).await;
    assert_eq!(list.matches("Cold soup.").count(), 1, "{list}");
    store.wait_until_sent().await;
    assert_eq!(chain.totals().await.quarantined, 0);
}
