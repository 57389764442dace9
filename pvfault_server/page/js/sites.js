// Sites, and the devices of one side by side: the yield of a device's rated power against that of its peers.

import { h, sized, styleOf } from "./dom.js";
import { colourName, isFault } from "./faults.js";
import { chip, chosen, readFleet } from "./fleet.js";
import { Grid } from "./grid.js";
import { address, note, state, viewAddress } from "./state.js";
import { UNKNOWN, count, day, energy, isKnown, number, quantity, share } from "./units.js";

const NO_SITE = "No site";
const STRIP = 180;

export function median(values) {
  const known = values.filter(isKnown).sort((a, b) => a - b);
  if (!known.length) return null;
  const half = known.length >> 1;
  return known.length % 2 ? known[half] : (known[half - 1] + known[half]) / 2;
}

export const yieldOf = (row) => row.specific_yield_kwh_per_kw;

export async function sitesView(about) {
  const fleet = await readFleet(state.date);
  const greatest = fleet.rows.reduce((most, row) => Math.max(most, yieldOf(row) ?? 0), 0);
  const sites = sitesOf(fleet.rows);
  const table = sitesTable(sites, greatest);
  table.show(sites);
  const peers = state.site ? peersOf(fleet.rows.filter((row) => row.site === state.site), greatest) : null;
  return {
    title: state.site ? `${state.site} on ${day(fleet.date)}` : `Sites on ${day(fleet.date)}`,
    date: fleet.date,
    content: state.site
      ? [h("p", { class: "back" }, h("a", { href: address({ site: "", sort: "" }) }, "‹ All sites")),
        h("h1", { tabindex: "-1" }, state.site, " on ", day(fleet.date), h("span", { class: "aside" }, zoneText(about))), peers.element]
      : [h("h1", { tabindex: "-1" }, "Sites on ", day(fleet.date)),
        h("p", { class: "shown" }, `${count(sites.length, "site")}. Yield is the energy of the day for each kW that a device is rated for: `
          + "devices of a site have the same sun, so who is left of its peers has a reason."),
        table.element],
    shown: (from) => {
      table.draw(true);
      peers?.grid.draw(true);
      return Boolean(from.device && peers?.grid.focusOn((row) => row.deviceID === from.device));
    },
    close: () => { table.close(); peers?.grid.close(); },
  };
}

const zoneText = (about) => ` ${about.zones.get(state.site) ?? ""}`;

function sitesOf(rows) {
  const groups = new Map();
  for (const row of rows) {
    const name = row.site ?? NO_SITE;
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(row);
  }
  const sum = (of, name) => of.reduce((all, row) => all + (row[name] ?? 0), 0);
  return [...groups].map(([name, of]) => ({
    name, of, faulty: of.filter((row) => isFault(row.state)).length, lost: sum(of, "lost_kwh"), given: sum(of, "energy_kwh"),
    median: median(of.map(yieldOf)), silent: of.filter((row) => !row.fault).length,
  }));
}

function sitesTable(sites, greatest) {
  return new Grid({
    label: "Sites", sort: state.sort || "-faulty", onSort: (sort) => note({ sort }),
    tieBreak: (a, b) => b.lost - a.lost || a.name.localeCompare(b.name),
    link: (row) => (row.name === NO_SITE ? viewAddress({ view: "" }) : address({ site: row.name, sort: "" })),
    columns: [
      { key: "name", title: "Site", width: "minmax(8rem, 1.4fr)", narrow: "minmax(6.5rem, 1fr)", class: "name", value: (row) => row.name, show: (row) => row.name },
      { key: "of", title: "Devices", width: "minmax(5rem, .6fr)", wide: true, numeric: true, value: (row) => row.of.length },
      { key: "faulty", title: "Need somebody", width: "minmax(8.5rem, .8fr)", narrow: "8.6rem", numeric: true, value: (row) => row.faulty,
        show: (row) => h("span", { class: row.faulty ? "strong" : "" }, number(row.faulty)) },
      { key: "lost", title: "Lost", unit: "kWh", width: "minmax(5.4rem, .7fr)", narrow: "5.4rem", numeric: true, digits: 1, value: (row) => row.lost },
      { key: "given", title: "Given", unit: "kWh", width: "minmax(6rem, .7fr)", wide: true, numeric: true, digits: 1, value: (row) => row.given },
      { key: "median", title: "Median yield", unit: "kWh/kW", width: "minmax(10rem, .8fr)", wide: true, numeric: true, digits: 2, value: (row) => row.median },
      { key: "strip", title: "Yield of each device", unit: `0 to ${number(greatest, 1)} kWh/kW`, width: `${STRIP + 130}px`, wide: true,
        show: (row) => strip(row.of, greatest, row.median) },
    ],
  });
}

