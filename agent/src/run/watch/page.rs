//! The agent's page of metrics: the link, the lease, and each workload of the configuration.

use flagship_proto::{
    model::{Intent, Tick, WorkloadRef},
    process::metrics::{Labels, Page, size, yes},
};

use super::Watched;
use crate::{
    link::{Link, Session},
    platform::Platform,
};

/// The page of this moment.
pub(super) fn page<P: Platform>(watched: &Watched<P>) -> Page {
    let Watched {
        platform,
        link,
        counters,
        tracer,
    } = watched;
    let mut page = Page::new("flagship_agent", env!("CARGO_PKG_VERSION"));
    let of_link = link.see(|link, now| OfLink::of(link, now));
    hub(&mut page, &of_link.unwrap_or_default());
    let trouble = link.is_in_trouble();
    page.gauge(
        "write_failing",
        "1 while what was accepted cannot be kept on disk: nothing advances on it.",
        yes(trouble),
    );
    let names = platform.workloads();
    let seen = link.see(|link, now| {
        let all = names.iter();
        all.filter_map(|name| OfWorkload::of(link, name, now))
            .collect()
    });
    workloads(&mut page, seen.unwrap_or_default());
    proxies(&mut page, platform.as_ref(), &names);
    page.live(
        "checks",
        "Rounds of checks of canaries, by verdict.",
        counters.checks.clone(),
    );
    page.live(
        "events",
        "What canaries told people, by the word of the reason.",
        counters.events.clone(),
    );
    page.live(
        "acts",
        "What the platform was told to do, by how it ended.",
        counters.acts.clone(),
    );
    page.live(
        "hooks",
        "Hooks that were asked, by how they answered.",
        counters.hooks.clone(),
    );
    tracer.show(&mut page);
    page.live(
        "sessions",
        "Sessions with the hub that were opened.",
        counters.sessions.clone(),
    );
    page.live(
        "messages_refused",
        "Messages of the hub that were not taken.",
        counters.refused.clone(),
    );
    page.live(
        "certificate_expiry_timestamp_seconds",
        "When the agent's certificate ends, in seconds since 1970; 0 before it is a member.",
        counters.certificate_ends.clone(),
    );
    page
}

#[derive(Default)]
struct OfLink {
    is_member: bool,
    is_connected: bool,
    is_behind: bool,
    lease_left: Option<f64>,
    aborts: usize,
    complains: bool,
}

impl OfLink {
    fn of(link: &Link, now: Tick) -> Self {
        let (is_connected, is_behind) = match link.session() {
            Session::Welcomed { behind, .. } => (true, *behind),
            Session::Closed | Session::Opened | Session::Greeted | Session::Over(_) => {
                (false, false)
            }
        };
        Self {
            is_member: true,
            is_connected,
            is_behind,
            lease_left: link.lease_left(now).map(|left| left.as_secs_f64()),
            aborts: link.standing_aborts(),
            complains: link.witness().complaint.is_some(),
        }
    }
}

fn hub(page: &mut Page, link: &OfLink) {
    let left = link.lease_left.unwrap_or_default();
    let aborts = size(link.aborts);
    for (name, help, value) in [
        (
            "member",
            "1 once the agent is a member of a fleet.",
            yes(link.is_member),
        ),
        (
            "link_connected",
            "1 while the hub has welcomed the agent's session.",
            yes(link.is_connected),
        ),
        (
            "link_behind",
            "1 while the hub is behind one that was seen before: nothing it orders is taken.",
            yes(link.is_behind),
        ),
        (
            "lease_valid",
            "1 while the cluster may advance: its lease lives.",
            yes(link.lease_left.is_some()),
        ),
        ("lease_left_seconds", "What is left of the lease.", left),
        ("aborts_standing", "Aborts that stand here.", aborts),
        (
            "audit_went_back",
            "1 while entries are missing in the hub's audit log that were shown before.",
            yes(link.complains),
        ),
    ] {
        page.gauge(name, help, value);
    }
}

