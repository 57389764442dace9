// The fleet on one day: what it comes to, who needs somebody, and all devices in a table.

import { ask, load } from "./api.js";
import { debounce, h, say } from "./dom.js";
import { STATES, candidatesInWords, colourName, isFault, stateKey, stateOf } from "./faults.js";
import { Grid } from "./grid.js";
import { address, note, state } from "./state.js";
import { UNKNOWN, ago, count, day, energy, isKnown, moment, money, number, quantity, share } from "./units.js";

const POOR = 0.9; // of a day's readings; below, a verdict stands on little

let kept = null;

/** The verdicts of a date, the newest by default, a row a device; asked for once until they are forgotten. */
export function readFleet(date) {
  if (kept?.date !== date) {
    const fleet = ask(`/fleet/devices${date ? `?date=${encodeURIComponent(date)}` : ""}`).then(fleetOf);
    const asked = { date, fleet };
    kept = asked;
    fleet.catch(() => { if (kept === asked) kept = null; });
  }
  return kept.fleet;
}

export const forgetFleet = () => { kept = null; };

function fleetOf({ date, columns }) {
  // Written out: objects that are made alike are read several times as fast, and there may be 10,000.
  const rows = columns.deviceID.map((deviceID, at) => {
    const key = stateKey(columns.fault[at], columns.completeness[at]);
    return {
      deviceID, name: columns.name[at], site: columns.site[at], fault: columns.fault[at], onset: columns.onset[at], faulty_hours: columns.faulty_hours[at],
      confidence: columns.confidence[at], energy_kwh: columns.energy_kwh[at], lost_kwh: columns.lost_kwh[at],
      completeness: columns.completeness[at], candidates: columns.candidates[at], rated_kw: columns.rated_kw[at],
      specific_yield_kwh_per_kw: columns.specific_yield_kwh_per_kw[at], latitude: columns.latitude[at], longitude: columns.longitude[at],
      state: key, rank: stateOf(key).rank,
    };
  });
  const counts = Object.fromEntries(STATES.map(({ key }) => [key, 0]));
  for (const row of rows) counts[row.state] = (counts[row.state] ?? 0) + 1;
  return { date, rows, counts };
}

const total = (rows, name) => rows.reduce((sum, row) => sum + (isKnown(row[name]) ? row[name] : 0), 0);

/** A coloured sign and the name of a state; the sign has a form of its own where nothing is known. */
export function chip(key, { short = false } = {}) {
  const found = stateOf(key);
  return h("span", { class: `chip ${isFault(key) ? "is-fault" : ""}` }, sign(key),
    short ? found.code : found.name);
}

export function sign(key) {
  const mark = h("span", { class: `sign sign-${key.replaceAll("_", "-")}`, "aria-hidden": "true" });
  mark.style.setProperty("--sign", `var(${colourName(key)})`);
  return mark;
}

/** The zone of a device's plant, or UTC if that is asked for or the plant's is not known. */
export function zoneOf(about, site) {
  return (state.utc ? null : about.zones.get(site)) ?? "UTC";
}

export async function fleetView(about) {
  const fleet = await readFleet(state.date);
  const table = fleetTable(about, fleet);
  const shown = h("p", { class: "shown", role: "status" });
  const filters = filterBar(fleet, () => update());

  function update(told = true) {
    const rows = chosen(fleet.rows);
    table.show(rows);
    shown.textContent = rows.length === fleet.rows.length
      ? `All ${count(rows.length, "device")}` : `${number(rows.length)} of ${count(fleet.rows.length, "device")}`;
    filters.mark();
    if (told) say(shown.textContent);
  }
  update(false);
  const tables = h("div");
  const checks = h("div");
  return {
    title: `Fleet on ${day(fleet.date)}`,
    date: fleet.date,
    content: [
      h("h1", { tabindex: "-1" }, "Fleet on ", day(fleet.date), h("span", { class: "aside" }, " (UTC day)")),
      figures(about, fleet),
      h("section", { "aria-label": "Tables and checks", class: "tables" }, tables, checks),
      filters.element,
      h("section", { "aria-label": "Devices", class: "devices" }, shown, table.element),
    ],
    shown: (from) => {
      table.draw(true);
      load(tables, "The state of the tables", (abort) => tableStates(fleet.date, abort));
      load(checks, "The checks of this day", async (abort) => (await import("./checks.js")).dayChecks(fleet.date, abort));
      return from.device && table.focusOn((row) => row.deviceID === from.device);
    },
    close: () => table.close(),
  };
}

