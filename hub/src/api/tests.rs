//! Routes against rights, bad input, events, and the document.