struct OfWorkload {
    name: String,
    weight: f64,
    seen: Option<f64>,
    phase: String,
    failed: f64,
    in_flight: bool,
    retreat_pending: bool,
    aborted: bool,
    local: bool,
}

impl OfWorkload {
    fn of(link: &Link, name: &WorkloadRef, now: Tick) -> Option<Self> {
        let status = link.last_seen(name)?;
        let ruling = link.permission(name, now);
        let ordered_back = ruling.as_ref().is_some_and(|ruling| match ruling.intent {
            Intent::Retreat | Intent::Remove => true,
            Intent::Run | Intent::Hold => false,
        });
        let is_active = status.phase.is_active();
        // A canary that goes back is Failed from the first moment on, as Flagger has it.
        let returning = matches!(status.reason.as_str(), "Returning" | "CannotReturn");
        let local = link.local_record(name).and_then(|record| record.standing());
        Some(Self {
            name: name.to_string(),
            weight: f64::from(status.weight.get()),
            seen: status.observed.map(|seen| f64::from(seen.get())),
            phase: status.phase.to_string(),
            failed: f64::from(status.failed_checks),
            in_flight: is_active || returning,
            retreat_pending: returning || (is_active && ordered_back),
            aborted: ruling.is_some_and(|ruling| ruling.aborted_by.is_some()),
            local: local.is_some(),
        })
    }

    fn labels(&self) -> Labels {
        vec![("workload", self.name.clone())]
    }
}

fn workloads(page: &mut Page, all: Vec<OfWorkload>) {
    type Value = fn(&OfWorkload) -> Option<f64>;
    let table: [(&str, &str, Value); 7] = [
        (
            "canary_weight",
            "The share of traffic on the change that is wanted, in per cent.",
            |of| Some(of.weight),
        ),
        (
            "canary_weight_seen",
            "The highest share that was read back from the proxies, in per cent.",
            |of| of.seen,
        ),
        (
            "canary_in_flight",
            "1 while a canary has, or may get, traffic on the change.",
            |of| Some(yes(of.in_flight)),
        ),
        (
            "canary_failed_checks",
            "Failed rounds of checks in this run.",
            |of| Some(of.failed),
        ),
        (
            "retreat_pending",
            "1 while traffic is to go back and has not all gone back.",
            |of| Some(yes(of.retreat_pending)),
        ),
        (
            "canary_aborted",
            "1 while an abort counts for what is released here.",
            |of| Some(yes(of.aborted)),
        ),
        (
            "local_control",
            "1 while a hold or a retreat of a person on the spot stands.",
            |of| Some(yes(of.local)),
        ),
    ];
    for (name, help, value) in table {
        let series = all.iter().filter_map(|of| Some((of.labels(), value(of)?)));
        page.gauges(name, help, series.collect::<Vec<_>>());
    }
    let phases = all.iter().map(|of| {
        let mut labels = of.labels();
        labels.push(("phase", of.phase.clone()));
        (labels, 1.0)
    });
    page.gauges(
        "canary_phase",
        "1 for the phase in which the canary is.",
        phases.collect::<Vec<_>>(),
    );
}

fn proxies(page: &mut Page, platform: &impl Platform, names: &[WorkloadRef]) {
    let mut connected = Vec::new();
    let mut behind = Vec::new();
    for name in names {
        let Some(seen) = platform.observe(name) else {
            continue;
        };
        let count = |of: fn(&crate::platform::ProxySeen) -> bool| {
            let found = seen.proxies.iter().filter(|proxy| of(proxy)).count();
            size(found)
        };
        let labels = || vec![("workload", name.to_string())];
        connected.push((labels(), count(|proxy| proxy.connected)));
        behind.push((
            labels(),
            count(|proxy| !proxy.connected || !proxy.acknowledged),
        ));
    }
    page.gauges(
        "proxies_connected",
        "Proxies whose stream is open.",
        connected,
    );
    page.gauges(
        "proxies_behind",
        "Proxies that are away, or have not taken the newest route.",
        behind,
    );
}
