//! Topics of `flagship help`: what does not belong to one verb.

/// A topic.
#[derive(Debug)]
pub struct Topic {
    /// The word that is typed.
    pub name: &'static str,
    /// What it is about, in a line.
    pub about: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// The topic of this name.
pub fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}

/// All topics.
pub const TOPICS: &[Topic] = &[
    Topic {
        name: "stop",
        about: "words that stop, and what each does to traffic",
        text: STOP,
    },
    Topic {
        name: "plan",
        about: "how a plan is written",
        text: PLAN,
    },
    Topic {
        name: "gates",
        about: "what must hold before something goes on",
        text: GATES,
    },
    Topic {
        name: "exit-codes",
        about: "how commands end, for scripts",
        text: EXIT_CODES,
    },
    Topic {
        name: "rights",
        about: "roles, where they hold, and who may do what",
        text: RIGHTS,
    },
    Topic {
        name: "limits",
        about: "what a hub lets anybody cost",
        text: LIMITS,
    },
];

const GATES: &str = "\
WHAT MUST HOLD BEFORE SOMETHING GOES ON

  a rollout starts    no abort stands over it; no other rollout holds its clusters (--supersede takes
                      over); the version was not rejected before (--again, with a reason); the plan
                      still fits the fleet
  a wave starts       the wave before it is done; no freeze; the rollout is not paused
  a cluster starts    the wave has a free place (maxConcurrent); its agent is connected; no freeze and no
                      local hold there
  a step is taken     the cluster has a lease (30 s, renewed by the hub) and its order says Run; the checks
                      of spec.canary.analysis passed at the step before
  a wave is done      every cluster was seen with all its traffic on the new version, or is skipped; the
                      soak is over (soak.for); each cluster was heard once more since
  the rollout ends    all waves are done

What closes a gate stands in `flagship explain ROLLOUT` in words: the wave before, a place, a connection,
a person, a freeze. Moving back needs no gate: a failed check, an abort and a retreat wait for nothing.

  A cluster fails     onFailure: more than maxFailures lead to halt, retreatWave or retreatAll
  It is not heard     unreachable: wait, skip it after a time, or fail
  Too long            deadline: counts while it advances, not while it waits for people or a freeze

Approvals, windows, metric, webhook and CEL gates are read from plans and refused as not yet supported.
";

const STOP: &str = "\
WORDS THAT STOP

  verb         traffic in scope                  new starts         who goes on
  pause        stays (Hold)                      none in this       resume
                                                 rollout
  freeze       in flight: Hold                   none in the scope  its end, or unfreeze
  reject       stays                             this wave does     a new decision at the gate
                                                 not start
  abort        unfinished canaries go back;      none until lifted  lift moves nothing; then
               Done stays (--hold: all stays;                       retry or start, from step 0
               --retreat: Done goes back too)
  accept       stays as it is, mixed             allowed again      the person who accepted
  retreat      all clusters of the rollout go    -                  ends RolledBack
               back, Done too: traffic first
               and at once, rebuilding paced
               (--now: not paced; --to DIGEST:
               to another soaked one)
  on the spot  this cluster only, also without   none in this       a release there, or by the hub:
               a hub: hold leaves traffic where  cluster            cluster release
               it is, retreat takes it back

reject needs an approval gate, which plans do not support yet. No freeze, pause or abort delays a
retreat, and no retreat waits for a lift.

At night:
  flagship abort --fleet --reason 'what you see' --wait

stops everything and draws a line a cluster. Without a scope it lists the scopes with what each would
hit; with --dry-run it says who stops, by when, who is outside the bound and what stays Done. Each
cluster answers with a signed receipt of the weight that it read back from every proxy. A cluster that
is not heard advances nothing after the time that the command prints: its lease has ended by then.

Stopped is not fixed: clusters that finished before the abort still serve the version. They are
listed with their share of traffic and the command that takes them back. With --retreat each cluster
gives up what the latest rollout in scope brought it, though that had ended; where a later one was in
flight, what was Done before it stays and is listed. An abort stands until somebody lifts it, also for
clusters that come back later; two aborts need two lifts. Not everything has to be freed at once:
flagship lift ID --except plan/shop/checkout frees all but checkout, which stays stopped.

Freeze for a time, not for an error:
  flagship freeze --project shop --for 2h --reason 'database migration'

What is in flight holds its weight and goes on from there when the freeze ends, by itself or by
flagship unfreeze. Checks go on: a canary that fails goes back, frozen or not.

Without the hub, on a cluster's machine:
  flagship-agent ctl status
  flagship-agent ctl hold|retreat shop/Deployment/checkout
  flagship-agent ctl release shop/Deployment/checkout
";

