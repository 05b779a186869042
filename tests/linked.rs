//! Handlers of a real dependency: `use my_handlers as _;` links them, in every profile, and without it they are missing.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

type Done = Result<(), Box<dyn Error>>;

const ALL: &str = "charge_card, mail, price_cart, reserve, shop/billing 1.0.0";

/// One after the other: they share what runs while compiling, and the place of the programs.
#[test]
fn a_named_crate_is_linked_in_every_profile() -> Done {
    // The same versions as ours, which are there already.
    fs::copy("Cargo.lock", "tests/linked/Cargo.lock")?;
    check("dev", "debug", &[])?;
    check("release", "release", &[])?;
    let lto = ["lto='fat'", "codegen-units=1", "strip=true", "panic='abort'"];
    check("release", "release", &lto.map(|setting| format!("profile.release.{setting}")))
}

fn check(profile: &str, folder: &str, settings: &[String]) -> Done {
    let target = build(profile, settings)?;
    let said = |program: &str| -> Result<String, Box<dyn Error>> {
        let program = target.join(folder).join(format!("{program}{}", env::consts::EXE_SUFFIX));
        let output = Command::new(program).output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    assert_eq!(said("named")?, ALL, "{profile} {settings:?}");
    assert_eq!(said("unnamed")?, "", "{profile} {settings:?}: a crate that no code names is not linked");
    Ok(())
}

/// Into a target directory of its own, so that it is built once and never disturbs ours.
fn build(profile: &str, settings: &[String]) -> Result<PathBuf, Box<dyn Error>> {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("linked");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "--profile", profile])
        .args(["--manifest-path", "tests/linked/Cargo.toml"])
        .args(settings.iter().flat_map(|setting| ["--config", setting]))
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .output()?;
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Ok(target)
}
