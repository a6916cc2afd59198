//! Whether phones take the certificate that the portal shows for its host.

use jiff::Timestamp;

use super::Finding;
use crate::ops::certificate::{Fit, Shown};

const CHECK: &str = "certificate";

pub fn check(shown: &Shown, host: &str, now: Timestamp) -> Finding {
    judge(shown.fit(host, now), host)
}

fn judge(fit: Fit, host: &str) -> Finding {
    const PUT: &str = "have identity/host.csr of the state directory signed for the host, and put the chain into \
                       identity/host.pem there; with headquarters: maitred hq certificate csr, and put";
    let bad = |what: String| Finding::bad(CHECK, what, PUT);
    match fit {
        Fit::Good { until } => Finding::good(CHECK, format!("good for {host} until {until:.0}")),
        // A shop without one is whole: the portal is there in plain HTTP.
        Fit::Missing => Finding::warning(
            CHECK,
            format!("there is none for {host}: no HTTPS, and phones are told of no API"),
            PUT,
        ),
        Fit::NoName => bad(format!("it is not for {host}")),
        Fit::NotYet => Finding::bad(
            CHECK,
            "it is not valid yet",
            "look at the clock first: a box that wakes in 1970 finds every certificate too new",
        ),
        Fit::Expired => {
            bad("it has expired; phones are told of no API until there is another".to_owned())
        }
        Fit::NotOne => bad("its files do not read as a chain and its key".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Health;

    #[test]
    fn a_shop_without_a_certificate_is_whole_and_one_with_a_wrong_one_is_not() {
        let until = "2027-01-01T00:00:00Z".parse().unwrap();
        for (fit, health) in [
            (Fit::Good { until }, Health::Good),
            (Fit::Missing, Health::Warning),
            (Fit::NoName, Health::Bad),
            (Fit::NotYet, Health::Bad),
            (Fit::Expired, Health::Bad),
            (Fit::NotOne, Health::Bad),
        ] {
            let finding = judge(fit, "sz01.sw.cn");
            assert_eq!(finding.health, health, "{fit:?}");
            assert_eq!(finding.hint.is_none(), health == Health::Good, "{fit:?}");
        }
    }
}
