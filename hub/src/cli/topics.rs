//! Topics of `flagship help`: what does not belong to one verb.

/// Name and text of each topic.
pub const TOPICS: &[(&str, &str)] = &[("stop", STOP), ("plan", PLAN), ("exit-codes", EXIT_CODES)];

const STOP: &str = "\
WORDS THAT STOP

  verb      traffic in scope              new starts        who goes on
  pause     stays where it is             none in this      flagship resume
                                          rollout
  abort     unfinished canaries go back,  none in the       flagship lift, which moves nothing;
            Done stays (--hold: all       scope until it    then retry or start, from step 0
            stays; --retreat: Done goes   is lifted
            back too)
  retreat   every cluster of the rollout  -                 it ends RolledBack
            goes back, Done too: traffic
            first and at once
  accept    stays as it is, mixed         allowed again     whoever accepted it

At night:
  flagship abort --fleet --reason 'what you see' --wait

stops everything and draws a line a cluster. Each cluster answers with a signed receipt of the weight
that it read back from every proxy. A cluster that is not heard advances nothing after the time that
the command prints: its lease has ended by then.

Stopped is not fixed: clusters that finished before the abort still serve the version. They are
listed, with the command that takes them back. An abort stands until somebody lifts it, also for
clusters that come back later; two aborts need two lifts. An abort never stops a retreat.
";

const PLAN: &str = "\
A PLAN

  apiVersion: flagship.dev/v1
  kind: Plan
  metadata: {project: shop, name: checkout}
  spec:
    workload: {namespace: shop, kind: Deployment, name: checkout}
    change: {version: {}}               # flagship start checkout --to-version 1.9.0
    canary:                             # a Flagger Canary spec
      analysis:
        interval: 10s
        threshold: 3                    # failed checks until it goes back
        stepWeights: [5, 20, 50]
        metrics:
          - {name: request-success-rate, interval: 30s, thresholdRange: {min: 99}}
          - {name: request-duration, interval: 30s, thresholdRange: {max: 500}}
    waves:
      - name: pilot
        clusters: {matchLabels: {tier: pilot}}
        soak: {for: 30m}
      - name: europe
        clusters: {matchLabels: {region: eu}}
        maxConcurrent: 25%
        soak: {for: 1h}
      - name: rest
        clusters: {}                    # whatever is left
        maxConcurrent: 50%
    onFailure: {maxFailures: 0, then: retreatAll}     # halt | retreatWave | retreatAll
    onDisconnect: {lease: 30s, then: hold}            # hold | retreat (after: 10m) | continue
    unreachable: {wait: 10m, then: skip}              # wait | skip | fail
    deadline: 12h

  flagship lint plan.yaml               checks the form, without a hub
  flagship apply -f plan.yaml --dry-run checks it against the fleet
  flagship apply -f plan.yaml           stores it; running rollouts keep theirs

A cluster belongs to the first wave that matches it. A wave starts when the one before it is done:
every cluster was seen with all its traffic on the new version, and soaked.
";

const EXIT_CODES: &str = "\
EXIT CODES

  0   done; for watch and --wait: it succeeded
  1   something else went wrong
  2   bad input: the command, a file, or a name that is not there
  3   refused: rights, the state of the rollout, or somebody else's claim
  4   the hub cannot be reached
  5   the rollout failed, was rolled back or superseded; an audit log that does not hold
  6   the rollout was aborted
  7   --timeout passed; the rollout goes on

  abort --wait:
  0   every cluster in scope stopped
  10  some did not answer, or are still going back; nothing advances there after the bound
  11  some could not stop: the output says why, and the command that stops them in the cluster
  12  the abort was not stored: order it again
";
