//! Programs of this workspace, built anew with other configurations (`--cfg`), for layers that need one.
//!
//! A wrapper of the compiler configures the crates of the workspace and no other, so that their dependencies are built
//! once; the programs get a folder of their own, so that none takes the place of the bench itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};

/// A program in another configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variant {
    /// Which: `rustc-<name>` is its wrapper, `target/<name>` its folder.
    pub(crate) name: &'static str,
    /// The package, and the program in it.
    pub(crate) package: &'static str,
}

impl Variant {
    /// Builds it, and says how long that took.
    pub(crate) fn build(self) -> anyhow::Result<PathBuf> {
        let began = Instant::now();
        let crates = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = std::env::current_exe()?;
        let target = target.ancestors().nth(2).context("the bench is in no target folder")?;
        let folder = target.join(self.name);
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--release", "--quiet", "--locked", "--package", self.package])
            .current_dir(crates)
            .env("RUSTC_WORKSPACE_WRAPPER", crates.join(format!("rustc-{}", self.name)))
            .env("CARGO_BUILD_BUILD_DIR", target)
            .env("CARGO_TARGET_DIR", &folder)
            .output()
            .context("cargo does not run")?;
        let why = String::from_utf8_lossy(&built.stderr);
        ensure!(built.status.success(), "{} can't be built: {}", self.package, why.trim());
        println!("  {} built in {:.1} s", self.package, began.elapsed().as_secs_f64());
        Ok(folder.join("release").join(self.package))
    }
}
