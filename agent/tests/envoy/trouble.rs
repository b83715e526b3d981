//! Processes that crash, Envoys that refuse or are not there, requests that take long.

use std::time::Duration;

use flagship_agent::platform::{Act, Platform as _};
use flagship_canary::{Direction, Revision, Scale};

use crate::cluster::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loop_is_told_with_exit_code_and_last_lines() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    cluster.ensure("2-crash", Scale::Canary).await;
    let seen = cluster
        .until("a crash loop", |seen| {
            seen.versions["2-crash"].crash_loop.is_some()
        })
        .await;
    let words = seen.versions["2-crash"].crash_loop.clone().unwrap();
    assert!(words.contains("exited with code 3"), "{words}");
    assert!(
        words.contains("cannot find the table \"orders\""),
        "{words}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_whose_command_is_missing_says_so() {
    let change = |config: &mut flagship_agent::platform::envoy::WorkloadConfig| {
        config.command[0] = "/none/app-{version}".to_owned();
    };
    let Some(cluster) = Cluster::with(&["envoy"], change).await else {
        return;
    };
    cluster.ensure("2.0.0", Scale::Canary).await;
    let seen = cluster
        .until("why", |seen| {
            seen.versions
                .get("2.0.0")
                .is_some_and(|v| v.not_startable.is_some())
        })
        .await;
    let words = seen.versions["2.0.0"].not_startable.clone().unwrap();
    assert!(
        words.contains("/none/app-2.0.0") && words.contains("missing"),
        "{words}"
    );
}

