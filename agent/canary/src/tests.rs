//! Tests of the engine against a plant: a platform in memory that does what it is told.

mod begin;
mod elsewhere;
mod intents;
mod logs;
mod plant;
mod promise;
mod properties;
mod retreat;
mod rules;
