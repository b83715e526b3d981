//! A hub in this process: founded once, opened by one, with clear words where it cannot be.

use std::{net::SocketAddr, path::Path};

use clap::Parser as _;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::args::{InitArgs, ServeArgs};

fn init_args(data: &Path, more: &[&str]) -> InitArgs {
    let data = data.to_str().unwrap();
    let cli = Cli::parse_from(["flagship-hub", "init", "--data", data].iter().chain(more));
    match cli.command {
        Command::Init(args) => args,
        Command::Serve(_) | Command::Recover(_) | Command::Backup(_) | Command::Restore(_) => {
            panic!("init was asked for")
        }
    }
}

fn serve_args(data: &Path) -> ServeArgs {
    let data = data.to_str().unwrap();
    let begin = ["flagship-hub", "serve", "--data", data];
    let listen = [
        "--listen-api",
        "127.0.0.1:0",
        "--listen-agents",
        "127.0.0.1:0",
    ];
    let args = begin.iter().chain(&listen);
    match Cli::parse_from(args).command {
        Command::Serve(args) => args,
        Command::Init(_) | Command::Recover(_) | Command::Backup(_) | Command::Restore(_) => {
            panic!("serve was asked for")
        }
    }
}

/// Opens the hub as soon as the one before, in this process, has let go of the file.
async fn open_soon(data: &Path, stop: CancellationToken) -> Hub {
    let began = std::time::Instant::now();
    loop {
        match Hub::open(serve_args(data), stop.clone()).await {
            Ok(hub) => return hub,
            Err(error) if began.elapsed().as_secs() < 10 => {
                assert!(error.to_string().contains("another"), "{error:#}");
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{error:#}"),
        }
    }
}

#[tokio::test]
async fn a_fleet_is_founded_once_and_the_token_is_shown_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let founded = init(init_args(&data, &["--fleet", "shop"])).await.unwrap();
    let text = founded.to_string();
    assert!(text.contains("Founded fleet shop"), "{text}");
    assert!(
        text.contains("flagship_") && text.contains("sha256:"),
        "{text}"
    );
    assert!(text.contains("login https://127.0.0.1:8440 "), "{text}");
    for entry in std::fs::read_dir(&data).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let token = founded.token.as_bytes();
        assert!(!bytes.windows(token.len()).any(|window| window == token));
    }
    let again = init(init_args(&data, &[])).await.unwrap_err().to_string();
    assert!(
        again.contains("already holds") && again.contains("serve"),
        "{again}"
    );
}

#[tokio::test]
async fn what_init_says_next_names_the_hub_as_it_was_told() {
    let folder = tempfile::tempdir().unwrap();
    for (more, address) in [
        (
            &["--dns", "hub.example.com", "--ip", "10.0.0.1"][..],
            "hub.example.com:8440",
        ),
        (&["--ip", "fd00::1"], "[fd00::1]:8440"),
    ] {
        let data = folder.path().join(address);
        let founded = init(init_args(&data, more)).await.unwrap().to_string();
        let login = format!("flagship login https://{address} --ca-hash sha256:");
        assert!(founded.contains(&login), "{founded}");
    }
}

#[tokio::test]
async fn p21_each_start_leads_a_higher_term_and_a_second_hub_on_the_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    init(init_args(&data, &[])).await.unwrap();
    let mut terms = Vec::new();
    for _ in 0..2 {
        let stop = CancellationToken::new();
        let hub = open_soon(&data, stop.clone()).await;
        let bound: Bound =
            serde_json::from_slice(&std::fs::read(data.join("addresses.json")).unwrap()).unwrap();
        assert_eq!(
            (bound.api, bound.agents),
            (hub.bound().api, hub.bound().agents)
        );
        terms.push(hub.term());

        let second = Hub::open(serve_args(&data), CancellationToken::new()).await;
        let refused = second.unwrap_err().to_string();
        assert!(refused.contains(data.to_str().unwrap()), "{refused}");

        let running = tokio::spawn(hub.run());
        tokio::net::TcpStream::connect(bound.agents).await.unwrap();
        stop.cancel();
        running.await.unwrap().unwrap();
        assert!(!data.join("addresses.json").exists());
    }
    assert!(terms[0] < terms[1]);
}

