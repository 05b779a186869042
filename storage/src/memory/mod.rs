//! Tasks in the memory of one process: the strict oracle.
