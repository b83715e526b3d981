//! What is offered above everything else, where much stands.

use serde_json::Value;

use super::{fixture::Api, serving::half_way};
use crate::auth::Role;

#[tokio::test]
async fn of_many_aborts_some_are_named_and_the_rest_is_counted_with_what_lists_them() {
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
        let more = banners.iter().find(|one| one["kind"] == "aborts").unwrap();
        assert_eq!(
            more["remedy"], "flagship get aborts",
            "`abort` takes a scope"
        );
        assert_eq!(more["text"], "4 more aborts stand");
    }
}
