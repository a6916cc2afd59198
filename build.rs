//! Three words to the linker for the router's binary, which is built with `opt-level = "z"`.
//!
//! Relative relocations are packed (`DT_RELR`): 170 kB less, with address space layout randomisation kept;
//! wants glibc 2.36 or musl 1.2.4. Functions with the same code are folded into one; wants lld, which is
//! rustc's own linker for x86-64 since 1.90 and zig's for the other targets. Strings that end others are stored
//! once (`-O2`).

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its profile so"
)]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=OPT_LEVEL");
    if std::env::var("OPT_LEVEL").is_ok_and(|level| level == "z") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
        println!("cargo:rustc-link-arg-bins=-Wl,-O2");
    }
}