/** The yields of some devices as marks on a line, the median as a stroke through it, one device by a ring. */
export function strip(rows, greatest, middle, { width = STRIP, ringed = null, label = null } = {}) {
  const canvas = h("canvas", { class: "strip", role: "img", "aria-label": label ?? `Median ${quantity(middle, "kWh/kW", 2)}` });
  const context = sized(canvas, width, 20);
  const x = (value) => 6 + (width - 12) * (greatest ? value / greatest : 0);
  context.strokeStyle = styleOf("--line");
  context.beginPath();
  context.moveTo(6, 10);
  context.lineTo(width - 6, 10);
  context.stroke();
  if (isKnown(middle)) {
    context.fillStyle = styleOf("--soft");
    context.fillRect(x(middle) - 0.75, 2, 1.5, 16);
  }
  for (const row of [...rows].sort((a, b) => b.rank - a.rank)) {
    if (!isKnown(yieldOf(row))) continue;
    context.fillStyle = styleOf(isFault(row.state) ? colourName(row.state) : "--mark");
    context.globalAlpha = isFault(row.state) ? 1 : 0.6;
    context.beginPath();
    context.arc(x(yieldOf(row)), 10, 3.5, 0, 7);
    context.fill();
  }
  context.globalAlpha = 1;
  if (ringed && isKnown(yieldOf(ringed))) {
    context.strokeStyle = styleOf("--ink");
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(x(yieldOf(ringed)), 10, 6, 0, 7);
    context.stroke();
  }
  return canvas;
}

function peersOf(rows, greatest) {
  const middle = median(rows.map(yieldOf));
  const grid = new Grid({
    label: `Devices of ${state.site}`, sort: state.sort || "yield", onSort: (sort) => note({ sort }),
    link: (row) => address({ device: row.deviceID }),
    columns: [
      { key: "deviceID", title: "Device", width: "minmax(7.5rem, 1fr)", narrow: "minmax(6.2rem, 1fr)", class: "name device", value: (row) => row.name, show: (row) => row.name },
      { key: "state", title: "State", width: "minmax(9.5rem, 1fr)", narrow: "minmax(9.5rem, 1fr)", value: (row) => row.rank, show: (row) => chip(row.state) },
      { key: "rated", title: "Rated", unit: "kW", width: "minmax(5.5rem, .6fr)", wide: true, numeric: true, digits: 1, value: (row) => row.rated_kw },
      { key: "energy", title: "Given", unit: "kWh", width: "minmax(5.8rem, .6fr)", wide: true, numeric: true, digits: 1, value: (row) => row.energy_kwh },
      { key: "yield", title: "Yield", unit: "kWh/kW", width: "minmax(7rem, .7fr)", narrow: "6.4rem", numeric: true, ascends: true, digits: 2, value: yieldOf },
      { key: "against", title: "Against median", unit: "%", width: "minmax(8.5rem, .8fr)", wide: true, numeric: true, ascends: true,
        value: (row) => (isKnown(yieldOf(row)) && middle ? yieldOf(row) / middle - 1 : null),
        show: (row) => (isKnown(yieldOf(row)) && middle ? signed(100 * (yieldOf(row) / middle - 1)) : UNKNOWN) },
      { key: "bar", title: "Side by side", unit: `0 to ${number(greatest, 1)} kWh/kW`, width: "minmax(14rem, 2fr)", wide: true, show: (row) => bar(yieldOf(row), middle, greatest, row.state) },
    ],
  });
  grid.show(chosen(rows));
  const faulty = rows.filter((row) => isFault(row.state)).length;
  const [given, lost] = ["energy_kwh", "lost_kwh"].map((name) => rows.reduce((all, row) => all + (row[name] ?? 0), 0));
  return {
    grid,
    element: h("section", { "aria-label": `Devices of ${state.site}` },
      h("p", { class: "shown" }, `${count(rows.length, "device")}, ${number(faulty)} of them ${faulty === 1 ? "needs" : "need"} somebody; `
        + `${energy(given)} given, ${energy(lost)} lost (${share(given + lost ? lost / (given + lost) : null, 1)}); `
        + `median yield ${quantity(middle, "kWh/kW", 2)}, the line in the bars.`), grid.element),
  };
}

const signed = (value) => `${Math.round(value) > 0 ? "+" : ""}${number(Math.round(value) || 0)}`;

function bar(value, middle, greatest, key) {
  if (!isKnown(value)) return UNKNOWN;
  const filled = h("div", { class: "bar-filled" });
  filled.style.width = `${(100 * value) / greatest}%`;
  filled.style.background = `var(${isFault(key) ? colourName(key) : "--mark"})`;
  const mark = h("div", { class: "bar-median" });
  mark.style.left = `${(100 * (middle ?? 0)) / greatest}%`;
  return h("div", { class: "bar", "aria-hidden": "true" }, filled, mark);
}
