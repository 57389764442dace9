// Questions to the server: its token, its problems, and how long it takes.

import { h, say } from "./dom.js";

const TOKEN = "pvfault token";
const LONGEST_S = 60;

/** What a problem document says, or why there is none. */
export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

const REMEDIES = {
  not_made: "Choose another date, or make this one: pvfault materialise.",
  nothing_made: "Make a first one: pvfault materialise, or make demo for a plant to try.",
  unknown_device: "Look for it by its name in the fleet.",
  tables_not_readable: "Try again in a moment. If it stays so, whoever runs the server finds the cause in its log.",
  range_too_wide: "Choose fewer days.",
  no_such_path: "The server is older than this page, or the link is wrong. Reload the page.",
  alarms_not_available: "Nothing was lost. Try again in a moment; whoever runs the server finds the cause in its log.",
  wrong_state: "Somebody else may have done something meanwhile: reload the page to see the alarm as it is.",
  unknown_alarm: "It may have been withdrawn: look at the list of alarms.",
  internal: "Try again; if it stays so, tell whoever runs the server what you did.",
  offline: "Look whether `pvfault serve` is running and whether the network is there.",
  slow: "Try again; fewer days take less time.",
  not_checked: "`pvfault check` asks the same on the machine that has the tables.",
  before_403: "Look whether this is the address that was given to you, and whether you may use it.",
  before_413: "Write less.",
  before_429: "Wait a moment, then try again.",
  before_5xx: "Try again in a moment; the first answer after a pause takes longer.",
};
export const remedy = (problem) => REMEDIES[problem.code] ?? "";

/** Ask; the answer as JSON, or another thing that `as` takes from a response. */
export async function ask(path, { body, signal, as = (answer) => answer.json() } = {}) {
  for (;;) {
    const answer = await request(path, body, signal);
    if (answer.status === 401) {
      await askForToken();
      continue;
    }
    if (!answer.ok) throw await problemOf(answer);
    return as(answer);
  }
}

async function request(path, body, signal) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { Accept: path.endsWith(".png") ? "image/png" : "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  const limit = AbortSignal.timeout(LONGEST_S * 1000);
  try {
    return await fetch(path, {
      method: body ? "POST" : "GET",
      headers,
      body: body && JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (limit.aborted) throw new Problem(0, "slow", `the server has not answered for ${LONGEST_S} s`);
    throw new Problem(0, "offline", "the server cannot be reached");
  }
}

// What a proxy or API Gateway says by itself, which is no problem document: by the status alone.
const BEFORE = {
  403: ["before_403", "what stands before the server does not let this through"],
  413: ["before_413", "what was sent is more than is let through"],
  429: ["before_429", "more is asked at the moment than is let through"],
  500: ["before_5xx", "the server failed before it could answer"],
  502: ["before_5xx", "the server failed before it could answer"],
  503: ["before_5xx", "the server is busy or not there at the moment"],
  504: ["before_5xx", "the server took too long to answer"],
};

async function problemOf(answer) {
  let found = {};
  try { found = await answer.json(); } catch { /* a page of HTML, or nothing */ }
  if (!found?.detail) {
    const [code, told] = BEFORE[answer.status] ?? ["", `the server answered ${answer.status} without saying why`];
    return new Problem(answer.status, code, told);
  }
  let { detail } = found;
  for (const each of found.errors ?? []) detail += `; ${each.parameter}: ${each.reason}`;
  return new Problem(answer.status, found.code ?? "", detail);
}

let asking = null;

/** Ask for the token, once however many questions wait for it. It is kept as long as this tab. */
function askForToken() {
  asking ??= new Promise((resolve) => {
    const wasRefused = sessionStorage.getItem(TOKEN) !== null;
    sessionStorage.removeItem(TOKEN);
    const field = h("input", { type: "password", id: "token", autocomplete: "off", required: true, spellcheck: "false" });
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": "token-title" },
      h("form", { method: "dialog", onsubmit: () => {
        sessionStorage.setItem(TOKEN, field.value.trim());
        asking = null;
        dialog.remove();
        resolve();
      } },
      h("h2", { id: "token-title" }, "The server asks for its token"),
      wasRefused && h("p", { class: "wrong", role: "alert" }, "The token that was given is not the server's."),
      h("p", {}, "Whoever runs the server has it, as PVFAULT_TOKEN. It is kept in this tab until it is closed."),
      h("label", { for: "token" }, "Token"), field,
      h("div", { class: "buttons" }, h("button", { class: "main" }, "Show the fleet"))));
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    document.body.append(dialog);
    dialog.showModal();
  });
  return asking;
}

/** Fill a part of the page with what an answer makes; until then it says what it waits for, and how it failed. */
export async function load(place, what, make) {
  const control = new AbortController();
  place.loading?.abort();
  place.loading = control;
  place.setAttribute("aria-busy", "true");
  const waiting = waitingFor(place, what, control);
  try {
    const made = await Promise.race([make(control.signal), stopped(control.signal)]);
    if (control.signal.aborted) return false;
    place.replaceChildren(...[made].flat(Infinity).filter(Boolean));
    return true;
  } catch (error) {
    if (control.signal.aborted && place.loading !== control) return false;
    const problem = error instanceof Problem ? error : control.signal.aborted
      ? new Problem(0, "stopped", "this was stopped") : broken(error);
    place.replaceChildren(problemBox(problem, what, () => load(place, what, make)));
    return false;
  } finally {
    waiting();
    if (place.loading === control) place.removeAttribute("aria-busy");
  }
}

const stopped = (signal) => new Promise((_, reject) => {
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
});

function broken(error) {
  console.error(error);
  return new Problem(0, "page", "the page failed to show this; the browser's console says more");
}

export function problemBox(problem, what, again) {
  return h("div", { class: "problem", role: "alert" },
    h("p", {}, h("strong", {}, `${what}: `), `${problem.message}.`),
    remedy(problem) && h("p", {}, remedy(problem)),
    again && h("button", { onclick: again }, "Try again"));
}

function waitingFor(place, what, control) {
  const began = performance.now();
  let line = null;
  let told = false;
  const timer = setInterval(() => {
    const seconds = Math.floor((performance.now() - began) / 1000);
    if (!line) {
      line = h("p", { class: "waiting" }, h("span", {}), h("button", { onclick: () => control.abort() }, "Stop"));
      place.replaceChildren(line);
    }
    line.firstChild.textContent = seconds < 2 ? `${what}: asking …` : `${what}: asking for ${seconds} s …`;
    if (seconds >= 2 && !told) { told = true; say(`${what}: still waiting for the server.`); }
  }, 400);
  return () => { clearInterval(timer); line?.remove(); };
}
