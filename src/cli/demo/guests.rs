//! The simulated guests and staff: they tap, claim, show and redeem over real HTTP, and count what they got.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::StatusCode;
use tokio::time::Instant;

use super::chain::DemoChain;
use super::phone::{Page, Phone};
use crate::domain::ids::{CouponId, StaffName, TouchpointCode};
use crate::ops::clock::SystemClock;
use crate::ops::files::random;
use crate::ops::tasks::Tasks;
use crate::portal::Pairing;

/// Tables of one store that are busy at the same time.
const PARTIES_PER_STORE: usize = 4;

/// Between two guests of a party: a shop of three has some 60 taps a second.
const BETWEEN_GUESTS: Duration = Duration::from_millis(60);

/// What was counted at phones and tills, never at a server.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) taps: u64,
    /// Coupon pages seen, each coupon once.
    pub(super) captures: u64,
    /// Green answers at the till, less those taken back.
    pub(super) redeemed: u64,
    pub(super) refused: u64,
    pub(super) undone: u64,
}

/// Everything that was seen at phones and tills.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) counts: Counts,
    /// Coupons seen on phones.
    pub(super) coupons: BTreeSet<CouponId>,
    /// Coupons that a till was green for and that were not taken back.
    pub(super) redeemed: BTreeSet<CouponId>,
    /// Coupons that a till was green for although it had been before: a fault.
    pub(super) redeemed_twice: u64,
    /// Cookies of guests who may come again.
    regulars: Vec<BTreeMap<String, String>>,
}

/// Where the parties of one store sit.
#[derive(Clone)]
struct Shop {
    portal: SocketAddr,
    /// Guests on 4G open the same codes here.
    street: SocketAddr,
    tables: Vec<TouchpointCode>,
    pairing: Arc<Pairing>,
    staff: StaffName,
    pin: String,
}

/// All guests of the chain, and the tills that wait for them.
pub(super) struct Guests {
    parties: Vec<(Party, Till)>,
    tally: Arc<Mutex<Tally>>,
}

impl Guests {
    /// Opens the shops: every party has a till that is paired with its gateway.
    pub(super) async fn expected_at(chain: &DemoChain) -> anyhow::Result<Self> {
        let tally = Arc::default();
        let mut parties = Vec::new();
        for store in &chain.stores {
            let shop = Shop {
                portal: store.gateway.portal,
                street: chain.street.portal,
                tables: store.tables.clone(),
                pairing: Arc::clone(&store.gateway.pairing),
                staff: store.staff.clone(),
                pin: store.pin.clone(),
            };
            for number in 0..PARTIES_PER_STORE {
                let tasks = Tasks::new();
                let till = Till::pair(&shop, &tasks).await?;
                let party = Party {
                    shop: shop.clone(),
                    tally: Arc::clone(&tally),
                    tasks,
                    is_on_4g: number == 0,
                };
                parties.push((party, till));
            }
        }
        Ok(Self { parties, tally })
    }

    /// Lets guests come for so long; `watch` hears of the progress every two seconds.
    pub(super) async fn come(
        self,
        duration: Duration,
        watch: impl Fn(Counts, Duration),
    ) -> anyhow::Result<Tally> {
        let end = Instant::now() + duration;
        let mut parties = tokio::task::JoinSet::new();
        for (party, till) in self.parties {
            parties.spawn(party.dine(till, end));
        }
        let mut every = tokio::time::interval(Duration::from_secs(2));
        loop {
            tokio::select! {
                party = parties.join_next() => match party {
                    Some(party) => party.context("a party of guests")??,
                    None => return Ok(std::mem::take(&mut lock(&self.tally))),
                },
                _ = every.tick() => {
                    let counts = lock(&self.tally).counts;
                    watch(counts, end.saturating_duration_since(Instant::now()));
                }
            }
        }
    }
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A row of guests at one store's tables, and the till they go to.
struct Party {
    shop: Shop,
    tally: Arc<Mutex<Tally>>,
    tasks: Tasks,
    is_on_4g: bool,
}

/// A coupon in a guest's hand.
struct InHand {
    id: CouponId,
    code: String,
    token: String,
}

impl Party {
    async fn dine(self, mut till: Till, end: Instant) -> anyhow::Result<()> {
        while Instant::now() < end {
            let coupon = self.visit().await?;
            // Two of three coupons are used; the rest is forgotten at home.
            if let Some(coupon) = coupon
                && one_in(3) != 0
            {
                self.redeem(&mut till, &coupon).await?;
            }
            tokio::time::sleep(BETWEEN_GUESTS).await;
        }
        Ok(())
    }

    /// One guest scans, and perhaps claims.
    async fn visit(&self) -> anyhow::Result<Option<InHand>> {
        let address = if self.is_on_4g {
            self.shop.street
        } else {
            self.shop.portal
        };
        let mut phone = Phone::open(address, &self.tasks).await?;
        let regular = {
            let mut tally = lock(&self.tally);
            let known = tally.regulars.len();
            (known > 0 && one_in(4) == 0 && !self.is_on_4g)
                .then(|| tally.regulars.swap_remove(one_in(known)))
        };
        if let Some(cookies) = regular {
            phone.remember(cookies);
        }
        let code = self.shop.tables[one_in(self.shop.tables.len())];
        let landing = phone.get(&format!("/t/{code}")).await?;
        if landing.status != StatusCode::OK {
            bail!("a landing page answered {}", landing.status);
        }
        lock(&self.tally).counts.taps += 1;
        if one_in(5) == 0 {
            return Ok(None);
        }
        let Some(page) = claim(&mut phone, &landing).await? else {
            return Ok(None);
        };
        self.hold(&phone, &page)
    }

