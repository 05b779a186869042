//! Configuration: layers, refusals, origins.

mod layers;
mod mutated;
mod refusals;

use std::fs;
use std::path::PathBuf;

use tasker::Layers;

/// A file that one test alone writes, in a directory of its own.
fn file(test: &str, name: &str, text: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("configuration").join(test);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(name), text).unwrap();
    directory.join(name)
}

fn refused(layers: &Layers) -> Vec<String> {
    layers.load().unwrap_err().to_string().lines().map(ToOwned::to_owned).collect()
}
