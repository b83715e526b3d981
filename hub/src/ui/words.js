// Small texts, in the words of the command line: times, ages, reasons, and the tone of each state.

let ahead = 0;

/** Learns from an answer by how much the hub's clock differs from this machine's. */
export function learnTime(response) {
  const at = Date.parse(response.headers.get("date") ?? "");
  if (!Number.isFinite(at)) return;
  const difference = at - Date.now();
  ahead = Math.abs(difference) > 2000 ? difference : 0;
}

export function now() {
  return Date.now() + ahead;
}

const two = (number) => String(number).padStart(2, "0");

/** A duration in its two largest units: `42s`, `3m05s`, `2h10m`, `4d03h`. */
export function span(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds === 0 && milliseconds > 0) return `${Math.floor(milliseconds)}ms`;
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}h${two(Math.floor((seconds % 3600) / 60))}m`;
  return `${Math.floor(seconds / 86400)}d${two(Math.floor((seconds % 86400) / 3600))}h`;
}

export function ago(then) {
  const past = Math.max(0, now() - Date.parse(then));
  return span(past - (past % 1000));
}

/** A time of day in UTC, with the date where it is not today. */
export function clock(then) {
  const iso = new Date(then).toISOString();
  const [day, time] = [iso.slice(0, 10), `${iso.slice(11, 19)}Z`];
  return day === new Date(now()).toISOString().slice(0, 10) ? time : `${day} ${time}`;
}

/** When a cluster that is not heard now was last heard, as far as the hub knows. */
export function heard({ lastHeard, unheardSince }) {
  if (!lastHeard) return "never";
  if (!unheardSince) return `${ago(lastHeard)} ago`;
  return `not since the hub started at ${clock(unheardSince)}; before that at ${clock(lastHeard)}`;
}

/** A reason and since when it holds. */
export function why(reason) {
  const message = reason.message || reason.code;
  return reason.since && message ? `${message}, since ${clock(reason.since)} (${ago(reason.since)})` : message;
}

/** A person's reason as it stands in a sentence. */
export function given(reason) {
  return reason || "no reason given";
}

export function count(number, what) {
  return number === 1 ? `1 ${what}` : `${number} ${what}s`;
}

const NAMED = 12;

/** Names in a sentence; of many only the first. */
export function several(names) {
  if (names.length <= NAMED) return names.join(", ");
  return `${names.slice(0, NAMED).join(", ")} and ${names.length - NAMED} more`;
}

/** What stands, in one word. */
export function bannerWord(kind) {
  if (kind === "freeze" || kind === "freezes") return "FROZEN";
  if (kind === "serving") return "NOT FIXED";
  if (kind === "stays") return "STAYS";
  if (kind === "unknown") return "UNKNOWN";
  return kind === "behind" ? "HALTED" : "STOPPED";
}

/** What the command under it does. */
export function bannerRemedy(kind) {
  if (kind === "stays") return "to take it back too";
  if (kind === "lifted") return "to see it";
  if (kind === "freezes" || kind === "aborts") return "to see them";
  return kind === "serving" ? "to take it back" : "to end it";
}

const TONES = {
  good: ["Succeeded", "Done", "Active", "Accepted", "done", "Returned", "returned", "held", "stopped"],
  busy: ["Progressing", "Running", "Ordered", "Soaking", "running", "soaking", "gate", "begun", "told", "returning", "stopping"],
  warn: ["Paused", "Pending", "Retreating", "RolledBack", "Skipped", "Unreachable", "Superseded", "Quarantined", "Left", "notHeard", "bounded"],
  bad: ["Failed", "Aborted", "Removed", "notStopped"],
};

/** The tone in which a state is shown; its word always stands beside it. */
export function tone(state) {
  return Object.keys(TONES).find((name) => TONES[name].includes(state)) ?? "dim";
}

/** What an abort does to traffic. */
export function modeWords(mode) {
  if (mode === "hold") return "all weights stay";
  if (mode === "retreat") return "all traffic goes back, Done clusters too";
  return "unfinished canaries go back, Done clusters stay";
}

/** How far a cluster has stopped, who is looked at first. */
export const ABORT_WORDS = {
  notStopped: "NOT STOPPED",
  notHeard: "not heard",
  told: "told",
  returning: "returning",
  done: "done",
  returned: "returned",
  held: "held",
  idle: "idle",
};
