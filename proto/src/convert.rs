//! Conversions between wire and model: `TryFrom` only, one error type, total.