function figures(about, fleet) {
  const { rows, counts } = fleet;
  const faulty = rows.filter((row) => isFault(row.state));
  const [given, lost] = [total(rows, "energy_kwh"), total(rows, "lost_kwh")];
  const poor = rows.filter((row) => isKnown(row.completeness) && row.completeness < POOR).length;
  const known = rows.filter((row) => isKnown(row.completeness));
  const mean = known.length ? total(known, "completeness") / known.length : null;
  const unseen = counts.no_data + counts.unknown + counts.unsure;
  return h("dl", { class: "figures" },
    figure("Need somebody", number(faulty.length), `of ${count(rows.length, "device")}`, faulty.length ? "calls" : ""),
    figure("Lost", energy(lost), given + lost > 0 ? `${share(lost / (given + lost), 1)} of what was there` : ""),
    isKnown(about.tariff_per_kwh) && figure("Lost money", money(lost * about.tariff_per_kwh, about.currency),
      `at ${quantity(about.tariff_per_kwh, `${about.currency}/kWh`, 3)}`),
    figure("Given", energy(given), "by all devices"),
    figure("Readings that came", share(mean, 1), poor ? `${count(poor, "device")} below ${share(POOR)}` : `all above ${share(POOR)}`,
      poor ? "calls-mildly" : ""),
    figure("Without a verdict", number(unseen), `${number(counts.no_data)} sent nothing`, unseen ? "calls-mildly" : ""),
    figure("Newest verdicts", day(about.newest_date),
      about.made_at ? `made ${ago(about.made_at, about.now)}, ${moment(about.made_at, "UTC", about.newest_date?.slice(0, 4))}` : ""));
}

/** What has become of the date in each table, where it is not as it should be. */
async function tableStates(date, signal) {
  const { rows } = await ask(`/dates?first=${date}&last=${date}`, { signal });
  const wrong = rows.filter((row) => row.state !== "made");
  if (!wrong.length) return h("p", { class: "shown" }, `All ${count(rows.length, "table")} of this day are as they should be.`);
  return h("p", { class: "shown strong" }, wrong.map((row) => `${row.table} is ${row.state}${row.reason ? `: ${row.reason}` : ""}. `));
}

const figure = (name, value, more, calls = "") =>
  h("div", { class: `figure ${calls}` }, h("dt", {}, name), h("dd", {}, h("b", {}, value), more && h("span", {}, more)));

function filterBar(fleet, changed) {
  const sites = [...new Set(fleet.rows.map((row) => row.site).filter(Boolean))].sort((a, b) => a.localeCompare(b));
  const buttons = STATES.filter(({ key }) => fleet.counts[key] || state.fault.includes(key)).map(({ key, name }) =>
    h("button", {
      class: "toggle", "data-key": key,
      onclick: () => {
        const others = state.fault.filter((each) => each !== key);
        note({ fault: others.length === state.fault.length ? [...others, key] : others });
        changed();
      },
    }, sign(key), `${name} `, h("b", {}, number(fleet.counts[key] ?? 0))));
  const box = h("input", {
    type: "search", id: "filter", placeholder: "Device or site", value: state.q, autocomplete: "off", spellcheck: "false",
    oninput: debounce(120, () => { note({ q: box.value.trim() }); changed(); }),
  });
  const site = h("select", { id: "site", onchange: () => { note({ site: site.value }); changed(); } },
    h("option", { value: "" }, "All sites"), sites.map((name) => h("option", { value: name, selected: name === state.site }, name)));
  const clear = h("button", { onclick: () => {
    note({ fault: [], q: "", site: "" });
    [box.value, site.value] = ["", ""];
    changed();
    box.focus();
  } }, "Show all");
  const element = h("form", { class: "filters", role: "search", "aria-label": "Devices", onsubmit: (event) => event.preventDefault() },
    h("div", { role: "group", "aria-label": "State", class: "toggles" }, buttons),
    h("div", { class: "boxes" },
      h("label", { for: "filter", class: "unseen" }, "Device or site contains"), box,
      sites.length > 0 && [h("label", { for: "site", class: "unseen" }, "Site"), site], clear));
  const mark = () => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(state.fault.includes(button.dataset.key)));
    clear.hidden = !(state.fault.length || state.q || state.site);
  };
  return { element, mark };
}

