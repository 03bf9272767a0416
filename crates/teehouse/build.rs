//! Tells the binary which commit it was built from; without git it says so and builds all the same.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // What `HEAD` names may change without `HEAD` itself changing, and a reference may be packed.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]).unwrap_or_default();
    for name in ["HEAD", "packed-refs", &branch] {
        let path = Some(name).filter(|name| !name.is_empty()).and_then(|name| git(&["rev-parse", "--git-path", name]));
        if let Some(path) = path.filter(|path| std::path::Path::new(path).exists()) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "no commit".to_owned());
    println!("cargo:rustc-env=TEEHOUSE_VERSION={} ({commit})", env!("CARGO_PKG_VERSION"));
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
