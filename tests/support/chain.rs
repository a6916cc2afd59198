//! A chain of real processes: headquarters, and stores that enrol as an installer would.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::http::{HeaderMap, Method};
use maitred::config::settings::Database;
use maitred::hq::db::Place;
use maitred::ops::ask::Connection;
use maitred::ops::tasks::Tasks;

use super::process::{Process, answer, ask, maitred, run};
use super::wrong_clock::ClockOff;
use super::{PATIENCE, eventually};

/// A table of store SZ01, from `tests/fixtures/chain`.
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/chain");

/// A chain in a directory of its own.
pub(crate) struct TestChain {
    dir: tempfile::TempDir,
    hq: Option<Process>,
    pub(crate) admin_password: String,
    pin: String,
    ports: Option<[SocketAddr; 4]>,
    setting: Setting,
    /// What the clocks of programs say that are started from now on.
    pub(crate) clock: ClockOff,
}

/// What is out of the ordinary in a story's chain.
#[derive(Debug, Clone, Default)]
struct Setting {
    /// Where the gateways are told that headquarters is; none: where it is.
    sync_port: Option<u16>,
    /// The address of a PostgreSQL database; none: headquarters' own SQLite file.
    database: Option<String>,
    clock: ClockOff,
}

impl TestChain {
    /// Sets up headquarters over the fixture's folder, with a campaign that is always open, and starts it.
    pub(crate) fn start() -> Self {
        Self::start_edited(|_| {})
    }

    /// The same with a line before it: the gateways are told that headquarters is at `port`.
    pub(crate) fn start_behind(port: u16) -> Self {
        Self::start_in(Setting {
            sync_port: Some(port),
            ..Setting::default()
        })
    }

    /// The same with its ledger in this PostgreSQL database.
    pub(crate) fn start_over(database: Option<String>) -> Self {
        Self::start_in(Setting {
            database,
            ..Setting::default()
        })
    }

    /// The same on a day other than today.
    pub(crate) fn start_on(clock: ClockOff) -> Self {
        Self::start_in(Setting {
            clock,
            ..Setting::default()
        })
    }

    /// The same with its folder edited before anybody reads it.
    pub(crate) fn start_edited(edit: impl FnOnce(&Path)) -> Self {
        Self::start_over_edited(Setting::default(), edit)
    }

    fn start_in(setting: Setting) -> Self {
        Self::start_over_edited(setting, |_| {})
    }

