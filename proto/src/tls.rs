//! rustls configurations of both sides.