/** The rows that the address asks for. */
export function chosen(rows) {
  const text = state.q.toLowerCase();
  const faults = new Set(state.fault);
  return rows.filter((row) => (!faults.size || faults.has(row.state)) && (!state.site || row.site === state.site)
    && (!text || row.name.toLowerCase().includes(text) || row.deviceID.toLowerCase().includes(text) || row.site?.toLowerCase().includes(text)));
}

function fleetTable(about, fleet) {
  const year = fleet.date.slice(0, 4);
  return new Grid({
    label: `Devices on ${day(fleet.date)}`,
    sort: state.sort || "state",
    onSort: (sort) => note({ sort: sort === "state" ? "" : sort }),
    // The most urgent first, and among those that are alike the one that costs most.
    tieBreak: (a, b) => a.rank - b.rank || (b.lost_kwh ?? -1) - (a.lost_kwh ?? -1) || (a.deviceID < b.deviceID ? -1 : 1),
    link: (row) => address({ device: row.deviceID }),
    columns: [
      { key: "deviceID", title: "Device", width: "minmax(7.5rem, 1.1fr)", narrow: "minmax(6.2rem, 1fr)", class: "name device",
        value: (row) => row.name, show: (row) => row.name },
      { key: "site", title: "Site", width: "minmax(6rem, 1.2fr)", wide: true, value: (row) => row.site, show: (row) => row.site ?? UNKNOWN },
      { key: "state", title: "State", width: "minmax(9.5rem, 1.2fr)", narrow: "minmax(9.5rem, 1.2fr)",
        value: (row) => row.rank, show: (row) => chip(row.state) },
      { key: "candidates", title: "Can be", width: "minmax(10rem, 1.6fr)", wide: true, value: null,
        show: (row) => (isFault(row.state) ? candidatesInWords(row.candidates) : "") },
      { key: "onset", title: "Since", width: "minmax(10.5rem, 1.2fr)", wide: true, value: (row) => row.onset,
        show: (row) => moment(row.onset, zoneOf(about, row.site), year) },
      { key: "faulty_hours", title: "Shows", unit: "h", width: "minmax(4.2rem, .6fr)", wide: true, numeric: true, value: (row) => row.faulty_hours || null },
      { key: "confidence", title: "Sure", unit: "%", width: "minmax(4.2rem, .6fr)", wide: true, numeric: true,
        value: (row) => row.confidence, show: (row) => number(isKnown(row.confidence) ? 100 * row.confidence : null) },
      { key: "lost_kwh", title: "Lost", unit: "kWh", width: "minmax(5.2rem, .7fr)", narrow: "4.8rem", numeric: true, digits: 1,
        value: (row) => (isFault(row.state) ? row.lost_kwh : row.lost_kwh || null) },
      { key: "energy_kwh", title: "Given", unit: "kWh", width: "minmax(5.6rem, .7fr)", wide: true, numeric: true, digits: 1, value: (row) => row.energy_kwh },
      { key: "specific_yield_kwh_per_kw", title: "Yield", unit: "kWh/kW", width: "minmax(6.6rem, .7fr)", wide: true, numeric: true, digits: 2,
        value: (row) => row.specific_yield_kwh_per_kw },
      { key: "completeness", title: "Readings", unit: "%", width: "minmax(6rem, .6fr)", wide: true, numeric: true, ascends: true,
        value: (row) => row.completeness, show: (row) => number(isKnown(row.completeness) ? 100 * row.completeness : null, 1) },
    ],
  });
}