    fn start_over_edited(setting: Setting, edit: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        write_chain(&dir.path().join("chain"));
        edit(&dir.path().join("chain"));
        let hq_dir = dir.path().join("hq");
        let settings = dir.path().join("init.toml");
        let url = setting.database.clone().unwrap_or_default();
        fs_err::write(&settings, format!("[database]\nurl = \"{url}\"\n")).unwrap();
        let mut init = vec!["hq", "init", "--dir", hq_dir.to_str().unwrap()];
        if setting.database.is_some() {
            init.extend(["--postgres", "--config", settings.to_str().unwrap()]);
        }
        let said = answer(setting.clock.set(maitred(&init)));
        let word = |before: &str| {
            let (_, rest) = said.split_once(before).unwrap();
            rest.split_whitespace().next().unwrap().to_owned()
        };
        let (pin, admin_password) = (word("enroll`: "), word("password: "));
        let mut chain = Self {
            dir,
            hq: None,
            admin_password,
            pin,
            ports: None,
            clock: setting.clock,
            setting,
        };
        chain.start_hq();
        chain
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts headquarters; the second time at the addresses of the first, where the stores look for it.
    pub(crate) fn start_hq(&mut self) {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let [sync, enroll, console, ops] = self.ports.unwrap_or([any; 4]);
        let file = self.path("hq.toml");
        let database = self.setting.database.as_deref().unwrap_or_default();
        let settings = format!(
            "dir = \"hq\"\nchain_dir = \"chain\"\n[database]\nurl = \"{database}\"\n\
             [sync]\nlisten = \"{sync}\"\nurl = \"https://127.0.0.1:{}\"\n\
             [enroll]\nlisten = \"{enroll}\"\n[console]\nlisten = \"{console}\"\n[ops]\nlisten = \"{ops}\"\n",
            self.setting.sync_port.unwrap_or(sync.port())
        );
        fs_err::write(&file, settings).unwrap();
        let arguments = ["hq", "--config", file.to_str().unwrap()];
        let hq = self.start_program(&arguments, "hq");
        self.ports = Some(["sync", "enroll", "console", "ops"].map(|name| hq.address(name)));
        self.hq = Some(hq);
    }

    /// Starts a server by the chain's clock; its log is beside its state.
    fn start_program(&self, arguments: &[&str], name: &str) -> Process {
        let log = self.path(&format!("{name}.log"));
        Process::of(self.clock.set(maitred(arguments)), &log)
    }

    pub(crate) fn stop_hq(&mut self) {
        self.hq.take().unwrap().stop();
    }

    /// Where headquarters listens for gateways.
    pub(crate) fn sync(&self) -> SocketAddr {
        self.hq.as_ref().unwrap().address("sync")
    }

    pub(crate) fn console(&self) -> SocketAddr {
        self.hq.as_ref().unwrap().address("console")
    }

    /// What headquarters' command line answers.
    pub(crate) fn hq(&self, arguments: &[&str]) -> String {
        let config = self.path("hq.toml");
        let before = ["hq", "--config", config.to_str().unwrap()];
        ask(&[&before, arguments].concat())
    }

    /// The same where it may refuse.
    pub(crate) fn try_hq(&self, arguments: &[&str]) -> std::process::Output {
        let config = self.path("hq.toml");
        let before = ["hq", "--config", config.to_str().unwrap()];
        run(&[&before, arguments].concat())
    }

    /// A one-time token from headquarters' command line.
    pub(crate) fn token(&self, place: &[&str]) -> String {
        let said = self.hq(&[&["token"], place].concat());
        let token = said.lines().next().unwrap();
        token.strip_prefix("token: ").unwrap().to_owned()
    }

    /// What an installer types on the box.
    pub(crate) fn enroll_arguments(&self, token: &str, state: &str) -> Vec<String> {
        let enroll = self.ports.unwrap()[1];
        let state = self.path(state).display().to_string();
        let url = format!("https://{enroll}");
        [
            "enroll", "--hq", &url, "--pin", &self.pin, "--token", token, "--state", &state,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// The PIN of a new member of staff called lin.
    pub(crate) fn add_staff(&self) -> String {
        self.add_staff_at("SZ01")
    }

    pub(crate) fn add_staff_at(&self, store: &str) -> String {
        let said = self.hq(&["staff", "add", "--store", store, "--name", "lin"]);
        let pin = said.lines().next().unwrap();
        pin.strip_prefix("PIN: ").unwrap().to_owned()
    }

    /// Enrols a box for store SZ01 and starts it.
    pub(crate) async fn open_store(&self) -> TestStore {
        self.enroll_store();
        self.start_store(Sending::AtOnce).await
    }

    /// Enrols the box for store SZ01, whose state is in `store`.
    pub(crate) fn enroll_store(&self) {
        self.enroll_store_in("store");
    }

    /// The same with its state somewhere else.
    pub(crate) fn enroll_store_in(&self, state: &str) {
        self.enroll_store_at("SZ01", state);
    }

    /// Enrols a box for a store.
    pub(crate) fn enroll_store_at(&self, store: &str, state: &str) {
        self.enroll(&["--store", store], state);
    }

    /// Starts the box of SZ01, enrolled before.
    pub(crate) async fn start_store(&self, sending: Sending) -> TestStore {
        self.start_gateway("store", "store", sending).await
    }

    /// The same with its portal over HTTPS at `tls_listen`, once there is a certificate.
    pub(crate) async fn start_store_at(&self, tls_listen: SocketAddr) -> TestStore {
        let portal = format!("[portal]\ntls_listen = \"{tls_listen}\"\n");
        let settings = settings("store", "store", Sending::AtOnce).replace("[portal]\n", &portal);
        TestStore::start(self.dir.path(), "store", &settings).await
    }

    pub(crate) async fn open_street(&self) -> TestStore {
        self.open_street_in("street").await
    }

    /// Enrols a street gateway with its state in `state` and starts it.
    pub(crate) async fn open_street_in(&self, state: &str) -> TestStore {
        self.enroll(&["--street"], state);
        self.start_street_in(state).await
    }

    /// Starts a street gateway that was enrolled before.
    pub(crate) async fn start_street_in(&self, state: &str) -> TestStore {
        self.start_gateway("street", state, Sending::AtOnce).await
    }

    fn enroll(&self, place: &[&str], state: &str) {
        let token = self.token(place);
        let arguments = self.enroll_arguments(&token, state);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        answer(self.clock.set(maitred(&arguments)));
    }

    /// Starts the box of SZ01 whose state is in `state`.
    pub(crate) async fn start_store_in(&self, state: &str, sending: Sending) -> TestStore {
        self.start_gateway("store", state, sending).await
    }

    async fn start_gateway(&self, role: &str, state: &str, sending: Sending) -> TestStore {
        let file = self.path(&format!("{state}.toml"));
        fs_err::write(&file, settings(role, state, sending)).unwrap();
        let arguments = ["gateway", "--config", file.to_str().unwrap()];
        let process = self.start_program(&arguments, state);
        TestStore { process }.with_a_bundle().await
    }

    /// Signs in at the console and reads the page of today.
    pub(crate) async fn console_page(&self) -> String {
        let address = self.console();
        let mut connection = Connection::open(address, &Tasks::new()).await.unwrap();
        let mut headers = HeaderMap::new();
        let form = "application/x-www-form-urlencoded";
        headers.insert("content-type", form.parse().unwrap());
        headers.insert("origin", format!("http://{address}").parse().unwrap());
        let body = format!("login=admin&password={}", self.admin_password);
        let answer = connection
            .ask(Method::POST, "/login", &headers, body)
            .await
            .unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap();
        headers.insert("cookie", cookie.parse().unwrap());
        headers.insert("accept-language", "en".parse().unwrap());
        let page = connection
            .ask(Method::GET, "/", &headers, "")
            .await
            .unwrap();
        String::from_utf8(page.into_body().to_vec()).unwrap()
    }

    /// The ledger, read as an auditor would: by headquarters' own totals.
    pub(crate) async fn totals(&self) -> maitred::hq::db::Totals {
        let ledger = maitred::hq::db::open(&self.ledger()).await.unwrap();
        ledger.totals().await.unwrap()
    }

    fn ledger(&self) -> Place {
        match &self.setting.database {
            None => Place::Folder(self.path("hq")),
            Some(url) => Place::Database(Database {
                url: url.clone(),
                ca: None,
            }),
        }
    }

    /// What headquarters has counted in store SZ01 on a business day.
    pub(crate) async fn figures(&self, day: jiff::civil::Date) -> maitred::hq::db::Figures {
        let ledger = maitred::hq::db::open(&self.ledger()).await.unwrap();
        let asked = vec![(maitred::domain::ids::StoreId::parse("SZ01").unwrap(), day)];
        ledger.figures(asked).await.unwrap().remove(0)
    }

    /// How stores were last walked, as headquarters has it.
    pub(crate) async fn walks(&self) -> Vec<maitred::hq::db::stickers::Walked> {
        let ledger = maitred::hq::db::open(&self.ledger()).await.unwrap();
        ledger.walks().await.unwrap()
    }

    /// Waits until headquarters has `coupons`, and returns its totals then.
    pub(crate) async fn totals_with(&self, coupons: u64) -> maitred::hq::db::Totals {
        eventually("the coupons at headquarters", || async {
            let totals = self.totals().await;
            (totals.coupons >= coupons).then_some(totals)
        })
        .await
    }
}

/// A gateway's settings, with its state in `state` beside them.
pub(crate) fn settings(role: &str, state: &str, sending: Sending) -> String {
    let delay_ms = match sending {
        Sending::AtOnce => 20,
        Sending::Never => 3_600_000,
    };
    format!(
        "role = \"{role}\"\nstate_dir = \"{state}\"\n[portal]\nlisten = \"127.0.0.1:0\"\n\
         base_url = \"http://portal.test\"\n[ops]\nlisten = \"127.0.0.1:0\"\n\
         [uplink]\nbatch_delay_ms = {delay_ms}\nviews_delay_ms = {delay_ms}\nlong_poll_seconds = 20\nprobe_url = \"\"\n\
         [journal]\nin_memory = true\n"
    )
}

/// When a gateway sends what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    AtOnce,
    /// An hour from now, which no story waits for.
    Never,
}

/// Writes the fixture's chain with its campaign always open and its limits out of the way.
pub(crate) fn write_chain(to: &Path) {
    let files = maitred::ops::files::read_tree(Path::new(FIXTURE)).unwrap();
    for (path, bytes) in files {
        let file = to.join(&path);
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(file, bytes).unwrap();
    }
    let campaign = to.join("campaigns/quiet-hours.toml");
    let text = fs_err::read_to_string(&campaign)
        .unwrap()
        .replace("starts = 2026-12-01", "starts = 2020-01-01")
        .replace("ends = 2027-02-28", "ends = 2099-12-31")
        .replace(
            "\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"",
            "\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"",
        )
        .replace("from = \"14:00\"", "from = \"00:00\"")
        .replace("to = \"17:00\"", "to = \"00:00\"")
        .replace("total = 5000", "total = 5000000")
        .replace("per_table_per_day = 4", "per_table_per_day = 1000000")
        .replace("per_store_per_day = 20", "per_store_per_day = 1000000");
    fs_err::write(campaign, text).unwrap();
}

/// Opens another store in a chain's folder, which has no tables of its own.
pub(crate) fn open_sister(chain: &Path, id: &str) {
    let stores = chain.join("stores");
    let text = fs_err::read_to_string(stores.join("SZ01/store.toml")).unwrap();
    let text = text.replace("SZ01", id).replace("sz01", &id.to_lowercase());
    fs_err::create_dir(stores.join(id)).unwrap();
    fs_err::write(stores.join(id).join("store.toml"), text).unwrap();
}

/// Changes the campaign of a chain's folder.
pub(crate) fn edit_campaign(chain: &Path, from: &str, to: &str) {
    let file = chain.join("campaigns/quiet-hours.toml");
    let text = fs_err::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from}");
    fs_err::write(file, text.replace(from, to)).unwrap();
}

/// A running gateway.
pub(crate) struct TestStore {
    pub(crate) process: Process,
}

impl TestStore {
    /// Starts a gateway in `dir` with these settings and waits until it has a bundle.
    pub(crate) async fn start(dir: &Path, name: &str, settings: &str) -> Self {
        Self::start_with(dir, name, settings, &[]).await
    }

