//! Counts the steps, edges and rows that calls look at, so that tests can hold their cost to the size of what was asked,
//! without a clock. Outside of tests it counts nothing and costs nothing.

#[cfg(test)]
thread_local! {
    static LOOKS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// One step, edge or row was looked at.
#[cfg(test)]
pub(super) fn looked() {
    LOOKS.set(LOOKS.get() + 1);
}

/// One step, edge or row was looked at.
#[cfg(not(test))]
pub(super) const fn looked() {}

/// How much this thread looks at in the course of `work`.
#[cfg(test)]
pub(super) fn looks<T>(work: impl FnOnce() -> T) -> usize {
    LOOKS.set(0);
    work();
    LOOKS.get()
}
