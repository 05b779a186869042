//! Has the crate of handlers in its `Cargo.toml`, and never names it.

fn main() {
    println!("{}", app::linked());
}