    async fn start_with(
        dir: &Path,
        name: &str,
        settings: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let file = dir.join(format!("{name}.toml"));
        fs_err::write(&file, settings).unwrap();
        let mut command = maitred(&["gateway", "--config", file.to_str().unwrap()]);
        command.envs(environment.iter().copied());
        let log = dir.join(format!("{name}.log"));
        let process = Process::of(command, &log);
        Self { process }.with_a_bundle().await
    }

    /// Waits until it has a bundle.
    pub(crate) async fn with_a_bundle(self) -> Self {
        eventually("a gateway with a bundle", || async {
            let answer = self.ops("/readyz").await;
            answer.contains("\"ready\":true").then_some(())
        })
        .await;
        self
    }

    /// Starts a shop without headquarters over the fixture's folder.
    pub(crate) async fn alone(dir: &Path) -> Self {
        Self::alone_with(dir, &[]).await
    }

    /// The same with something in its environment.
    pub(crate) async fn alone_with(dir: &Path, environment: &[(&str, &str)]) -> Self {
        write_chain(&dir.join("chain"));
        let settings = "state_dir = \"state\"\n[portal]\nlisten = \"127.0.0.1:0\"\n\
                        base_url = \"http://portal.test\"\n[ops]\nlisten = \"127.0.0.1:0\"\n\
                        [uplink]\nprobe_url = \"\"\n\
                        [bundle]\ndir = \"chain\"\n[journal]\nin_memory = true\n";
        Self::start_with(dir, "alone", settings, environment).await
    }