/// As a deployment of files does it: what is named is there a while later, and then it is another file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_could_not_be_started_starts_by_itself_once_that_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let wrapper = folder.path().join("app");
    let change = |config: &mut flagship_agent::platform::envoy::WorkloadConfig| {
        let command = std::mem::take(&mut config.command);
        let first = std::iter::once(wrapper.to_str().unwrap().to_owned());
        config.command = first.chain(command).collect();
    };
    let Some(cluster) = Cluster::with(&["envoy"], change).await else {
        return;
    };
    let write = |text: &str| {
        std::fs::write(&wrapper, text).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&wrapper, executable).unwrap();
    };
    let good = "#!/bin/sh\nexec \"$@\"\n";
    write(good);
    let ordered = cluster
        .platform()
        .identify(&cluster.workload, "2.0.0")
        .await;
    let digest = ordered.unwrap().digest;
    let ensure = |digest| Act::EnsureVersion {
        revision: Revision {
            version: "2.0.0".to_owned(),
            digest,
        },
        scale: Scale::Canary,
    };
    write("#!/bin/sh\n# another build\nexec \"$@\"\n");
    cluster.act(ensure(digest)).await.unwrap();
    let why = |seen: &flagship_agent::platform::Seen| {
        let version = seen.versions.get("2.0.0")?;
        version.not_startable.clone()
    };
    let seen = cluster.until("why", |seen| why(seen).is_some()).await;
    assert!(why(&seen).unwrap().contains("was ordered"), "{seen:?}");
    std::fs::remove_file(&wrapper).unwrap();
    let is_missing = |seen: &flagship_agent::platform::Seen| {
        why(seen).is_some_and(|why| why.contains("missing"))
    };
    cluster.until("another reason", is_missing).await;
    write(good);
    cluster
        .until("it runs", |seen| seen.versions["2.0.0"].ready == 1)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_22_a_canary_that_dies_loses_its_weight_at_once_and_does_not_get_it_back() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    cluster.with_primary().await;
    cluster.ready("1.1.0", Scale::Canary).await;
    cluster.settle("1.0.0", Some("1.1.0"), 50).await;
    let dead = cluster.pid("1.1.0");
    cluster.signal(dead, "KILL");
    let seen = cluster
        .until("the weight is 0", |seen| {
            seen.route
                .told
                .as_ref()
                .is_some_and(|route| route.weight.get() == 0)
                && seen.proxies.iter().all(|proxy| proxy.acknowledged)
        })
        .await;
    assert!(
        seen.route
            .trouble
            .unwrap()
            .contains("1.1.0 has no ready process")
    );
    assert_eq!(
        cluster.requests(30).await,
        [("1.0.0".to_owned(), 30)].into()
    );
    cluster
        .until("it runs again", |seen| seen.versions["1.1.0"].ready == 1)
        .await;
    assert_ne!(cluster.pid("1.1.0"), dead);
    assert_eq!(
        cluster.requests(30).await,
        [("1.0.0".to_owned(), 30)].into()
    );
    cluster.settle("1.0.0", Some("1.1.0"), 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_envoy_refuses_is_told_in_its_own_words() {
    let change = |config: &mut flagship_agent::platform::envoy::WorkloadConfig| {
        // Reserved for documentation: no interface has it.
        config.listener.address = "203.0.113.7".parse().unwrap();
    };
    let Some(cluster) = Cluster::with(&["envoy"], change).await else {
        return;
    };
    cluster.ready("1.0.0", Scale::Full).await;
    cluster
        .route(("1.0.0", None, 0), Direction::Advance)
        .await
        .unwrap();
    let seen = cluster
        .until("a refusal", |seen| seen.proxies[0].refused.is_some())
        .await;
    let words = seen.route.trouble.unwrap();
    assert!(words.contains("Envoy envoy refused"), "{words}");
    assert!(
        words.contains("annot assign requested address") || words.contains("cannot bind"),
        "{words}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_24_an_envoy_that_does_not_answer_keeps_a_version_from_its_end() {
    let Some(cluster) = Cluster::with(&["edge-1", "edge-2"], |_| {}).await else {
        return;
    };
    cluster.with_primary().await;
    cluster.ready("1.1.0", Scale::Canary).await;
    let seen = cluster.settle("1.0.0", Some("1.1.0"), 50).await;
    assert_eq!(seen.route.proxies, 2);
    let stuck = cluster.envoy_pid("edge-2");
    cluster.signal(stuck, "STOP");
    cluster
        .route(("1.0.0", None, 0), Direction::Retreat)
        .await
        .unwrap();
    let version = "1.1.0".to_owned();
    cluster.act(Act::StopVersion { version }).await.unwrap();
    cluster
        .until("only one Envoy is known to have stopped", |seen| {
            let stopped = |index: usize| seen.proxies[index].acknowledged;
            let told = seen
                .route
                .trouble
                .as_ref()
                .is_some_and(|words| words.contains("edge-2"));
            stopped(0) && !stopped(1) && told
        })
        .await;
    assert!(std::path::Path::new(&format!("/proc/{}", cluster.pid("1.1.0"))).exists());
    assert!(cluster.seen().versions.contains_key("1.1.0"));

    cluster.signal(stuck, "CONT");
    cluster
        .until("the version has ended", |seen| {
            !seen.versions.contains_key("1.1.0")
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_20_the_last_requests_of_a_version_are_answered_before_it_ends() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    cluster.with_primary().await;
    cluster.ready("1.1.0", Scale::Canary).await;
    cluster.settle("1.0.0", Some("1.1.0"), 100).await;
    let url = format!(
        "http://127.0.0.1:{}/wait/1500",
        cluster.config.workloads[0].listener.port
    );
    let mut long = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let call = cluster.client.get(&url).send();
        long.spawn(async move { call.await.unwrap().text().await.unwrap() });
    }
    cluster
        .until("the requests are in flight", |seen| {
            seen.versions["1.1.0"].in_flight == Some(10)
        })
        .await;
    cluster
        .route(("1.0.0", None, 0), Direction::Retreat)
        .await
        .unwrap();
    let version = "1.1.0".to_owned();
    cluster.act(Act::StopVersion { version }).await.unwrap();
    cluster
        .until("1.1.0 has ended", |seen| {
            !seen.versions.contains_key("1.1.0")
        })
        .await;
    let answers = tokio::time::timeout(Duration::from_secs(10), long.join_all())
        .await
        .unwrap();
    assert_eq!(answers, vec!["1.1.0"; 10]);
}
