//! One decision a row.
