//! What is offered above everything else can be typed as it stands.

use clap::Parser as _;
use serde_json::Value;

use super::{fixture::Api, serving::half_way};
use crate::{auth::Role, cli::args::Cli};

#[tokio::test]
async fn of_many_aborts_some_are_named_and_every_command_that_is_offered_can_be_typed() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    half_way(&api, &token).await;
    for number in 0..20 {
        let scope =
            format!(r#"{{"scope":{{"kind":"selector","of":{{"names":["us-1","x-{number}"]}}}}}}"#);
        let abort = api.post_with("/api/v1/aborts", &token, &scope, &[]).await;
        assert_eq!(abort.status, 200, "{}", abort.body);
    }
    let of_one = "/api/v1/projects/shop/rollouts/checkout-1";
    for path in ["/api/v1/status", of_one] {
        let view: Value = serde_json::from_str(&api.get(path, &token).await).unwrap();
        let banners = view["banners"].as_array().unwrap();
        let of_kind = |kind: &str| banners.iter().filter(|one| one["kind"] == kind).count();
        assert_eq!((of_kind("abort"), of_kind("aborts")), (16, 1), "{view}");
        let remedies = banners
            .iter()
            .flat_map(|one| one["remedy"].as_str().unwrap().lines());
        for remedy in remedies.filter(|remedy| remedy.starts_with("flagship ")) {
            let (command, _) = remedy.split_once('#').unwrap_or((remedy, ""));
            let typed = Cli::try_parse_from(command.split_whitespace());
            assert!(typed.is_ok(), "{remedy}: {:?}", typed.err());
            // `abort` takes a scope where no verb of its own is meant.
            assert!(!command.contains("abort list"), "{remedy}");
        }
    }
}
