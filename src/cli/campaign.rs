//! `maitred campaign`: what platforms or the law have against a campaign, before anybody publishes it.

#[cfg(feature = "gateway")]
mod page;
mod playbooks;
mod report;

use std::path::Path;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::print;
use super::syntax::{Command, Given, Word};
use crate::domain::campaign::Campaign;
use crate::domain::linter::Linter;
use crate::domain::linter::rules::Region;
use crate::domain::store::Store;
use crate::domain::written::{BadFile, read_strictly};
use crate::ops::clock::{Clock, SystemClock};
use crate::ops::files::read_tree;
use crate::wire::bundle::{Bundle, Files, Looked, campaign_file};
use crate::wire::rules::register;
use report::Report;

const CHECKED: Word = Word::operand(
    "PATH",
    "A campaign's file, a folder of them, or a chain's whole folder",
);
const JSON: Word = Word::flag("json", "Print one JSON document for programs");
const REGION: Word = Word::option(
    "region",
    "REGION",
    "Whose rules count: cn, eu or other; otherwise the chain's profile, or cn",
);

pub(super) const COMMAND: Command = Command::group(
    "campaign",
    "Check campaigns against the rules of platforms and the law",
    &[],
    &[
        Command::new(
            "check",
            "Say what platforms or the law have against a campaign\n\n\
             Ends with 1 where one is refused, with 0 where there are only warnings, and with 78 where a file cannot\n\
             be read. What it does not find is not thereby lawful.",
            &[CHECKED, JSON, REGION],
            check,
        ),
        playbooks::COMMAND,
        #[cfg(feature = "gateway")]
        page::COMMAND,
    ],
);

fn check(given: &Given) -> anyhow::Result<()> {
    let look = Look {
        region: given.optional_by(&REGION, region)?,
        today: TimeZone::UTC.to_datetime(SystemClock.now()).date(),
    };
    let report = look.at(&given.path(&CHECKED)?)?;
    if given.has(&JSON) {
        print::line(report.json());
    } else {
        print::line(report.text());
    }
    report.verdict()
}

fn region(name: &str) -> Result<Region, &'static str> {
    Region::by_name(name).ok_or("the regions are cn, eu and other")
}

/// How files are looked at.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// None: as the chain says.
    region: Option<Region>,
    today: Date,
}

impl Look {
    fn at(self, path: &Path) -> anyhow::Result<Report> {
        if !path.is_dir() {
            let name = path.display().to_string();
            return Ok(self.at_campaigns([(name, fs_err::read(path)?)]));
        }
        let files = read_tree(path)?;
        let is_chain = |name: &String| {
            ["chain.toml", "campaigns/", "stores/"]
                .iter()
                .any(|begin| name.starts_with(begin))
        };
        if files.keys().any(is_chain) {
            return Ok(self.at_chain(&files));
        }
        let campaigns = files
            .into_iter()
            .filter(|(name, _)| name.ends_with(".toml"));
        let named = campaigns.map(|(name, bytes)| (path.join(name).display().to_string(), bytes));
        Ok(self.at_campaigns(named))
    }

    /// Campaigns by themselves, each in a file of any name.
    fn at_campaigns(self, files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Report {
        let linter = Linter::new(register(), self.region.unwrap_or_default());
        let mut report = Report::new(&linter);
        for (file, bytes) in files {
            let read = std::str::from_utf8(&bytes)
                .map_err(|_| BadFile::whole(&file, "not UTF-8"))
                .and_then(|text| read_strictly::<Campaign>(&file, text));
            match read {
                Ok(campaign) => {
                    let mut findings = linter.campaign(&campaign);
                    findings.extend(page::drawn(&linter, &campaign, &[]));
                    report.add(Looked { file, findings });
                }
                Err(fault) => report.fail(fault),
            }
        }
        report
    }

    /// A chain's folder, with all that guests read.
    fn at_chain(self, files: &Files) -> Report {
        let bundle = match Bundle::from_folder(files) {
            Ok(bundle) => bundle,
            Err(faults) => {
                let mut report = Report::new(&Linter::new(register(), Region::default()));
                faults.into_iter().for_each(|fault| report.fail(fault));
                return report;
            }
        };
        let region = self.region.unwrap_or(bundle.linter().region());
        let linter = Linter::new(register(), region);
        let mut report = Report::new(&linter);
        for looked in bundle.said_of_campaigns(&linter) {
            report.add(looked);
        }
        for looked in bundle.said_of_words(&linter) {
            report.add(looked);
        }
        for campaign in bundle.campaigns.values() {
            let stores = bundle.stores.values().map(|folder| &folder.store);
            let reached: Vec<&Store> = stores.filter(|store| campaign.reaches(store)).collect();
            let mut findings = page::drawn(&linter, campaign, &reached);
            bundle.answer(campaign, &mut findings);
            let file = campaign_file(&campaign.id);
            report.add(Looked { file, findings });
        }
        for looked in bundle.said_of_invitations(&linter, self.today) {
            report.add(looked);
        }
        report
    }
}

/// A headquarters without the gateway's pages draws none.
#[cfg(not(feature = "gateway"))]
mod page {
    use super::{Campaign, Linter, Store};
    use crate::domain::linter::Finding;

    pub(super) fn drawn(_: &Linter, _: &Campaign, _: &[&Store]) -> Vec<Finding> {
        Vec::new()
    }
}