const RIGHTS: &str = "\
WHO MAY DO WHAT

  role        view   stop   ship   approve   administer   lift
  viewer      yes    -      -      -         -            -
  responder   yes    yes    -      -         -            with --lift
  operator    yes    yes    yes    -         -            with --lift
  approver    yes    -      -      yes       -            with --lift
  admin       yes    yes    yes    yes       yes          yes

  view        read what the role covers
  stop        abort, freeze, pause, retreat: always in the safe direction
  ship        apply and remove plans; start, resume, retry, accept rollouts
  approve     let in what waits for a person: clusters that enrolled with --approval
  administer  tokens; let clusters go
  lift        end an abort, a freeze, or local control of a cluster; a right of its own, so that who
              may stop and ship cannot also undo somebody else's stop

A role holds over everything, or is bound: to projects, and to labels of plans (their rollouts with
them) and of clusters. A token may have several roles:

  flagship token create --name ci --role operator --project shop --expires 90d
  flagship token create --name oncall --role responder --selector region=eu --also viewer

Who is bound sees no other project: it is answered like one that is not there. An abort or a freeze of
the fleet, of a workload everywhere, or of clusters by label needs the right to stop over all that it
covers; the refusal says what may be stopped instead. Aborts and freezes that concern what somebody sees
are shown to them, whoever ordered them. What is of the fleet as a whole (tokens, the whole audit log,
metrics, settings, notifications) is for roles over everything.

A workload belongs to the plan that names it first: who may ship for a project may take one that no plan
names, and whose plan names it then is the only one to ship it everywhere. Apply the plans of all workloads
before tokens for single projects are given away.

Tokens are shown once and kept as hashes; the hub notes when each was last used, to the minute.
`flagship access list` says who may do what.

CERTIFICATES, THE WAY IN WHEN ALL ELSE IS DOWN

  flagship-hub serve … --people-ca people-ca.pem
  flagship token create --certificate --name alice --role responder --lift
  flagship login https://hub:8440 --ca-hash sha256:… --client-cert alice.pem --client-key alice.key

A person's certificate is one of that CA, for client authentication; its subject's one common name is
who they are. What they may do is granted on the hub by that name, and ends with the grant, its time, or
the certificate's. Who leaves, or lost a key, is shut out at once, with what they have open:

  flagship token list                                          the grant that has (certificate) beside it
  flagship token revoke TOKEN --reason 'alice left'

That takes every certificate of the name away, so the CA's lists of revoked ones are not asked. To let the
name in again, grant it anew: it then needs a certificate made since the revocation. Where a request has a
token too, the token counts. Browsers are not let in by certificate. The hub's own CA cannot be the one
for people: agents have its certificates. No certificate is the last way in: one admin token stays.
";

const LIMITS: &str = "\
WHAT A HUB LETS ANYBODY COST

  port for people       2048 connections, 512 of one address, where who shows no token makes room, and
                        who shows one beyond 128 of that token; a handshake within 10 s, a request's
                        head within 15 s (64 headers, 32 KiB), a body within 30 s (64 KiB; of a plan
                        1024 KiB, 4 such of one token at a time); 1536 event streams, 32 of one token;
                        who takes nothing of an answer is cut after 30 s
  reads                 32 of one token until their answers were taken, 1 of the whole audit log; they
                        take turns, and who may stop has turns of their own; 429 says when to ask again
  stops                 2000 freezes, pauses and repeated retreats of one token, then 60 a minute; aborts,
                        and retreats of what has not gone back yet, are never refused for their number
  lifts                 256 of one token, then 6 a minute
  idempotency keys      5000 of one token for a day; beyond that its own oldest are forgotten
  wrong tokens          30 of one address, then 10 a minute: the answer is 429. A right token always
                        passes, from the same address too
  port for agents       TLS 1.3 only; 20000 connections, 8 of one cluster; 256 handshakes at a time, 128
                        of one address, each within 10 s; 128 connections without a certificate, 64 of
                        one address, for 60 s
  a session             500 messages or 2000 KiB a second in the long run, 4000 messages at once, 1024 KiB
                        each; 60 sessions a minute; 4096 workloads, which it has or was ordered to
                        release; 16 MiB of what it reports of them; 512 bytes of a version; who takes
                        nothing is cut after 20 s, who says nothing after three leases
  aborts                64 may stand that stop less than a project, 32 of them of one author, and two
                        of one scope and mode; 640 KiB of all, 64 KiB of them of one author; 4 in 8 KiB
                        of each author fit whatever others stop; a lift leaves no more of them
  freezes               32 of one author may stand that freeze less than a project, and 8 of one scope:
                        who freezes it longer then gives the last a later end; what ends no later than
                        one's own that stands is that one
  enrolment             20 refused requests of one address, then 10 a minute; 20 renewals of one cluster,
                        then 1 a minute

