//! Configuration: the reference's nine sections, read from layers, every mistake told at once.

mod effective;
mod keys;
mod layers;
mod rules;
mod sections;
mod variables;

use std::fmt;

pub use effective::Effective;
pub use layers::Layers;
pub use sections::*;

use crate::Mistake;

/// Everything that is wrong with a configuration: a line for each mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// At least one, layer by layer.
    pub mistakes: Vec<Mistake>,
    /// Settings without effect.
    pub warnings: Vec<Mistake>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, mistake) in self.mistakes.iter().take(Mistake::SHOWN).enumerate() {
            write!(f, "{}{mistake}", if place == 0 { "" } else { "\n" })?;
        }
        write!(f, "{}", Mistake::not_shown(self.mistakes.len()))
    }
}

impl std::error::Error for ConfigErrors {}
