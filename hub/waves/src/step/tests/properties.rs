//! The rules of DESIGN §5 as properties.
