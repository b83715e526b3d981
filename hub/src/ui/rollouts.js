// Rollouts, the newest first: what each waits for, its waves, and in an open one each cluster with its
// weight and its reason.

import { byId, className, el, lines, say, sayOrHide, sync } from "./dom.js";
import { get, path, query } from "./hub.js";
import { Pages } from "./pages.js";
import { ago, clock, count, heard, span, tone, why } from "./words.js";

const PAGE = 20;
/** So many clusters of a wave are written out; of more, those that have nothing to say are counted. */
const WRITTEN = 50;
/** So many rollouts are kept up to date cluster by cluster. */
const OPEN = 5;

const nameOf = (rollout) => `${rollout.project}/${rollout.id}`;

export class Rollouts {
  constructor(changed) {
    this.changed = changed;
    this.open = new Set();
    this.closed = new Set();
    this.pages = new Pages("rollouts-pages", PAGE, changed);
    this.onlyOpen = byId("only-open");
    this.onlyOpen.addEventListener("change", () => {
      this.pages.first();
      changed();
    });
  }

  async refresh() {
    const list = await get(`/api/v1/rollouts${query({ all: !this.onlyOpen.checked, ...this.pages.asked() })}`);
    this.pages.took(list);
    if (this.open.size === 0) {
      // What is under way is what one came for.
      const running = list.items.find((rollout) => !rollout.ended && !this.closed.has(nameOf(rollout)));
      if (running) this.open.add(nameOf(running));
    }
    const shown = new Map(list.items.map((rollout) => [nameOf(rollout), rollout]));
    for (const name of this.open) if (!shown.has(name)) this.open.delete(name);
    await Promise.all([...this.open].map(async (name) => {
      const { project, id } = shown.get(name);
      shown.set(name, await get(path("projects", project, "rollouts", id)));
    }));
    const none = this.onlyOpen.checked ? "No rollout is under way." : "There was no rollout yet: flagship start PLAN --to-version VERSION";
    sayOrHide(byId("rollouts-empty"), list.items.length === 0 ? none : "");
    sync(byId("rollouts"), [...shown.values()], nameOf, (rollout) => this.make(rollout), (card, rollout) => this.update(card, rollout));
  }

  make(rollout) {
    const id = `rollout-${crypto.randomUUID()}`;
    const name = el("button", { type: "button", className: "name", "aria-controls": id });
    name.addEventListener("click", () => this.toggle(nameOf(rollout)));
    const card = el("li", { className: "card" },
      el("div", { className: "title" }, el("h3", {}, name), el("span", { className: "change" }), el("span", { className: "state" })),
      el("p", { className: "stands" }),
      el("p", { className: "why" }),
      el("ol", { className: "waves", "aria-label": "Waves" }),
      el("div", { className: "detail", id }));
    card.parts = Object.fromEntries(["name", "change", "state", "stands", "why", "waves", "detail"]
      .map((part) => [part, card.querySelector(`.${part}`)]));
    return card;
  }

  toggle(name) {
    if (this.open.delete(name)) this.closed.add(name);
    else {
      this.open.add(name);
      // The one that was opened longest ago makes room.
      if (this.open.size > OPEN) this.open.delete(this.open.values().next().value);
    }
    this.changed();
  }

  update(card, rollout) {
    const { parts } = card;
    const isOpen = this.open.has(nameOf(rollout));
    say(parts.name, nameOf(rollout));
    parts.name.setAttribute("aria-expanded", String(isOpen));
    say(parts.change, `${rollout.change} of ${rollout.workload}`);
    say(parts.state, rollout.state);
    className(parts.state, `state ${tone(rollout.state)}`);
    say(parts.stands, stands(rollout));
    say(parts.why, `${rollout.ended ? "ended" : "waits for"}: ${why(rollout.why)}`);
    sync(parts.waves, rollout.waves, (wave) => wave.name, makeWave, updateWave);
    parts.detail.hidden = !isOpen;
    if (isOpen) detail(parts.detail, rollout);
    else parts.detail.replaceChildren();
  }
}

/** Where it stands, in words. */
function stands(rollout) {
  const parts = [];
  if (rollout.wave) parts.push(`wave ${rollout.wave}${rollout.stage ? ` (${rollout.stage.toLowerCase()})` : ""}`);
  if (rollout.attempt > 1) parts.push(`attempt ${rollout.attempt}`);
  parts.push(`${rollout.done} of ${count(rollout.total, "cluster")} done`);
  const reason = rollout.reason ? `: ${rollout.reason}` : "";
  return `${parts.join(", ")} · started ${ago(rollout.startedAt)} ago by ${rollout.startedBy}${reason}`;
}

function makeWave() {
  return el("li", {}, el("span", { className: "wave-name" }), " ", el("span", { className: "wave-state" }));
}

function updateWave(item, wave) {
  const [name, state] = item.children;
  say(name, wave.name);
  say(state, waveWords(wave));
  className(item, `wave ${tone(wave.state)}`);
}

