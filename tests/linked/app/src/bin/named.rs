//! Names the crate of handlers, and nothing in it.

use my_handlers as _;

fn main() {
    println!("{}", app::linked());
}
