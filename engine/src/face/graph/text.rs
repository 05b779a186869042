//! Texts that are put together while compiling.

pub(super) const ROOM: usize = 512;

/// A text that is put together while compiling; what does not fit is cut off.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    bytes: [u8; ROOM],
    length: usize,
}

impl Text {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; ROOM], length: 0 }
    }

    pub(super) const fn add(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        let mut at = 0;
        while at < text.len() && self.length < ROOM {
            self.bytes[self.length] = text[at];
            self.length += 1;
            at += 1;
        }
        self
    }

    /// The text.
    pub const fn as_str(&self) -> &str {
        let written = self.bytes.split_at(self.length).0;
        match std::str::from_utf8(written) {
            Ok(text) => text,
            Err(cut) => match std::str::from_utf8(written.split_at(cut.valid_up_to()).0) {
                Ok(text) => text,
                Err(_) => "the workflow is not valid",
            },
        }
    }
}