Who goes beyond is refused or cut; others do not notice. Refusals and misbehaving agents are in the
audit log (token.refuse, enrol.refuse, agent.offence): a few of each, with how many were left out. An
address is an IPv4 address, or the first 64 bits of an IPv6 address.

Data folders of hub and agent are for their own user. What stands open to others at a start is closed,
with a warning; where that is not possible, the start is refused.
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
    unreachable: {wait: 10m, then: skip, quorum: 80%} # skip | fail; a wave needs 80% of its clusters
    deadline: 12h

  flagship lint plan.yaml                checks the form, without a hub
  flagship apply -f plan.yaml --dry-run  checks it against the fleet
  flagship apply -f plan.yaml            stores it; running rollouts keep theirs

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
  8   diff and apply --dry-run: something would change; nothing was stored

  abort --wait:
  0   every cluster in scope stopped
  10  some did not answer, or are still going back; nothing advances there after the bound
  11  some could not stop: the output says why, and the command that stops them in the cluster
  12  the abort was not stored: order it again, or stop each cluster with flagship-agent ctl
";

#[cfg(test)]
mod tests {
    use flagship_proto::model::{LONGEST_VERSION, MOST_WORKLOADS};

    use super::*;
    use crate::{
        api::{
            costs::{READERS, READERS_OF_ONE, VISITS_OF_ONE, WRONG_TOKENS},
            head::LARGEST_HEAD,
            turns::{BODY_DEADLINE, LARGE_BODY, LARGE_OF_ONE, READS_OF_ONE, SMALL_BODY},
        },
        door::Limits,
        fleet::{MOST_REPORTED, PAGE, SPEECH},
        ops::{
            FREEZES_OF_AUTHOR, LIFTS, MOST_OF_ONE, SAME_FREEZES, STOPS,
            room::{
                ASSURED, ASSURED_BYTES, BYTES_OF_AUTHOR, MOST_BYTES, MOST_OF_AUTHOR, MOST_STANDING,
            },
        },
    };

    #[test]
    fn the_limits_that_are_told_are_those_that_hold() {
        let (people, agents) = (Limits::PEOPLE, Limits::AGENTS);
        let strangers = agents.strangers.unwrap();
        let speech = SPEECH.per_minute / 60;
        for told in [
            format!(
                "{} connections, {} of one address",
                people.connections, people.per_address
            ),
            format!(
                "{} KiB; of a plan\n                        {} KiB, {LARGE_OF_ONE} such of one token",
                SMALL_BODY / 1024,
                LARGE_BODY / 1024
            ),
            format!("a body within {} s", BODY_DEADLINE.as_secs()),
            format!("(64 headers, {} KiB)", LARGEST_HEAD / 1024),
            format!("{READS_OF_ONE} of one token until"),
            format!(
                "{} freezes, pauses and repeated retreats of one token, then {} a minute",
                STOPS.burst, STOPS.per_minute
            ),
            format!(
                "{} of one token, then {} a minute\n",
                LIFTS.burst, LIFTS.per_minute
            ),
            format!("{FREEZES_OF_AUTHOR} of one author may stand that freeze less than a project"),
            format!("and {SAME_FREEZES} of one scope:"),
            format!("{MOST_OF_ONE} of one token for a day"),
            format!("beyond {VISITS_OF_ONE} of that token"),
            format!("{READERS} event"),
            format!("{READERS_OF_ONE} of one token"),
            format!("cut after {} s", people.stall.as_secs()),
            format!(
                "{} of one address, then {} a minute: the answer is 429",
                WRONG_TOKENS.burst, WRONG_TOKENS.per_minute
            ),
            format!(
                "{} connections, {} of one cluster",
                agents.connections, agents.per_member
            ),
            format!(
                "{} handshakes at a time, {}",
                agents.handshakes, agents.handshakes_per_address
            ),
            format!(
                "{} connections without a certificate, {} of",
                strangers.at_once, strangers.per_address
            ),
            format!("for {} s", strangers.stay.as_secs()),
            format!(
                "{speech} messages or {} KiB a second",
                speech as usize * PAGE / 1024
            ),
            format!("{} messages at once", SPEECH.burst),
            format!(
                "{MOST_STANDING} may stand that stop less than a project, {MOST_OF_AUTHOR} of them"
            ),
            format!(
                "{} KiB of all, {} KiB of them of one author; {ASSURED} in {} KiB\n",
                MOST_BYTES / 1024,
                BYTES_OF_AUTHOR / 1024,
                ASSURED_BYTES / 1024
            ),
            format!("{MOST_WORKLOADS} workloads"),
            format!("{} MiB of what it reports", MOST_REPORTED >> 20),
            format!("{LONGEST_VERSION} bytes of a version"),
        ] {
            assert!(LIMITS.contains(&told), "{told}");
        }
    }
}
