//! The REST API under `/api/v1`: one file a resource; types are the JSON shapes of all of them.

pub mod types;
