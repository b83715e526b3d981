// What stands over the fleet, and its clusters: who is connected, when each was last heard, what it runs.

import { byId, className, el, say, sayOrHide, sayProblem, sync } from "./dom.js";
import { get, query } from "./hub.js";
import { Pages } from "./pages.js";
import { ago, bannerRemedy, bannerWord, clock, count, heard, several, tone } from "./words.js";

const PAGE = 50;

/** Standing aborts and freezes, above everything else; an abort leads to its receipts. */
export function showBanners(banners, openAbort) {
  const make = ({ kind, id }) => {
    const banner = el("div", { className: `banner ${kind.startsWith("freeze") ? "cold" : "hot"}` },
      el("p", {}, el("strong"), " ", el("span"), " ", el("span", { className: "age", "aria-live": "off" })),
      el("p", { className: "remedy" }));
    if (kind === "abort" || kind === "lifted") {
      const button = el("button", { type: "button", textContent: "Receipts", "aria-haspopup": "dialog", "aria-label": `Receipts of abort ${id}` });
      button.addEventListener("click", () => openAbort(id));
      banner.append(button);
    }
    return banner;
  };
  sync(byId("banners"), banners, ({ kind, id }) => `${kind} ${id}`, make, (banner, { kind, text, since, remedy }) => {
    const [word, what, age] = banner.firstElementChild.children;
    say(word, bannerWord(kind));
    say(what, text);
    say(age, `(since ${clock(since)}, ${ago(since)})`);
    say(banner.children[1], `${bannerRemedy(kind)}: ${remedy}`);
  });
}

/** The fleet at a glance. */
export function showCounts(status) {
  say(byId("fleet-count"), `${status.connected} of ${count(status.clusters, "cluster")} connected`);
  sayOrHide(byId("fleet-away"), status.notHeard.length > 0 ? `not heard: ${several(status.notHeard.map(silent))}` : "");
  const waiting = `waiting for approval: ${several(status.pending)} (flagship cluster approve NAME)`;
  sayOrHide(byId("fleet-pending"), status.pending.length > 0 ? waiting : "");
  say(byId("hub"), `Fleet ${status.fleet}, hub ${status.version}, term ${status.term}`);
}

const silent = (one) => `${one.cluster} (${heard(one)})`;

export class Clusters {
  constructor(changed) {
    this.selector = "";
    this.pages = new Pages("fleet-pages", PAGE, changed);
    byId("fleet-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.selector = byId("fleet-selector").value.trim();
      this.pages.first();
      changed();
    });
  }

  async refresh() {
    let list;
    try {
      list = await get(`/api/v1/clusters${query({ selector: this.selector, ...this.pages.asked() })}`);
    } catch (error) {
      // Only what was typed can be wrong here.
      if (error.kind !== "refused") throw error;
      sayProblem(byId("fleet-problem"), error);
      return;
    }
    sayProblem(byId("fleet-problem"), null);
    this.pages.took(list);
    const none = this.selector ? "No cluster is like that." : "No cluster has joined yet: flagship token create --cluster NAME";
    sayOrHide(byId("fleet-empty"), list.items.length === 0 ? none : "");
    sync(byId("fleet"), list.items, (cluster) => cluster.uid, makeCluster, updateCluster);
  }
}

function makeCluster() {
  return el("li", { className: "row cluster" },
    el("span", { className: "row-name" }), el("span"), el("span", { className: "quiet labels" }),
    el("span", { className: "row-text" }), el("span", { className: "row-why" }));
}

function updateCluster(row, cluster) {
  const [name, state, labels, runs, text] = row.children;
  say(name, cluster.name);
  const isWell = cluster.state === "Active";
  const word = isWell ? (cluster.connected ? "connected" : "not connected") : cluster.state;
  say(state, cluster.connected ? word : `${word}, heard ${heard(cluster)}`);
  className(state, `state ${isWell ? (cluster.connected ? "good" : "warn") : tone(cluster.state)}`);
  say(labels, Object.entries(cluster.labels).map(([key, value]) => `${key}=${value}`).join(", "));
  say(runs, cluster.workloads.map(running).join(" · "));
  const notes = isWell && cluster.connected ? [] : [cluster.text];
  for (const { local } of cluster.workloads) if (local) notes.push(`${local.text} (since ${clock(local.since)}); to end it: ${local.remedy}`);
  sayOrHide(text, notes.join(" · "));
}

function running(workload) {
  let text = `${workload.workload} ${workload.version ?? "?"}`;
  if (workload.weight > 0 && workload.weight < 100) text += ` (${workload.weight}% on the change)`;
  if (workload.local) text += ` (local ${workload.local.verb})`;
  return text;
}
