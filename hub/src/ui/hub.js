// Requests to the hub, with the token as a header, and what went wrong as one kind of error.

import { learnTime } from "./words.js";

const KEPT = "flagship.token";
const PATIENCE = 15000;

let token = sessionStorage.getItem(KEPT);

export function hasToken() {
  return token !== null;
}

/** Takes a token for this tab; it goes nowhere but into the header of requests to this hub. */
export function useToken(text) {
  token = text;
}

/** Keeps it for a reload, once the hub has taken it. */
export function keepToken() {
  sessionStorage.setItem(KEPT, token);
}

export function forgetToken() {
  token = null;
  sessionStorage.removeItem(KEPT);
}

/** Why there is no answer, or not the one that was asked for. */
export class Trouble extends Error {
  constructor(kind, message, { remedy = "", wait = 0 } = {}) {
    super(message);
    this.kind = kind;
    this.remedy = remedy;
    this.wait = wait;
  }
}

/** What answers is no hub, or not of this page's version. */
export function notUnderstood() {
  const remedy = "load the page again; if that does not help, what answers is not a Flagship hub of this version";
  return new Trouble("odd", "the hub answered in a way that this page does not understand", { remedy });
}

/** What a refusal says: 401 and 403 are about the token, 429 asks to wait, 5xx is a hub in trouble. */
async function refusal(response) {
  const { status } = response;
  const wait = Math.min(300, Number(response.headers.get("retry-after")) || 0) * 1000;
  const problem = await response.json().catch(() => null);
  if (typeof problem?.detail !== "string") {
    return status >= 500 ? new Trouble("away", `the hub cannot answer (status ${status})`) : notUnderstood();
  }
  const kind = { 401: "token", 403: "forbidden", 429: "tooOften" }[status] ?? (status >= 500 ? "away" : "refused");
  const remedy = kind === "token" ? "log in with another token" : problem.remedy ?? "";
  return new Trouble(kind, problem.detail, { remedy, wait });
}

/** Sends a request and hands on the answer, once its head is there and it is no refusal. */
export async function open(path, { method = "GET", headers = {}, body, signal } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...headers },
      body,
      signal,
      cache: "no-store",
      credentials: "omit",
      mode: "same-origin",
      redirect: "error",
    });
  } catch (error) {
    if (error.name === "TimeoutError") throw new Trouble("away", `the hub did not answer within ${PATIENCE / 1000} seconds`);
    if (error.name === "AbortError") throw error;
    throw new Trouble("away", "the hub cannot be reached");
  }
  learnTime(response);
  if (!response.ok) throw await refusal(response);
  return response;
}

async function json(path, options) {
  const response = await open(path, { ...options, signal: AbortSignal.timeout(PATIENCE) });
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "TimeoutError") throw new Trouble("away", `the hub's answer did not end within ${PATIENCE / 1000} seconds`);
    throw notUnderstood();
  }
}

export function get(path) {
  return json(path);
}

/** Asks or orders; with a key, the same order is carried out once however often it is sent. */
export function post(path, body, { reason = "", key = "" } = {}) {
  const headers = { "content-type": "application/json" };
  if (reason) headers["flagship-reason"] = encodeURIComponent(reason);
  if (key) headers["idempotency-key"] = key;
  return json(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** A path from segments that may hold anything. */
export function path(...segments) {
  return `/api/v1/${segments.map(encodeURIComponent).join("/")}`;
}

export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== false);
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}
