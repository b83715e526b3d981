// The page: logs in, keeps what is shown up to date while the hub tells of changes, and says plainly when
// it does not.

import { Abort } from "./abort.js";
import { byId, className, el, problemText, say, sayProblem, sync } from "./dom.js";
import { Clusters, showBanners, showCounts } from "./fleet.js";
import { forgetToken, get, hasToken, keepToken, notUnderstood, useToken } from "./hub.js";
import { Live } from "./live.js";
import { Receipts } from "./receipts.js";
import { Rollouts } from "./rollouts.js";
import { clock, now } from "./words.js";

const VERSION = document.querySelector("meta[name=flagship-version]").content;
/** Changes that come close together are one. */
const GATHER = 100;
/** Sessions come and go without a change of the store: what is shown is asked for again after this time. */
const USUAL = 10000;
/** The hub is not asked more often than this, and five times as long rests as an answer took. */
const LEAST = 700;
const REST = 5;

/** Why the last log-in ended, for the page that comes after it. */
const ENDED = "flagship.ended";

const app = { live: null, isLive: false, trouble: null, streamTrouble: null, again: null, asOf: null, may: false };

/** Asks for what is shown, never twice at a time. */
class Refresh {
  constructor(parts) {
    this.parts = parts;
    this.timer = null;
    this.due = null;
    this.isStopped = false;
    this.isRunning = false;
    this.isWanted = false;
    this.isAsked = false;
    this.rest = LEAST;
    this.last = 0;
  }

  soon(after = GATHER) {
    this.isWanted = true;
    const rest = this.isAsked ? 0 : this.last + this.rest - Date.now();
    if (!this.isRunning) this.plan(Math.max(after, rest));
  }

  /** Who pressed something does not wait for the hub's rest. */
  now() {
    this.isAsked = true;
    this.soon(0);
  }

  /** Many changes do not put off what is planned already. */
  plan(after) {
    const due = Date.now() + after;
    if (this.isStopped || (this.due !== null && this.due <= due)) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = setTimeout(() => this.run(), after);
  }

  stop() {
    clearTimeout(this.timer);
    this.isStopped = true;
  }

  async run() {
    this.due = null;
    // Who does not look is not served; the first look asks again.
    if (this.isStopped || document.hidden) return;
    this.isRunning = true;
    this.isWanted = false;
    this.isAsked = false;
    const began = Date.now();
    let error = null;
    const outcomes = await Promise.allSettled(this.parts.map((part) => part()));
    if (this.isStopped) return;
    for (const outcome of outcomes) if (outcome.status === "rejected") error ??= outcome.reason;
    this.isRunning = false;
    this.last = Date.now();
    this.rest = Math.max(LEAST, REST * (this.last - began), error?.wait ?? 0);
    took(error);
    if (this.isStopped) return;
    if (this.isWanted) this.soon();
    else this.plan(Math.max(this.rest, receipts.isWaiting() ? LEAST : USUAL));
  }
}

let refresh = null;
const changed = () => refresh?.now();
const rollouts = new Rollouts(changed);
const clusters = new Clusters(changed);
const receipts = new Receipts(changed);
const abort = new Abort((view) => receipts.show(view.id, view));

async function glance() {
  const status = await get("/api/v1/status");
  app.hubVersion = status.version;
  showCounts(status);
  showBanners(status.banners, (id) => receipts.show(id));
}

function took(error) {
  if (error?.kind === "token") {
    logOut(error);
    return;
  }
  app.trouble = error && !error.kind ? notUnderstood() : error;
  if (error === null) app.asOf = now();
  showState();
}

/** Whether what is shown is live; else why not, of when it is, and when the next try is. */
function showState() {
  const trouble = app.trouble ?? (app.isLive ? null : app.streamTrouble);
  const isLive = app.isLive && app.trouble === null;
  className(byId("live"), isLive ? "live" : "away");
  const asOf = app.asOf === null ? "" : `; what is shown is of ${clock(app.asOf)}`;
  const again = app.again === null ? "" : `; next try at ${clock(app.again)}`;
  say(byId("live-text"), isLive ? "Live" : app.asOf === null && trouble === null ? "Connecting" : `Not live${asOf}${app.isLive ? "" : again}`);
  const notices = [];
  if (trouble !== null) notices.push({ key: "trouble", text: problemText(trouble), button: "Try now", act: tryNow });
  if (app.hubVersion && app.hubVersion !== VERSION) {
    notices.push({ key: "version", text: `The hub is of version ${app.hubVersion} now, this page is of ${VERSION}: load it again`, button: "Load it again", act: () => location.reload() });
  }
  sync(byId("notices"), notices, ({ key }) => key, ({ button, act }) => {
    const press = el("button", { type: "button", textContent: button });
    press.addEventListener("click", act);
    return el("div", { className: "notice bad" }, el("span"), press);
  }, (notice, { text }) => say(notice.firstElementChild, text));
}

function tryNow() {
  app.live?.now();
  changed();
}

function begin(who) {
  const may = who.bindings.some((binding) => binding.rights.includes("stop"));
  const roles = who.bindings.map((binding) => binding.text).join("; ");
  say(byId("who"), `${who.name}, ${roles}`);
  const open = byId("abort-open");
  // Not `disabled`: it is found by keyboard, and says why.
  open.setAttribute("aria-disabled", String(!may));
  open.setAttribute("aria-describedby", "abort-why-not");
  say(byId("abort-why-not"), `${who.name} may not stop: it is ${roles}. Use a token with the role responder`);
  byId("abort-why-not").hidden = may;
  app.may = may;
  byId("login").hidden = true;
  byId("app").hidden = false;
  app.hubVersion = who.version;
  refresh = new Refresh([glance, () => rollouts.refresh(), () => clusters.refresh(), () => receipts.refresh()]);
  app.live = new Live(() => refresh?.soon(), (isLive, error, again) => {
    if (error?.kind === "token") return logOut(error);
    Object.assign(app, { isLive, again, streamTrouble: error });
    if (isLive) changed();
    showState();
  });
  app.live.run();
  changed();
}

/** Loads the page anew: nothing of what was seen stays for the next one at this screen. */
function logOut(error) {
  forgetToken();
  app.live?.stop();
  refresh?.stop();
  if (error !== null) sessionStorage.setItem(ENDED, JSON.stringify({ message: error.message, remedy: error.remedy }));
  location.reload();
}

function askForToken(error) {
  byId("app").hidden = true;
  byId("login").hidden = false;
  sayProblem(byId("login-problem"), error);
  byId("token").focus();
}

async function logIn() {
  try {
    const who = await get("/api/v1/whoami");
    if (!Array.isArray(who?.bindings)) throw notUnderstood();
    keepToken();
    sayProblem(byId("login-problem"), null);
    begin(who);
  } catch (error) {
    // A hub that is away says nothing about the token.
    if (error.kind === "token") forgetToken();
    askForToken(error);
  }
}

byId("login-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = byId("token");
  const text = field.value.trim();
  field.value = "";
  if (!/^[\x21-\x7e]+$/.test(text)) {
    sayProblem(byId("login-problem"), { message: "that is not a token", remedy: "paste it as it was printed, one word" });
    return;
  }
  useToken(text);
  logIn();
});
byId("logout").addEventListener("click", () => logOut(null));
byId("abort-open").addEventListener("click", () => {
  if (app.may) abort.show();
});
addEventListener("online", tryNow);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) tryNow();
});

const ended = JSON.parse(sessionStorage.getItem(ENDED));
sessionStorage.removeItem(ENDED);
if (hasToken()) logIn();
else askForToken(ended);
