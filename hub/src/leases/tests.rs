//! A hub that starts with shorter leases than a former one gave.

use flagship_proto::model::{HubIncarnation, Mono};

use super::*;
use crate::leader::{draw_fleet, found, take};

const SHORT: Duration = Duration::from_secs(3);
const LONG: Duration = Duration::from_secs(120);

fn at(seconds: u64) -> Tick {
    let begin = Tick {
        wall: "2026-01-01T00:00:00Z".parse().unwrap(),
        mono: Mono { run: 1, millis: 0 },
    };
    begin.plus(Duration::from_secs(seconds))
}

async fn start(store: &Store, lease: Duration) -> Leadership {
    let hub = HubIncarnation("a".to_owned());
    take(store, hub, lease, at(0).wall).await.unwrap()
}

#[tokio::test]
async fn p05_a_hub_that_gives_shorter_leases_reckons_with_the_longer_ones_until_they_have_run_out()
{
    let store = Store::memory();
    found(&store, draw_fleet(), "fleet.example", at(0).wall)
        .await
        .unwrap();
    assert_eq!(start(&store, LONG).await.longest, LONG);
    // Each start may be a moment after a lease was given.
    for _ in 0..2 {
        let led = start(&store, SHORT).await;
        let leases = Leases::after(SHORT, led.longest, at(0));
        assert_eq!(leases.longest(at(0)), LONG);
        assert_eq!(leases.longest(at(126)), LONG, "126.2 s is their bound");
        assert_eq!(leases.longest(at(127)), SHORT);
    }
    let led = start(&store, SHORT).await;
    let before = store.audit_head().count;
    forget_longer(&store, &led, SHORT, at(127).wall)
        .await
        .unwrap();
    assert_eq!(store.audit_head().count, before + 1, "it is written down");
    let led = start(&store, SHORT).await;
    assert_eq!(led.longest, SHORT, "they are forgotten");
    assert_eq!(Leases::after(SHORT, led.longest, at(0)), Leases::of(SHORT));
    forget_longer(&store, &led, SHORT, at(128).wall)
        .await
        .unwrap();
    assert_eq!(store.audit_head().count, before + 2, "once");
}
