//! `maitred campaign playbook`: campaigns to begin with, each of which runs as it is.

use anyhow::Context;

use crate::cli::print;
use crate::cli::syntax::{Command, Given, Word};
use crate::domain::campaign::Campaign;
use crate::domain::written::read_strictly;

/// By name.
const PLAYBOOKS: [(&str, &str); 4] = [
    (
        "side-dish",
        include_str!("../../../templates/playbooks/side-dish.toml"),
    ),
    (
        "off-peak",
        include_str!("../../../templates/playbooks/off-peak.toml"),
    ),
    (
        "win-back",
        include_str!("../../../templates/playbooks/win-back.toml"),
    ),
    (
        "receipt",
        include_str!("../../../templates/playbooks/receipt.toml"),
    ),
];

const NAME: Word = Word::option("name", "NAME", "Print this one's file");

pub(super) const COMMAND: Command = Command::new(
    "playbook",
    "List campaigns to begin with, or print one of them\n\n\
     Write it into campaigns/ of the chain's folder, put in your stores and dates, and check it.",
    &[NAME],
    run,
);

fn run(given: &Given) -> anyhow::Result<()> {
    let Some(name) = given.optional::<String>(&NAME)? else {
        for (name, file) in PLAYBOOKS {
            let campaign: Campaign = read_strictly(name, file)?;
            print::line(format_args!(
                "{name:<12} {} / {}",
                campaign.title.en, campaign.title.zh
            ));
        }
        return Ok(());
    };
    let found = PLAYBOOKS.into_iter().find(|(known, _)| *known == name);
    let (_, file) = found.with_context(|| {
        let names = PLAYBOOKS.map(|(known, _)| known);
        format!(
            "there is no playbook `{name}`\nhint: there are {}",
            names.join(", ")
        )
    })?;
    print::line(file.trim_end());
    Ok(())
}
