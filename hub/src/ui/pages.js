// One page of a list at a time, however long the list is: forwards by the hub's cursor, backwards by
// those that were seen.

import { byId, el, say } from "./dom.js";

export class Pages {
  constructor(id, size, changed) {
    this.size = size;
    this.seen = [""];
    this.next = null;
    this.older = el("button", { type: "button", textContent: "Next page" });
    this.newer = el("button", { type: "button", textContent: "Page before" });
    this.place = el("span", { className: "quiet" });
    this.nav = byId(id);
    this.nav.replaceChildren(this.newer, this.place, this.older);
    this.older.addEventListener("click", () => {
      this.seen.push(this.next);
      changed();
    });
    this.newer.addEventListener("click", () => {
      this.seen.pop();
      changed();
    });
  }

  /** The parameters of the page that is shown. */
  asked() {
    return { limit: this.size, cursor: this.seen.at(-1) };
  }

  first() {
    this.seen = [""];
  }

  /** Learns from a page what comes after it. */
  took(list) {
    this.next = list.next ?? null;
    this.older.disabled = this.next === null;
    this.newer.disabled = this.seen.length === 1;
    this.nav.hidden = this.older.disabled && this.newer.disabled;
    say(this.place, `page ${this.seen.length}`);
  }
}
