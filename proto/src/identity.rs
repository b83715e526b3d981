//! Who a peer is: SPIFFE ids and their reading from certificates.
