//! What stands over a rollout, as who does not see all of it is told.

use super::{
    fixture::Api,
    rights::names::id,
    sight::{binding, in_two_regions, stop},
};
use crate::{
    auth::{Grants, Role},
    records::{RolloutRow, key},
    store::Txn,
};

#[tokio::test]
async fn a_stop_or_freeze_that_is_not_seen_is_in_no_banner_and_no_step_of_a_rollout_that_is() {
    let api = Api::new().await;
    in_two_regions(&api).await;
    let admin = api.token(Role::Admin).await;
    let name = key::rollout(&"shop".parse().unwrap(), &"checkout-1".parse().unwrap());
    let mut row = api.read::<RolloutRow>(&name).to_value();
    let label = ("team".to_owned(), "payments".to_owned());
    row.plan.metadata.labels.extend([label]);
    api.commit(Txn::new().put(&row)).await;
    let row = api.read::<RolloutRow>(&name);
    let mut none = row.to_value();
    none.state.clusters.clear();
    let why = [("flagship-reason", "a secret of the us")];
    for path in ["/api/v1/aborts", "/api/v1/freezes"] {
        let id = id(&api.post_with(path, &admin, &stop("us"), &why).await);
        let team = Grants(vec![binding(Role::Viewer, "team", "payments")]);
        for (grants, tells) in [(team, false), (Grants::everything(), true)] {
            let view = api.rollout_for(&grants, &row);
            let said = format!("{:?} {:?}", view.banners, view.next_steps);
            assert_eq!(said.contains(&id), tells, "{said}");
            assert_eq!(said.contains("secret"), tells, "{said}");
            let beside = format!("{:?}", api.beside(&grants, &none, &row));
            assert_eq!(beside.contains(&id), tells, "{beside}");
        }
    }
}
