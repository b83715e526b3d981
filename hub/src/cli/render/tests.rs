//! Snapshots of pages.
