//! Panics, kept from the terminal while a simulation runs: those of handlers are part of it, all others are found out.

use std::cell::{Cell, RefCell};
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

/// What handlers panic with.
pub(crate) const MEANT: &str = "a simulated panic";

thread_local! {
    static SIMULATES: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Does some work whose panics are only remembered.
pub(crate) fn silenced<T>(work: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| if SIMULATES.get() { remember(info) } else { before(info) }));
    });
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            SIMULATES.set(self.0);
        }
    }
    let _before = Before(SIMULATES.replace(true));
    work()
}

fn remember(info: &PanicHookInfo<'_>) {
    let text = info.payload_as_str().unwrap_or("no message");
    if text != MEANT {
        let place = info.location().map(|place| format!(" ({}:{})", place.file(), place.line()));
        LAST.set(Some(format!("{text}{}", place.unwrap_or_default())));
    }
}

/// What the last panic said that nobody meant.
pub(crate) fn found() -> Option<String> {
    LAST.take()
}

/// The same, where there was one.
pub(crate) fn take() -> String {
    found().unwrap_or_default()
}
