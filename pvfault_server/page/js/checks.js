// What the checks say of a day: that all passed, or which did not, and all of them for whoever wants to see.

import { Problem, ask } from "./api.js";
import { h } from "./dom.js";
import { count } from "./units.js";

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
const isError = (row) => row.severity === "error";

/** One line; the reasons behind it for whoever opens it, as the devices below are what people come for. */
export async function dayChecks(date, signal) {
  const rows = await readChecks(date, signal);
  const failed = rows.filter((row) => !row.passed).sort((a, b) => isError(b) - isError(a));
  const errors = failed.filter(isError).length;
  const parts = [errors && count(errors, "error"), failed.length > errors && count(failed.length - errors, "warning")].filter(Boolean);
  return h("details", { class: "checks" },
    h("summary", { class: errors ? "strong" : "" },
      failed.length ? `${parts.join(" and ")} in ${count(rows.length, "check")} of this day` : `All ${count(rows.length, "check")} of this day passed`),
    failed.length > 0 && h("ul", { class: "lines" }, failed.map((row) =>
      h("li", {}, h("b", {}, isError(row) ? "Error" : "Warning", `, ${words(row.check)}`), ` (${row.table}): ${row.found}`))),
    h("h2", {}, "Passed"),
    h("ul", { class: "lines" }, rows.filter((row) => row.passed).map((row) => h("li", { title: row.means }, `${words(row.check)} (${row.table}): ${row.found}`))));
}
