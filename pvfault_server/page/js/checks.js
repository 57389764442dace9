// What the checks say of a day: that all passed, or which did not, and all of them for whoever wants to see.

import { Problem, ask } from "./api.js";
import { h } from "./dom.js";
import { count, number } from "./units.js";

const AGAIN_MS = 2000;
const MOST_TIMES = 60;

/** What the checks say of a day; the server answers when it has looked at all rows, and is asked again until then. */
async function readChecks(date, signal) {
  for (let times = 0; times < MOST_TIMES; times += 1) {
    const rows = await ask(`/dates/${date}/checks`, { signal, as: async (answer) => (answer.status === 202 ? null : (await answer.json()).rows) });
    if (rows) return rows;
    await new Promise((resolve) => { setTimeout(resolve, AGAIN_MS); });
    signal.throwIfAborted();
  }
  throw new Problem(0, "not_checked", "there are too many rows to be looked at from here");
}

const words = (name) => name.replaceAll("_", " ");

export async function dayChecks(date, signal) {
  const rows = await readChecks(date, signal);
  const failed = rows.filter((row) => !row.passed);
  const errors = failed.filter((row) => row.severity === "error");
  const parts = [errors.length && count(errors.length, "error"), failed.length > errors.length && count(failed.length - errors.length, "warning")];
  return [
    failed.length > 0 && h("p", { class: "shown strong" }, `${parts.filter(Boolean).join(" and ")} among ${count(rows.length, "check")} of this day:`),
    failed.length > 0 && h("ul", { class: "lines" }, [...errors, ...failed.filter((row) => !errors.includes(row))].map((row) =>
      h("li", {}, h("b", {}, row.severity === "error" ? "Error" : "Warning", `, ${words(row.check)}`), ` (${row.table}): ${row.found}`))),
    h("details", { class: "checks" }, h("summary", {}, failed.length ? `All ${number(rows.length)} checks` : `All ${count(rows.length, "check")} of this day passed`),
      [...new Set(rows.map((row) => row.table))].map((table) => [h("h2", {}, table), h("ul", { class: "lines" }, rows.filter((row) => row.table === table).map((row) =>
        h("li", {}, h("b", {}, words(row.check)), row.passed ? ": passed, " : `: ${row.severity}, `, row.found, h("br"), h("small", {}, row.means))))])),
  ];
}