    /// A settings file with the address where its ops listener is, for commands that ask it.
    pub(crate) fn running_settings(&self, dir: &Path) -> String {
        let file = dir.join("running.toml");
        let ops = self.process.address("ops");
        fs_err::write(&file, format!("[ops]\nlisten = \"{ops}\"\n")).unwrap();
        file.display().to_string()
    }

    pub(crate) fn portal(&self) -> SocketAddr {
        self.process.address("portal")
    }

    /// What the ops listener says at `path`.
    pub(crate) async fn ops(&self, path: &str) -> String {
        let address = self.process.address("ops");
        let mut connection = Connection::open(address, &Tasks::new()).await.unwrap();
        let answer = tokio::time::timeout(PATIENCE, connection.get(path)).await;
        String::from_utf8(answer.unwrap().unwrap().into_body().to_vec()).unwrap()
    }

    /// Waits until `/readyz` tells this state of the way to headquarters.
    pub(crate) async fn wait_for_link(&self, state: &str) {
        let detail = format!("\"detail\":\"{state}\"");
        eventually(state, || async {
            self.ops("/readyz").await.contains(&detail).then_some(())
        })
        .await;
    }

    /// Waits until headquarters has every capture.
    pub(crate) async fn wait_until_sent(&self) {
        eventually("an empty journal", || async {
            let readiness = self.ops("/readyz").await;
            readiness.contains("\"0 captures wait").then_some(())
        })
        .await;
    }

    pub(crate) async fn pairing_code(&self) -> String {
        let address = self.process.address("ops");
        let mut connection = Connection::open(address, &Tasks::new()).await.unwrap();
        let path = "/api/v1/till/pairing";
        let answer = connection
            .ask(Method::POST, path, &HeaderMap::new(), "")
            .await;
        let answer = answer.unwrap().into_body();
        let code: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        code["code"].as_str().unwrap().to_owned()
    }
}

/// The code of table number `n` of SZ01, counted from 1.
pub(crate) fn table(n: usize) -> String {
    let file = format!("{FIXTURE}/stores/SZ01/touchpoints.csv");
    let text = fs_err::read_to_string(file).unwrap();
    let line = text.lines().nth(n).unwrap();
    line.split(',').next().unwrap().to_owned()
}
