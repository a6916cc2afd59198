//! The build packs the words of the pages: three languages are 54 kB of a router's flash, and 22 kB packed.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

const LANGUAGES: [&str; 3] = ["en", "zh-CN", "zh-Hant"];

fn main() -> std::io::Result<()> {
    let out = std::env::var_os("OUT_DIR").expect("cargo says where to write");
    for language in LANGUAGES {
        let file = format!("templates/text/{language}.toml");
        rerun_if_changed(&file);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&fs_err::read(&file)?)?;
        let packed = Path::new(&out).join(format!("{language}.toml.gz"));
        fs_err::write(packed, encoder.finish()?)?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "cargo listens there")]
fn rerun_if_changed(file: &str) {
    println!("cargo::rerun-if-changed={file}");
}