function waveWords(wave) {
  const soak = wave.soak && wave.state === "soaking" ? ` ${span(Math.min(wave.soak.elapsedMs, wave.soak.neededMs))} of ${span(wave.soak.neededMs)}` : "";
  return `${wave.state}${soak}`;
}

function detail(parent, rollout) {
  const all = rollout.clusters.map((cluster) => ({ ...cluster, change: rollout.change }));
  const groups = rollout.waves.map((wave) => ({
    name: `Wave ${wave.name}`,
    words: `${waveWords(wave)}, ${wave.maxConcurrent} at once`,
    clusters: all.filter((cluster) => cluster.wave === wave.name),
  }));
  const placed = new Set(rollout.waves.map((wave) => wave.name));
  const others = all.filter((cluster) => !placed.has(cluster.wave));
  if (others.length > 0) groups.push({ name: "Outside the waves", words: "", clusters: others });
  const facts = [];
  if (rollout.requests.length > 0) facts.push(`asked for: ${rollout.requests.join(", ")}`);
  if (rollout.ticket) facts.push(`ticket: ${rollout.ticket}`);
  if (rollout.endedAt) facts.push(`ended at ${clock(rollout.endedAt)} (${ago(rollout.endedAt)} ago)`);
  const [factList, waveList, steps] = parent.children.length > 0 ? parent.children : makeDetail(parent);
  lines(factList, "p", facts);
  sync(waveList, groups, (group) => group.name, makeGroup, updateGroup);
  steps.hidden = rollout.nextSteps.length === 0;
  lines(steps.lastElementChild, "li", rollout.nextSteps);
}

function makeDetail(parent) {
  parent.append(el("div", { className: "facts" }), el("div"),
    el("div", { className: "steps" }, el("h4", { textContent: "What you can do" }), el("ul")));
  return parent.children;
}

function makeGroup() {
  return el("section", {}, el("h4", {}, el("span"), " ", el("span", { className: "quiet" })),
    el("ul", { className: "rows" }), el("p", { className: "quiet" }));
}

function updateGroup(section, group) {
  const [title, list, more] = section.children;
  say(title.children[0], group.name);
  say(title.children[1], group.words);
  const isQuiet = (cluster) => ["Waiting", "NotBegun", "Done"].includes(cluster.state);
  const isLarge = group.clusters.length > WRITTEN;
  const told = group.clusters.filter((cluster) => !isLarge || !isQuiet(cluster)).slice(0, isLarge ? WRITTEN : undefined);
  sync(list, told, (cluster) => cluster.cluster, makeCluster, updateCluster);
  sayOrHide(more, rest(group.clusters, told));
}

function rest(all, told) {
  const known = new Set(told);
  const states = new Map();
  for (const { state } of all.filter((cluster) => !known.has(cluster))) states.set(state, (states.get(state) ?? 0) + 1);
  if (states.size === 0) return "";
  return `and ${[...states].map(([state, number]) => `${number} ${state}`).join(", ")}`;
}

function makeCluster() {
  return el("li", { className: "row" },
    el("span", { className: "row-name" }), el("span"), el("span", { className: "bar", "aria-hidden": "true" }, el("span")),
    el("span", { className: "weight" }), el("span", { className: "row-text" }), el("span", { className: "row-why" }));
}

function updateCluster(row, cluster) {
  const [name, state, bar, weight, text, reason] = row.children;
  say(name, cluster.cluster);
  say(state, cluster.state);
  className(state, `state ${tone(cluster.state)}`);
  const share = cluster.observed ?? cluster.weight ?? 0;
  bar.firstElementChild.style.width = `${share}%`;
  say(weight, weightWords(cluster));
  const parts = [];
  if (cluster.phase) parts.push(cluster.phase);
  if (cluster.primaryVersion) parts.push(`primary ${cluster.primaryVersion}`);
  if (cluster.failedChecks > 0) parts.push(count(cluster.failedChecks, "failed check"));
  if (!cluster.connected) parts.push(`not connected, heard ${heard(cluster)}`);
  say(text, parts.join(" · "));
  sayOrHide(reason, cluster.why.message ? why(cluster.why) : "");
}

function weightWords(cluster) {
  const goesBack = (cluster.state === "Retreating" || cluster.state === "Failed") && cluster.phase === "Failed";
  if (goesBack && cluster.weight !== undefined && cluster.version !== undefined && cluster.observed === undefined) {
    return "? (not every proxy is read)";
  }
  const other = cluster.version !== undefined && cluster.version !== cluster.change ? ` on ${cluster.version}` : "";
  const wanted = cluster.weight === undefined ? "-" : `${cluster.weight}%${other}`;
  const differs = cluster.observed !== undefined && cluster.observed !== cluster.weight;
  return differs ? `${wanted} (read back ${cluster.observed}%)` : wanted;
}
