//! Compiles the contract's .proto files without protoc, when the `wire` feature asks for them.

fn main() {
    println!("cargo:rerun-if-changed=flagship");
    #[cfg(feature = "wire")]
    generate();
}

#[cfg(feature = "wire")]
fn generate() {
    let files = protox::compile(["flagship/link/v1/link.proto"], ["."])
        .expect("the contract's .proto files compile");
    tonic_prost_build::configure()
        .codec_path("crate::codec::SmallCodec")
        .compile_fds(files)
        .expect("code for the contract can be written to OUT_DIR");
}
