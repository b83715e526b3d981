// Follows the hub's changes as server-sent events. `EventSource` cannot send a header, so the stream is
// read by hand: it goes on after the last id, and comes again by itself after a cut.

import { open } from "./hub.js";
import { now } from "./words.js";

/** The hub says every 15 seconds that it is there; silence of this length is a cut. */
const SILENCE = 40000;
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30000;

export class Live {
  /** `told(kind)` for each event; `state(live, error, again)` whenever it begins or ends to be live. */
  constructor(told, state) {
    this.told = told;
    this.state = state;
    this.last = null;
    this.stopped = new AbortController();
    this.wake = () => {};
  }

  /** Runs until it is stopped, or the token is no good any more. */
  async run() {
    let wait = FIRST_WAIT;
    while (!this.stopped.signal.aborted) {
      let error = null;
      try {
        await this.read(() => {
          wait = FIRST_WAIT;
          this.state(true, null, null);
        });
      } catch (caught) {
        error = caught;
      }
      if (this.stopped.signal.aborted) return;
      // Some chance, so that those who were cut together do not come again together.
      const pause = Math.max(error?.wait ?? 0, wait * (0.75 + Math.random() / 2));
      wait = Math.min(LONGEST_WAIT, wait * 2);
      this.state(false, error, now() + pause);
      if (error?.kind === "token") return;
      await this.sleep(pause);
    }
  }

  stop() {
    this.stopped.abort();
    this.wake();
  }

  /** Does not wait any longer for the next try. */
  now() {
    this.wake();
  }

  sleep(milliseconds) {
    return new Promise((done) => {
      const timer = setTimeout(done, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        done();
      };
    });
  }

  async read(begun) {
    const cut = new AbortController();
    const signal = AbortSignal.any([cut.signal, this.stopped.signal]);
    let timer = setTimeout(() => cut.abort(), SILENCE);
    try {
      const headers = { accept: "text/event-stream" };
      if (this.last !== null) headers["last-event-id"] = this.last;
      const response = await open("/api/v1/events", { headers, signal });
      begun();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const events = new Events((event) => this.take(event));
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => cut.abort(), SILENCE);
        events.feed(value);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  take({ id, kind }) {
    if (id !== null) this.last = id;
    this.told(kind);
  }
}

/** The event stream's format: lines of `field: value`, an empty one ends an event. */
export class Events {
  constructor(take) {
    this.takeEvent = take;
    this.rest = "";
    this.begin();
  }

  begin() {
    this.event = { id: null, kind: "message", hasData: false };
  }

  feed(text) {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop();
    for (const line of lines) this.line(line.endsWith("\r") ? line.slice(0, -1) : line);
  }

  line(line) {
    if (line === "") {
      if (this.event.hasData) this.takeEvent(this.event);
      this.begin();
      return;
    }
    const at = line.indexOf(":");
    const [name, value] = at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1).replace(/^ /, "")];
    if (name === "id") this.event.id = value;
    else if (name === "event") this.event.kind = value;
    else if (name === "data") this.event.hasData = true;
  }
}
