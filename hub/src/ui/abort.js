// An abort, step by step: whom it stops, what it would hit, and only then the order.

import { byId, el, say, sayProblem, sync } from "./dom.js";
import { get, post } from "./hub.js";
import { clock, given, several, span } from "./words.js";

export class Abort {
  /** `done(view)` once it is ordered. */
  constructor(done) {
    this.done = done;
    this.dialog = byId("abort");
    this.choose = byId("abort-choose");
    this.confirm = byId("abort-confirm");
    this.isSending = false;
    this.choose.addEventListener("submit", (event) => this.run(event, "abort-problem", () => this.preview()));
    this.confirm.addEventListener("submit", (event) => this.run(event, "confirm-problem", () => this.order()));
    this.choose.querySelector("button[value=close]").addEventListener("click", () => this.dialog.close());
    this.confirm.querySelector("button[value=back]").addEventListener("click", () => this.back());
    // Who presses Esc while the order is on its way has to learn what came of it.
    this.dialog.addEventListener("cancel", (event) => {
      if (this.isSending) event.preventDefault();
    });
  }

  async show() {
    this.back();
    byId("abort-reason").value = "";
    this.choose.elements.mode.value = "Return";
    byId("abort-scopes").replaceChildren(el("legend", { textContent: "Whom it stops" }), el("p", { className: "quiet", textContent: "Asking the hub…" }));
    sayProblem(byId("abort-problem"), null);
    this.dialog.showModal();
    try {
      const list = await get("/api/v1/abort-scopes");
      this.offer(list.items.filter((scope) => scope.scopeOf));
    } catch (error) {
      sayProblem(byId("abort-problem"), error);
    }
  }

  /** The scopes that there are, each with what it would hit now; none is chosen beforehand. */
  offer(scopes) {
    this.scopes = scopes;
    const choices = scopes.map((scope, place) => el("label", { className: "choice" },
      el("input", { type: "radio", name: "scope", value: String(place), required: true }),
      el("span", {}, el("strong", { textContent: scope.scope }), el("span", { className: "quiet", textContent: scope.hits }))));
    byId("abort-scopes").replaceChildren(el("legend", { textContent: "Whom it stops" }), ...choices);
    byId("abort-scopes").querySelector("input")?.focus();
  }

  async run(event, problem, act) {
    event.preventDefault();
    if (this.isSending) return;
    this.isSending = true;
    this.dialog.setAttribute("aria-busy", "true");
    sayProblem(byId(problem), null);
    try {
      await act();
    } catch (error) {
      sayProblem(byId(problem), error);
    } finally {
      this.isSending = false;
      this.dialog.removeAttribute("aria-busy");
    }
  }

  back() {
    this.confirm.hidden = true;
    this.choose.hidden = false;
    (this.choose.querySelector("input[name=scope]:checked") ?? this.choose.querySelector("input[name=scope]"))?.focus();
  }

  async preview() {
    const chosen = this.scopes?.[Number(this.choose.elements.scope?.value || -1)];
    if (!chosen) throw Object.assign(new Error("no scope is chosen: nothing was stopped"), { remedy: "choose whom the abort stops" });
    this.request = { scope: chosen.scopeOf, mode: this.choose.elements.mode.value };
    // One key for one decision: sent twice, it is still one abort.
    this.key = crypto.randomUUID();
    const preview = await post("/api/v1/abort-preview", this.request);
    say(byId("confirm-title"), `An abort of ${preview.scope} would hit:`);
    say(this.confirm.querySelector("button[type=submit]"), `Stop ${preview.scope === "fleet" ? "the fleet" : preview.scope} now`);
    const facts = previewFacts(preview, byId("abort-reason").value.trim());
    sync(byId("confirm-preview"), facts, ([name]) => name, () => el("p", {}, el("strong"), " ", el("span")), (line, [name, text, tone]) => {
      say(line.children[0], name);
      say(line.children[1], text);
      line.className = tone ?? "";
    });
    sayProblem(byId("confirm-problem"), null);
    this.choose.hidden = true;
    this.confirm.hidden = false;
    byId("confirm-title").focus();
  }

  async order() {
    const reason = byId("abort-reason").value.trim();
    try {
      const view = await post("/api/v1/aborts", this.request, { reason, key: this.key });
      this.dialog.close();
      this.done(view);
    } catch (error) {
      if (["away", "odd"].includes(error.kind)) {
        error.message = `the abort may not be stored: ${error.message}`;
        error.remedy = "press the button again, which orders it once at most; on the cluster's own machine flagship-agent ctl hold|retreat stops without the hub";
      }
      throw error;
    }
  }
}

function previewFacts(preview, reason) {
  const settled = (one) => {
    const what = [one.version, one.rollout].filter(Boolean).join(" of ");
    return what ? `${one.cluster} (${what})` : one.cluster;
  };
  const done = preview.done.map(settled);
  const lists = [
    ["rollouts:", preview.rollouts],
    ["ended, goes back:", preview.takenBack ?? []],
    ["stops at once:", preview.connected],
    ["not heard now:", preview.notHeard],
    ["held, out of scope:", preview.heldWith ?? []],
    [preview.doneStays ? "Done, and stays so:" : "Done, goes back:", done],
    ["left on what was:", (preview.left ?? []).map(settled)],
  ];
  const but = preview.outside.length > 0 ? ", but for those outside the bound" : "";
  return [
    ["in short:", preview.summary],
    ...lists.filter(([, names]) => names.length > 0).map(([name, names]) => [name, several(names)]),
    ["bound:", `nothing advances in its scope after ${clock(preview.boundAt)} (${span(preview.boundMs)} from now), heard or not${but}`],
    ...preview.outside.map((text) => [`outside the bound:`, text, "bad"]).slice(0, 20),
    ["reason:", given(reason)],
  ];
}
