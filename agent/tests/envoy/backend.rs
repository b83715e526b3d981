//! The application of these tests: the test binary itself, started by the platform as a version.

use std::{env, path::PathBuf, time::Duration};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    routing::{any, get},
};
use tokio::net::TcpListener;

/// The command of a version: this test binary, told to run only [`the_backend`].
pub(crate) fn command() -> Vec<String> {
    let own = env::current_exe().unwrap();
    let mut command = vec![own.to_str().unwrap().to_owned()];
    let arguments = "--exact backend::the_backend --nocapture serve:{version}:{port}:{data}";
    command.extend(arguments.split(' ').map(str::to_owned));
    command
}

/// Not a test: it serves when the platform starts it, and does nothing otherwise.
#[test]
fn the_backend() {
    let Some(told) = env::args().find(|argument| argument.starts_with("serve:")) else {
        return;
    };
    let parts: Vec<&str> = told.splitn(4, ':').collect();
    let (version, port) = (parts[1].to_owned(), parts[2].parse::<u16>().unwrap());
    let data = PathBuf::from(parts[3]);
    if version.ends_with("crash") {
        eprintln!("cannot find the table \"orders\"");
        std::process::exit(3);
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(serve(version, port, data));
}

async fn serve(version: String, port: u16, data: PathBuf) {
    let app = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/die", get(|| async { std::process::abort() as () }))
        .route("/wait/{ms}", get(wait))
        .route("/status/{code}", get(status))
        .route("/grpc/{status}", any(grpc))
        .fallback(|State(version): State<String>| async move { version })
        .with_state(version.clone());
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    std::fs::write(
        data.join(format!("{version}.pid")),
        std::process::id().to_string(),
    )
    .unwrap();
    axum::serve(listener, app).await.unwrap();
}

async fn wait(State(version): State<String>, Path(ms): Path<u64>) -> String {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    version
}

async fn status(Path(code): Path<u16>) -> StatusCode {
    StatusCode::from_u16(code).unwrap()
}

/// A gRPC answer that has failed: 200, with the status in the only header block.
async fn grpc(Path(status): Path<String>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from_str(&status).unwrap());
    headers
}
