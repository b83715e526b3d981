//! Operations over the store in memory.
