//! Where something was said.

use std::fmt;
use std::sync::Arc;

use super::{Fault, Mistake};

/// Where something was said: a line and column of a file, or a variable, or code.
///
/// Written as `orders.yaml:12:5`; in a configuration with its layer, as `tasker.toml:3:1 (file)`.
#[derive(Clone, PartialEq, Eq)]
pub struct Location {
    source: Arc<Source>,
    /// From 1; 0 where the source has no lines, and for a file as a whole.
    line: u32,
    /// From 1, in characters.
    column: u32,
}

/// A file with its text, or another source of values.
#[derive(PartialEq, Eq)]
pub(crate) struct Source {
    /// The file, the variable, or what else it is.
    name: String,
    /// The layer of a configuration.
    layer: Option<&'static str>,
    /// Whether `name` is the name of a file.
    is_file: bool,
    text: String,
}

impl Source {
    /// A file.
    pub(crate) fn file(name: &str, text: &str, layer: Option<&'static str>) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), layer, is_file: true, text: text.to_owned() })
    }

    /// A source that has no lines.
    pub(crate) fn other(name: impl Into<String>, layer: Option<&'static str>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), layer, is_file: false, text: String::new() })
    }

    /// The bytes of the file as UTF-8, with or without a byte-order mark.
    ///
    /// # Errors
    /// When there are more than that; with the place of the first byte that is no UTF-8.
    pub(crate) fn decode<'a>(
        self: &Arc<Self>,
        bytes: &'a [u8],
        most: usize,
    ) -> Result<&'a str, Box<Mistake>> {
        if bytes.len() > most {
            let fault = Fault::TooLarge { what: "bytes", found: bytes.len(), max: most };
            return Err(Mistake::new(&self.whole(), fault).into());
        }
        let other = |name: &str| Mistake::new(&self.whole(), Fault::Encoding(format!("this is {name}")));
        match bytes {
            [0xFF, 0xFE, ..] => return Err(other("UTF-16, little endian").into()),
            [0xFE, 0xFF, ..] => return Err(other("UTF-16, big endian").into()),
            _ => {}
        }
        std::str::from_utf8(bytes).map_err(|error| {
            let (before, after) = bytes.split_at(error.valid_up_to());
            let (line, column) = end_of(&String::from_utf8_lossy(before));
            let byte = after.first().copied().unwrap_or_default();
            let fault = Fault::Encoding(format!("the byte 0x{byte:02X} here is not UTF-8"));
            Mistake::new(&self.at(line, column), fault).into()
        })
    }

    /// The place at a line and column, both from 1.
    pub(crate) fn at(self: &Arc<Self>, line: usize, column: usize) -> Location {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Location { source: Arc::clone(self), line: number(line), column: number(column) }
    }

    /// The whole of it.
    pub(crate) fn whole(self: &Arc<Self>) -> Location {
        self.at(0, 0)
    }
}

/// The line and column after a text.
pub(super) fn end_of(text: &str) -> (usize, usize) {
    let line = text.matches('\n').count() + 1;
    (line, text.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
}

impl Location {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&str> {
        self.source.is_file.then_some(&*self.source.name)
    }

    /// The line, from 1; `None` where there are no lines.
    pub fn line(&self) -> Option<u32> {
        (self.line > 0).then_some(self.line)
    }

    /// The column in characters, from 1; `None` where there are no lines.
    pub fn column(&self) -> Option<u32> {
        (self.line > 0).then_some(self.column)
    }

    /// What stands in that line of the file.
    pub fn source_line(&self) -> Option<&str> {
        self.source.text.lines().nth(usize::try_from(self.line).ok()?.checked_sub(1)?)
    }

    /// The layer of a configuration: `default`, `file`, `environment file`, `variable` or `code`.
    pub fn layer(&self) -> Option<&'static str> {
        self.source.layer
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source.name)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        match self.source.layer {
            Some(layer) if layer != self.source.name => write!(f, " ({layer})"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_utf8_is_read() {
        let decoded = |bytes: &[u8]| match Source::file("t", "", None).decode(bytes, 9) {
            Ok(text) => text.to_owned(),
            Err(mistake) => mistake.to_string(),
        };
        assert_eq!(decoded("é: 1".as_bytes()), "é: 1");
        assert_eq!(decoded(b"a\nb: \xE9"), "t:2:4: the byte 0xE9 here is not UTF-8; write it as UTF-8");
        assert_eq!(decoded(b"\xFF\xFEa\0"), "t: this is UTF-16, little endian; write it as UTF-8");
        assert_eq!(decoded("ééééé".as_bytes()), "t: there are 10 bytes, at most 9 are allowed");
    }
}
