//! What Envoy answers, word for word, and what is read from it.

use super::*;

fn routes(routes: &str) -> ReadBack {
    let dump = format!(
        r#"{{"configs":[{{"@type":"x","version_info":"1","route_config":{{"name":"checkout","virtual_hosts":[{{"name":"v","domains":["*"],"routes":[{routes}]}}]}}}}]}}"#
    );
    let mut read = ReadBack::default();
    read.add(dump.as_bytes()).unwrap();
    read
}

#[test]
fn trap_02_read_back_looks_at_every_rule_that_names_the_canary() {
    let zero = r#"{"match":{"prefix":"/"},"route":{"weighted_clusters":{"clusters":[{"name":"p","weight":100},{"name":"c","weight":0}]}}}"#;
    assert_eq!(routes(zero).share("c"), 0);
    assert_eq!(routes(zero).share("p"), 100);
    let cookie =
        r#"{"match":{"prefix":"/","headers":[{"name":"cookie"}]},"route":{"cluster":"c"}}"#;
    assert_eq!(routes(&format!("{cookie},{zero}")).share("c"), 100);
    let mirror = r#"{"match":{"prefix":"/"},"route":{"cluster":"p","request_mirror_policies":[{"cluster":"c","runtime_fraction":{"default_value":{"numerator":23}}}]}}"#;
    assert_eq!(routes(mirror).share("c"), 23);
    let mirror_all = r#"{"match":{"prefix":"/"},"route":{"cluster":"p","request_mirror_policies":[{"cluster":"c"}]}}"#;
    assert_eq!(routes(mirror_all).share("c"), 100);
    let header = r#"{"match":{"prefix":"/"},"route":{"cluster_header":"x-to"}}"#;
    assert_eq!(routes(header).share("c"), 100);
    assert!(routes(zero).has("checkout"));
}

#[test]
fn a_share_that_is_not_nothing_never_reads_as_nothing() {
    let thousands = r#"{"route":{"weighted_clusters":{"clusters":[{"name":"p","weight":9999},{"name":"c","weight":1}]}}}"#;
    assert_eq!(routes(thousands).share("c"), 1);
}

#[test]
fn trap_13_what_users_saw_is_5xx_of_completed_and_retries_are_apart() {
    let answer = r#"{"stats":[
        {"name":"cluster.a.b@abcdef12.upstream_rq_5xx","value":5},
        {"name":"cluster.a.b@abcdef12.upstream_rq_active","value":1},
        {"name":"cluster.a.b@abcdef12.upstream_rq_completed","value":13},
        {"name":"cluster.a.b@abcdef12.upstream_rq_retry","value":26},
        {"name":"cluster.a.b@abcdef12.grpc.14","value":2},
        {"name":"cluster.a.b@abcdef12.grpc.5","value":7},
        {"name":"server.uptime","value":7},
        {"histograms":[{"name":"cluster.a.b@abcdef12.upstream_rq_time","buckets":[
            {"upper_bound":0.5,"interval":0,"cumulative":0},{"upper_bound":3e+05,"interval":1,"cumulative":13}]}]}]}"#;
    let reading = Reading::parse(answer.as_bytes()).unwrap();
    let counters = &reading.clusters["a.b@abcdef12"];
    assert_eq!((counters.completed, counters.bad()), (13, 7));
    assert_eq!((counters.retries, counters.active), (26, 1));
    assert_eq!(counters.latency, [(0.5, 0), (300_000.0, 13)]);
    assert_eq!(reading.uptime, Duration::from_secs(7));
}

#[test]
fn requests_in_flight_are_counted_by_host() {
    let answer = r#"{"cluster_statuses":[{"name":"c","host_statuses":[
        {"address":{"socket_address":{"address":"127.0.0.1","port_value":1}},"stats":[{"type":"GAUGE","name":"rq_active","value":"3"},{"name":"rq_total","value":"9"}]},
        {"address":{"socket_address":{"address":"127.0.0.1","port_value":2}},"stats":[{"type":"GAUGE","name":"rq_active"}]}]}]}"#;
    assert_eq!(active_in(answer.as_bytes(), 1), Ok(3));
    assert_eq!(active_in(answer.as_bytes(), 2), Ok(0));
}
