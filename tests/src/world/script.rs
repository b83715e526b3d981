//! Plans for a World.

/// A plan over the clusters of a World: pilots, then `region: eu`, then the rest.
pub const PLAN: &str = "
apiVersion: flagship.dev/v1
kind: Plan
metadata: {project: shop, name: checkout}
spec:
  workload: {namespace: shop, kind: Deployment, name: checkout}
  change: {version: {}}
  canary:
    analysis:
      interval: 2s
      threshold: 2
      stepWeight: 25
      maxWeight: 50
      metrics:
        - {name: request-success-rate, thresholdRange: {min: 99}, interval: 2s, minRequests: 10}
  waves:
    - {name: pilot, clusters: {matchLabels: {tier: pilot}}, soak: {for: 5s}}
    - {name: europe, clusters: {matchLabels: {region: eu}}, maxConcurrent: 1, soak: {for: 5s}}
    - {name: rest, clusters: {}, maxConcurrent: 50%}
";

/// The same with a canary that is in flight for minutes, longer than a lease lasts.
pub fn slow_plan() -> String {
    PLAN.replace("interval: 2s", "interval: 12s")
        .replace("stepWeight: 25", "stepWeight: 5")
}
