// An abort after it was ordered: who has stopped, who has not, by when, and what is still to be fixed.

import { byId, className, el, lines, say, sayOrHide, sayProblem, sync } from "./dom.js";
import { get, path } from "./hub.js";
import { ABORT_WORDS, ago, clock, count, given, modeWords, several, span, tone } from "./words.js";

/** So many clusters are written out, those that did not stop first. */
const WRITTEN = 200;
const RANKS = Object.keys(ABORT_WORDS);

export class Receipts {
  constructor(changed) {
    this.id = null;
    this.dialog = byId("receipts");
    this.dialog.querySelector("button[value=close]").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => {
      this.id = null;
    });
    this.changed = changed;
  }

  /** Opens the page of an abort; with its view where that is there already. */
  show(id, view) {
    this.id = id;
    say(byId("receipts-title"), `Abort ${id}`);
    if (view) this.draw(view);
    if (!this.dialog.open) this.dialog.showModal();
    byId("receipts-title").focus();
    this.changed();
  }

  /** Whether something may still change by the passing of time alone. */
  isWaiting() {
    return this.id !== null && this.isStopping;
  }

  async refresh() {
    if (this.id === null) return;
    const asked = this.id;
    let view;
    try {
      view = await get(path("aborts", asked));
    } catch (error) {
      if (error.kind !== "refused") throw error;
      sayProblem(byId("receipts-problem"), error);
      return;
    }
    if (this.id === asked) this.draw(view);
  }

  draw(view) {
    this.isStopping = view.standing && ["stopping", "bounded"].includes(view.outcome);
    sayProblem(byId("receipts-problem"), null);
    say(byId("receipts-title"), `Abort ${view.id} stops ${view.scope}: ${modeWords(view.mode)}`);
    lines(byId("receipts-head"), "p", head(view));
    const summary = byId("receipts-summary");
    say(summary, view.summary);
    className(summary, `summary ${tone(view.outcome)}`);
    const clusters = view.clusters.toSorted((one, other) => RANKS.indexOf(one.state) - RANKS.indexOf(other.state));
    sync(byId("receipts-clusters"), clusters.slice(0, WRITTEN), ({ uid }) => uid, makeCluster, updateCluster);
    const more = clusters.length - WRITTEN;
    sayOrHide(byId("receipts-more"), more > 0 ? `… and ${count(more, "more cluster")}` : "");
    const rest = [
      ...serving("Stopped is not fixed", view.notFixed),
      ...serving("Out of scope and not taken back", view.heldWith ?? []),
    ];
    if (view.stays) rest.push(view.stays);
    lines(byId("receipts-not-fixed"), "p", rest);
  }
}

function head(view) {
  const texts = [`ordered at ${clock(view.at)} by ${view.actor}: ${given(view.reason)}`];
  if (view.takenBack?.length) texts.push(`ended, goes back: ${several(view.takenBack)}`);
  if (!view.durable) texts.push("NOT STORED: it was sent to whoever is connected, but the store could not be written; order it again");
  const lift = view.lifted;
  if (lift) texts.push(`${view.standing ? "is lifted and ends at" : "lifted at"} ${clock(lift.at)}, by ${lift.actor}: ${given(lift.reason)}`);
  if (view.standing) texts.push(`nothing advances anywhere in scope after ${clock(view.boundAt)} (${span(view.boundMs)} after the order), heard or not`);
  if (view.standing && !lift) {
    texts.push(`It stands until somebody lifts it (${ago(view.at)} so far): ${view.remedy}`);
  }
  return texts;
}

function makeCluster() {
  return el("li", { className: "row receipt" },
    el("span", { className: "row-name" }), el("span"), el("span", { className: "weight" }),
    el("span", { className: "row-text" }), el("span", { className: "row-why" }));
}

function updateCluster(row, cluster) {
  const [name, state, after, text, local] = row.children;
  say(name, cluster.cluster);
  say(state, ABORT_WORDS[cluster.state] ?? cluster.state);
  className(state, `state ${cluster.state === "done" ? "warn" : tone(cluster.state)}`);
  say(after, cluster.afterMs === undefined ? "" : `${cluster.afterMs} ms`);
  say(text, cluster.text);
  sayOrHide(local, cluster.localCommand ? `to stop it there: ${cluster.localCommand}` : "");
}

/** Who still serves what was aborted, and what takes it back. */
function serving(title, clusters) {
  if (clusters.length === 0) return [];
  const serve = clusters.length === 1 ? "serves" : "serve";
  const texts = [`${title}: ${count(clusters.length, "cluster")} still ${serve} what was aborted`];
  for (const one of clusters.slice(0, 20)) {
    const share = one.share === undefined ? "" : ` with ${one.share}% of its traffic`;
    const how = [one.done ? (one.soaked ? "done" : "done, not soaked") : "in flight", one.unheard, one.stuck];
    texts.push(`${one.cluster} serves ${one.version ?? "the change"} of ${one.workload}${share}, ${how.filter(Boolean).join(", ")}`);
  }
  if (clusters.length > 20) texts.push(`and ${clusters.length - 20} more`);
  const commands = [...new Set(clusters.map((one) => one.command))].sort();
  const isSaid = (command) => commands.some((other) => other.startsWith(`${command}   # then `));
  for (const command of commands) if (!isSaid(command)) texts.push(`to take them back: ${command}`);
  return texts;
}