#[tokio::test]
async fn a_port_in_use_is_one_clear_line_and_costs_no_term() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    init(init_args(&data, &[])).await.unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = taken.local_addr().unwrap();
    drop(open_soon(&data, CancellationToken::new()).await);
    let mut args = serve_args(&data);
    args.listen_agents = address;
    let began = std::time::Instant::now();
    let line = loop {
        let error = Hub::open(args.clone(), CancellationToken::new()).await;
        let line = format!("{:#}", error.unwrap_err());
        if !line.contains("another flagship-hub") || began.elapsed().as_secs() > 10 {
            break line;
        }
        tokio::task::yield_now().await;
    };
    assert!(line.contains(&address.to_string()), "{line}");
    assert!(line.contains("--listen-agents"), "{line}");
    let hub = open_soon(&data, CancellationToken::new()).await;
    assert_eq!(
        hub.term().counter,
        2,
        "one start before, and none for the port"
    );
}

#[tokio::test]
async fn serving_a_folder_that_init_did_not_make_says_so_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("nowhere");
    let error = Hub::open(serve_args(&absent), CancellationToken::new()).await;
    let line = format!("{:#}", error.unwrap_err());
    assert!(line.contains("flagship-hub init"), "{line}");
    assert!(!absent.exists());
}

#[test]
fn every_flag_has_an_environment_variable_of_the_hub() {
    use clap::CommandFactory as _;
    for command in Cli::command().get_subcommands() {
        for argument in command.get_arguments().filter(|a| a.get_id() != "help") {
            let name = argument
                .get_env()
                .map(|name| name.to_string_lossy().into_owned());
            let is_ours = name.as_deref().is_some_and(|name| {
                // The standard's own, by which every program is told where traces go.
                let is_standard = name.starts_with("OTEL_EXPORTER_OTLP_");
                name.starts_with("FLAGSHIP_HUB_") || name.starts_with("FLAGSHIP_LOG") || is_standard
            });
            assert!(
                is_ours,
                "{} {}: {name:?}",
                command.get_name(),
                argument.get_id()
            );
        }
    }
}

#[tokio::test]
async fn p21_a_backup_of_a_hub_that_serves_is_restored_in_a_new_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    init(init_args(&data, &["--fleet", "shop"])).await.unwrap();
    let stop = CancellationToken::new();
    let hub = open_soon(&data, stop.clone()).await;
    let running = tokio::spawn(hub.run());
    let to = folder.path().join("backup");
    let arguments = |to: &Path| crate::args::BackupArgs {
        data: crate::args::DataArgs { data: data.clone() },
        to: to.to_owned(),
    };
    let began = std::time::Instant::now();
    let made = loop {
        match backup(arguments(&to)).await {
            Ok(made) => break made,
            // Until its own socket listens the folder is another's.
            Err(error) if began.elapsed().as_secs() < 10 => {
                assert!(error.to_string().contains("another"), "{error:#}");
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{error:#}"),
        }
    };
    let text = made.to_string();
    assert!(
        text.contains("ca.key.pem") && text.contains("SECRETS"),
        "{text}"
    );
    let mode = std::fs::metadata(&to).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions());
    assert_eq!(mode & 0o777, 0o600);
    let twice = backup(arguments(&to)).await.unwrap_err().to_string();
    assert!(twice.contains("is there already"), "{twice}");
    stop.cancel();
    running.await.unwrap().unwrap();

    let restored = folder.path().join("restored");
    let arguments = |from: &Path, data: &Path| crate::args::RestoreArgs {
        data: crate::args::DataArgs {
            data: data.to_owned(),
        },
        from: from.to_owned(),
        reason: "a new disk".to_owned(),
    };
    let full = restore(arguments(&to, &data))
        .await
        .unwrap_err()
        .to_string();
    assert!(full.contains("is not empty"), "{full}");
    let mut cut = std::fs::read(&to).unwrap();
    cut.truncate(cut.len() / 2);
    let broken = folder.path().join("broken");
    std::fs::write(&broken, cut).unwrap();
    let refused = format!(
        "{:#}",
        restore(arguments(&broken, &restored)).await.unwrap_err()
    );
    assert!(refused.contains("is not used"), "{refused}");
    assert_eq!(std::fs::read_dir(&restored).unwrap().count(), 0);

    let done = restore(arguments(&to, &restored)).await.unwrap();
    assert_eq!(done.began.epoch, 2);
    let hub = open_soon(&restored, CancellationToken::new()).await;
    assert_eq!(hub.term().epoch, 2);
}
