//! What both binaries need to run.
