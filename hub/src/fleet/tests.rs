//! The fleet's tables: one decision a test, driven without a clock, TLS or a store.

mod aborts;
mod fixture;
mod history;
mod joins;
mod leases;
mod offences;
mod orders;
mod records;
mod speakers;
mod stored;
mod witness;
