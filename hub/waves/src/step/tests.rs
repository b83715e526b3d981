//! Tests of the engine: tables, scripted scenarios, properties; over a toy fleet.

mod properties;
mod scenarios;
mod table;
mod toy;
