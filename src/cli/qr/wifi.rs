//! `maitred qr wifi`: a code that joins a phone to the guest Wi-Fi.

use std::path::Path;

use super::super::syntax::{Command, Given, Word};
use super::sheet::{FONTS, FORMAT, LANGUAGE, LAYOUT, LOGO, OUT, Order};
use super::{STORE_DIR, read_store};
use crate::sheet::code::{Code, Network};

const SSID: Word = Word::option("ssid", "NAME", "The name of the Wi-Fi").required();
const PASSWORD_FILE: Word = Word::option(
    "password-file",
    "FILE",
    "Where its password is; without this it is an open one",
);
const COPIES: Word = Word::option("copies", "NUMBER", "How many").or("1");

pub(super) const COMMAND: Command = Command::new(
    "wifi",
    "Print codes that join a phone to the guest Wi-Fi\n\n\
     The password stands beside the code in plain letters, for whom the camera fails.",
    &[
        STORE_DIR,
        SSID,
        PASSWORD_FILE,
        COPIES,
        LAYOUT,
        FORMAT,
        OUT,
        LANGUAGE,
        LOGO,
        FONTS,
    ],
    wifi,
);

fn wifi(given: &Given) -> anyhow::Result<()> {
    let order = Order::read(given)?;
    let copies: u16 = given.value(&COPIES)?;
    if copies == 0 {
        return Err(given.misuse("--copies 0 prints nothing").into());
    }
    let store = read_store(&given.path(&STORE_DIR)?)?;
    let password = given.optional_path(&PASSWORD_FILE);
    let password = password.map(|file| read_password(&file)).transpose()?;
    let ssid: String = given.value(&SSID)?;
    let code = Code::joining(Network::new(&ssid, password.as_deref())?);
    order.print(&store, &vec![code; usize::from(copies)])
}

/// The first line of a file.
fn read_password(file: &Path) -> anyhow::Result<String> {
    let text = fs_err::read_to_string(file)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