    /// Counts the coupon that a guest sees, once.
    fn hold(&self, phone: &Phone, page: &Page) -> anyhow::Result<Option<InHand>> {
        let id = page
            .between("action=\"/c/", "/consent\"")
            .context("a coupon page names its coupon")?;
        let id = CouponId::parse(id)?;
        let mut tally = lock(&self.tally);
        if tally.coupons.insert(id) {
            tally.counts.captures += 1;
        }
        if tally.regulars.len() < 500 && !self.is_on_4g {
            tally.regulars.push(phone.cookies());
        }
        let token = page.between("data-token=\"", "\"");
        let code = page.between("<p class=\"code\"", "</p>");
        Ok(token.zip(code).map(|(token, code)| InHand {
            id,
            token: token.to_owned(),
            code: code.rsplit('>').next().unwrap_or_default().to_owned(),
        }))
    }

    async fn redeem(&self, till: &mut Till, coupon: &InHand) -> anyhow::Result<()> {
        // A coupon from the street has not reached the store: its guest shows the QR.
        let shown = if self.is_on_4g {
            &coupon.token
        } else {
            &coupon.code
        };
        let (answer, redemption) = till.redeem(shown).await?;
        let is_green = answer.status == StatusCode::OK;
        {
            let mut tally = lock(&self.tally);
            if is_green {
                tally.counts.redeemed += 1;
                if !tally.redeemed.insert(coupon.id) {
                    tally.redeemed_twice += 1;
                }
            } else {
                tally.counts.refused += 1;
            }
        }
        if is_green && one_in(40) == 0 && till.undo(&redemption).await? {
            let mut tally = lock(&self.tally);
            tally.counts.undone += 1;
            tally.counts.redeemed -= 1;
            tally.redeemed.remove(&coupon.id);
        }
        Ok(())
    }
}

/// Taps the one button; none where there is no offer, or it went away in that second.
async fn claim(phone: &mut Phone, landing: &Page) -> anyhow::Result<Option<Page>> {
    let location = match (landing.field("tap"), landing.between("href=\"/c/", "\"")) {
        (Some(tap), _) => {
            let code = landing.field("code").context("a form names its code")?;
            let campaign = landing.field("campaign").context("and its campaign")?;
            let fields = [("code", code), ("campaign", campaign), ("tap", tap)];
            let answer = phone.post("/claim", &fields).await?;
            match (answer.status, answer.location) {
                (StatusCode::SEE_OTHER, Some(location)) => location,
                // The hour or the stock ended between the page and the tap, and the page says so.
                (StatusCode::CONFLICT, _) => return Ok(None),
                (status, _) => bail!("a claim answered {status}"),
            }
        }
        (None, Some(held)) => format!("/c/{held}"),
        (None, None) => return Ok(None),
    };
    let page = phone.get(&location).await?;
    if page.status != StatusCode::OK {
        bail!("a coupon's page answered {}", page.status);
    }
    Ok(Some(page))
}

/// A till device with its member of staff.
struct Till {
    phone: Phone,
    staff: String,
    pin: String,
}

impl Till {
    async fn pair(shop: &Shop, tasks: &Tasks) -> anyhow::Result<Self> {
        let mut phone = Phone::open(shop.portal, tasks).await?;
        let code = shop.pairing.give_out(&SystemClock);
        let answer = phone.post("/till/pair", &[("code", code.as_str())]).await?;
        if answer.status != StatusCode::SEE_OTHER {
            bail!("pairing a till answered {}", answer.status);
        }
        Ok(Self {
            phone,
            staff: shop.staff.to_string(),
            pin: shop.pin.clone(),
        })
    }

    async fn sign_in(&mut self) -> anyhow::Result<()> {
        let fields = [("name", self.staff.as_str()), ("pin", self.pin.as_str())];
        let answer = self.phone.post("/till/sign-in", &fields).await?;
        if answer.status != StatusCode::SEE_OTHER {
            bail!("signing in at a till answered {}", answer.status);
        }
        Ok(())
    }

    /// The till's answer, and the number of the redemption that it was asked for.
    async fn redeem(&mut self, code: &str) -> anyhow::Result<(Page, String)> {
        for _ in 0..3 {
            let page = self.phone.get("/till").await?;
            if let Some(redemption) = page.field("redemption") {
                let fields = [("code", code), ("redemption", redemption)];
                let answer = self.phone.post("/till/redeem", &fields).await?;
                if answer.status != StatusCode::FORBIDDEN {
                    return Ok((answer, redemption.to_owned()));
                }
            }
            // The shift is over: in the compressed calendar it lasts a second and a half.
            self.sign_in().await?;
        }
        bail!("a till kept asking for its PIN")
    }

    /// Takes a redemption back; false where its ten minutes are over. By its number and not as the latest
    /// on the page: another till of the shop may have been faster.
    async fn undo(&mut self, redemption: &str) -> anyhow::Result<bool> {
        let answer = self
            .phone
            .post("/till/undo", &[("redemption", redemption)])
            .await?;
        Ok(answer.status == StatusCode::OK && answer.html.contains("券可以再次使用"))
    }
}

/// A number from 0 up to `n`, each as likely.
fn one_in(n: usize) -> usize {
    let number = u32::from_be_bytes(random());
    usize::try_from(number).unwrap_or_default() % n.max(1)
}
