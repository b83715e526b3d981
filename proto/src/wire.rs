//! Generated messages and the gRPC service.
