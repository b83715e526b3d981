//! The sample application says its version, fails as told, and counts exactly.

use std::time::Duration;

use super::*;

#[test]
fn a_tenth_of_the_requests_fails_no_more_and_no_fewer() {
    let failed = (0..1_000).filter(|n| behaviour::fails(*n, 0.1)).count();
    assert_eq!(failed, 100);
    assert!((0..100).all(|n| !behaviour::fails(n, 0.0)));
    assert!((0..100).all(|n| behaviour::fails(n, 1.0)));
}

#[test]
fn a_rule_is_read_and_a_wrong_one_is_refused_with_its_words() {
    let rule: Rule = "1.2.0:errors=0.1,latency=300ms,crash-after=2s"
        .parse()
        .unwrap();
    assert_eq!(rule.version, "1.2.0");
    assert_eq!(rule.behaviour.latency, Some(Duration::from_millis(300)));
    assert_eq!(rule.behaviour.crash_after, Some(Duration::from_secs(2)));
    let error = "1.2.0:eror=1".parse::<Rule>().unwrap_err().to_string();
    assert!(
        error.contains("eror=1") && error.contains("errors="),
        "{error}"
    );
}

#[tokio::test]
async fn what_it_served_stands_in_its_file_of_counts() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let port = crate::process::free_port();
    let args = Args {
        version: "1.2.0".to_owned(),
        port,
        when: vec!["1.2.0:errors=0.5".parse().unwrap()],
        counts: Some(folder.path().to_owned()),
    };
    let served = tokio::spawn(run(args, stop.clone()));
    let client = reqwest::Client::new();
    let url = format!("http://127.0.0.1:{port}/");
    let ready = async || client.get(format!("{url}healthz")).send().await.is_ok();
    crate::process::until("the sample listens", Duration::from_secs(5), ready).await;
    for _ in 0..10 {
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.headers()[VERSION_HEADER], "1.2.0");
    }
    let before_the_end = read_counts(folder.path()).unwrap();
    stop.cancel();
    served.await.unwrap().unwrap();
    let counts = read_counts(folder.path()).unwrap();
    assert_eq!(counts, before_the_end, "exact before the end too");
    assert_eq!((counts[0].served(), counts[0].bad()), (10, 5));
    assert!(counts[0].first_bad >= counts[0].first);
}
