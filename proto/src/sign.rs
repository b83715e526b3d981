//! Signatures: orders of the hub, receipts of agents.
