// A device on a day: the verdict, why, its curves, its hours, its past, and what is done about it.

import { ask, load } from "./api.js";
import { devicePanel } from "./alarms.js";
import { PIXELS, dayCurves } from "./curves.js";
import { h } from "./dom.js";
import { STATES, candidatesInWords, colourName, faultName, isFault, stateKey, stateOf } from "./faults.js";
import { chip, readFleet, sign, zoneOf } from "./fleet.js";
import { plainTable } from "./grid.js";
import { median, strip, yieldOf } from "./sites.js";
import { address, note, state, viewAddress } from "./state.js";
import { UNKNOWN, count, day, dayAfter, energy, hourOf, isKnown, moment, money, number, offset, quantity, share, shortDay, time } from "./units.js";

const CLASSES = STATES.filter(({ key }) => isFault(key) || key === "none");
const HISTORY_DAYS = 30;
const QUALITY = { ok: "judged", dark: "too dark", sparse: "too few readings", invalid: "readings not of the array", missing: "no readings", curtailed: "inverter takes less than there is", "not reporting": "zeros or placeholders" };

export async function deviceView(about, signal, viewName) {
  const device = state.device;
  const date = state.date || about.newest_date;
  const found = await ask(`/devices/${encodeURIComponent(device)}/days/${encodeURIComponent(date)}`, { signal });
  const zone = zoneOf(about, found.site);
  const context = { about, device, date, found, zone, key: stateKey(found.fault, found.completeness) };
  const places = Object.fromEntries(["curves", "alarms", "peers", "history"].map((name) => [name, h("div")]));
  return {
    title: `${found.name} on ${day(date)}`,
    date,
    content: [
      h("p", { class: "back" }, h("a", { href: address({ device: "", hour: "" }) }, `‹ ${viewName}`)),
      heading(context), verdict(context),
      h("div", { class: "columns" },
        h("div", { class: "wide-column" },
          panel("The day", places.curves),
          panel("Hours and probabilities", [probabilities(context), hoursTable(context)]),
          scalogramPanel(context)),
        h("div", { class: "narrow-column" },
          panel("Why", why(context)),
          panel("Alarms", places.alarms),
          panel("Its peers", places.peers),
          panel(`The last ${HISTORY_DAYS} days`, places.history))),
    ],
    shown: () => {
      load(places.curves, "The curves", (abort) => curves(context, abort));
      load(places.alarms, "The alarms", (abort) => devicePanel(about, device, abort));
      load(places.peers, "The peers", () => peers(context));
      load(places.history, "The days before", (abort) => history_(context, abort));
      return false;
    },
  };
}

const panel = (title, content) => h("section", { class: "panel", "aria-label": title }, h("h2", {}, title), content);

function heading({ found, zone, date }) {
  return h("div", { class: "device-head" },
    h("h1", { tabindex: "-1" }, found.name, h("span", { class: "aside" }, " on ", day(date))),
    h("p", { class: "shown" }, found.site ? [h("a", { href: viewAddress({ view: "sites", site: found.site, date: state.date }) }, found.site), ", "] : "",
      isKnown(found.rated_kw) ? `rated ${quantity(found.rated_kw, "kW", 1)}, ` : "",
      `times in ${zone}${zone === "UTC" ? "" : ` (${offset(new Date(`${date}T12:00:00Z`), zone)})`}`));
}

function verdict({ about, found, zone, date, key }) {
  const is = isFault(key);
  const lost = found.lost_kwh;
  const facts = [
    ["State", chip(key)],
    is && ["Since", moment(found.onset, zone, date.slice(0, 4))],
    is && ["Shows in", `${quantity(found.faulty_hours, "h")} of ${quantity(found.usable_hours, "h")}`],
    isKnown(found.confidence) && ["Sure", share(found.confidence)],
    found.candidates?.length > 1 && ["Can be", candidatesInWords(found.candidates)],
    found.runner_up && found.runner_up_probability >= 0.005 && ["Else", `${faultName(found.runner_up)}, ${share(found.runner_up_probability)}`],
    (is || lost > 0) && ["Lost", [energy(lost), isKnown(lost) && isKnown(about.tariff_per_kwh) ? `, ${money(lost * about.tariff_per_kwh, about.currency)}` : ""]],
    ["Given", energy(found.energy_kwh)],
    ["Readings that came", share(found.completeness, 1)],
  ].filter(Boolean);
  const element = h("dl", { class: `verdict ${is ? "is-fault" : ""}` }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  element.style.setProperty("--sign", `var(${colourName(key)})`);
  return element;
}

/** Words of the server, whose times are in UTC, with those of the plant. */
const inZone = (text, date, zone) => text.replace(/\b(?:(\d\d:\d\d) to )?(\d\d:\d\d) UTC\b/g, (_, from, to) =>
  `${from ? `${hourOf(`${date}T${from}:00Z`, zone)} to ` : ""}${time(`${date}T${to}:00Z`, zone)}`);

function why({ found: { explanation }, date, zone }) {
  if (!explanation) return h("p", { class: "empty" }, "Nothing is known of why.");
  return [
    h("p", {}, inZone(explanation.text, date, zone)),
    explanation.observations?.length > 0 && h("ul", { class: "lines" }, explanation.observations.map((each) => h("li", {}, inZone(each, date, zone)))),
    explanation.runner_up && [h("h3", {}, "What would tell the two apart"), h("p", {}, inZone(explanation.runner_up, date, zone))],
  ];
}

async function curves({ device, date, found, zone, key }, signal) {
  const path = `/devices/${encodeURIComponent(device)}/readings?start=${date}T00:00:00Z&end=${dayAfter(date, 1)}T00:00:00Z&pixels=${PIXELS}`;
  const { rows } = await ask(path, { signal });
  if (!rows.length) return h("p", { class: "empty" }, "No reading came on this day.");
  const isShaded = isFault(key) && found.hours.some((hour) => hour.in_fault);
  return [
    isShaded && h("p", { class: "shown" }, h("span", { class: "shade-key" }, sign(key)), `Shaded: the hours in which ${faultName(key).toLowerCase()} shows.`),
    dayCurves({ pixels: rows, hours: found.hours, date, zone, fault: isFault(key) ? key : null }),
  ];
}

/** The hours that can say something: from the first to the last that was not dark or empty. */
function tellingHours(hours) {
  const tells = hours.map((hour) => hour.probabilities !== null || !["dark", "missing"].includes(hour.quality));
  return hours.slice(Math.max(0, tells.indexOf(true)), tells.lastIndexOf(true) + 1);
}

function probabilities({ found, zone }) {
  const hours = tellingHours(found.hours).filter((hour) => hour.probabilities);
  if (!hours.length) return h("p", { class: "empty" }, "No hour of this day could be judged.");
  return h("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": "Probabilities by hour" },
    h("table", { class: "shades" },
      h("caption", {}, `Probability of each state by hour, in per cent; hours begin at the time shown (${zone}).`),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "State"),
        hours.map((hour) => h("th", { scope: "col", class: hour.in_fault ? "in-fault" : "" }, hourOf(hour.window_start, zone).slice(0, 5))))),
      h("tbody", {}, CLASSES.map(({ key, name }) => h("tr", {}, h("th", { scope: "row" }, sign(key), name),
        hours.map((hour) => {
          const value = hour.probabilities[key];
          const cell = h("td", { class: value >= 0.5 ? "much" : "" }, value >= 0.005 ? number(100 * value) : "·");
          cell.style.setProperty("--much", `${Math.round(100 * value)}%`);
          cell.style.setProperty("--sign", `var(${colourName(key)})`);
          return cell;
        }))))));
}

function hoursTable({ found, zone }) {
  const pair = (values, unit, digits, by = 1) => `${number(isKnown(values?.measured) ? values.measured / by : null, digits)} / ${number(isKnown(values?.expected) ? values.expected / by : null, digits)}`;
  return h("details", { class: "behind" }, h("summary", {}, "All hours as a table"), plainTable({
    caption: "Means of each hour; measured / expected", shows: true,
    head: [`Hour (${zone})`, "Quality", "Readings", "Irradiance W/m²", "Temperature °C", "Voltage V", "Current A", "Power kW", "Found", "Sure %", "Can be"],
    rows: found.hours.map((hour) => [hourOf(hour.window_start, zone), QUALITY[hour.quality] ?? hour.quality, number(hour.readings), number(hour.mean_irradiance), number(hour.mean_temperature, 1),
      pair(hour.voltage, "V", 0), pair(hour.current, "A", 2), pair(hour.power, "kW", 2, 1000), hour.fault ? faultName(hour.fault) : UNKNOWN, number(isKnown(hour.confidence) ? 100 * hour.confidence : null), candidatesInWords(hour.candidates) || UNKNOWN]),
  }));
}

function scalogramPanel({ device, found, zone }) {
  const hours = found.hours.filter((hour) => hour.quality === "ok");
  if (!hours.length) return panel("Scalogram", h("p", { class: "empty" }, "No hour of this day has a scalogram: it was too dark, the inverter was limiting, or too few readings came."));
  const telling = [...hours].sort((a, b) => b.in_fault - a.in_fault || (b.mean_irradiance ?? 0) - (a.mean_irradiance ?? 0))[0];
  const place = h("div", { class: "picture" });
  const select = h("select", { id: "hour", onchange: () => { note({ hour: select.value }); show(); } }, hours.map((hour) => h("option", {
    value: hour.window_start, selected: hour.window_start === (state.hour || telling.window_start),
  }, `${hourOf(hour.window_start, zone)} – ${hour.fault ? faultName(hour.fault).toLowerCase() : "not judged"}${isKnown(hour.confidence) ? `, ${share(hour.confidence)}` : ""}`)));
  const show = () => load(place, "The scalogram", async (signal) => {
    const blob = await ask(`/devices/${encodeURIComponent(device)}/windows/${encodeURIComponent(select.value)}/scalogram.png`, { signal, as: (answer) => answer.blob() });
    const url = URL.createObjectURL(blob);
    const hour = hours.find((each) => each.window_start === select.value);
    const image = h("img", { src: url, alt: `Scalogram of ${found.name}, the hour from ${moment(hour.window_start, zone, "")}: how strongly the readings swing, by minute and by period. `
      + `The network takes it for ${hour.fault ? faultName(hour.fault).toLowerCase() : "nothing"}.`, onload: () => URL.revokeObjectURL(url) });
    return image;
  });
  const element = panel("Scalogram", [h("p", { class: "boxes" }, h("label", { for: "hour" }, `Hour (${zone}) `), select), place]);
  queueMicrotask(show);
  return element;
}

async function peers({ device, found }) {
  if (!found.site) return h("p", { class: "empty" }, "The registry names no site of this device.");
  const fleet = await readFleet(state.date);
  const rows = fleet.rows.filter((row) => row.site === found.site);
  const own = rows.find((row) => row.deviceID === device);
  const middle = median(rows.map(yieldOf));
  if (!isKnown(middle)) return h("p", { class: "empty" }, "The registry has no ratings of the devices of this site.");
  const greatest = rows.reduce((most, row) => Math.max(most, yieldOf(row) ?? 0), 0);
  const text = own && isKnown(yieldOf(own))
    ? `${quantity(yieldOf(own), "kWh/kW", 2)} against a median of ${quantity(middle, "kWh/kW", 2)} of the ${count(rows.length, "device")} of ${found.site}.`
    : `The median of ${found.site} is ${quantity(middle, "kWh/kW", 2)}.`;
  return [h("p", {}, text), strip(rows, greatest, middle, { width: 280, ringed: own, label: text }),
    h("p", {}, h("a", { href: viewAddress({ view: "sites", site: found.site, date: state.date }) }, "Side by side"))];
}

async function history_({ device, date, about }, signal) {
  const first = dayAfter(date, 1 - HISTORY_DAYS);
  const { rows } = await ask(`/devices/${encodeURIComponent(device)}/days?first=${first}&last=${date}`, { signal });
  const byDay = new Map(rows.map((row) => [row.date, row]));
  const days = Array.from({ length: HISTORY_DAYS }, (_, at) => dayAfter(first, at));
  const cell = (each) => {
    const row = byDay.get(each);
    if (!row) return h("li", { class: "gone", title: `${day(each)}: not made` }, h("span", { class: "unseen" }, `${shortDay(each)}: not made`));
    const key = stateKey(row.fault, row.completeness);
    const { name, code } = stateOf(key);
    const text = `${shortDay(each)}: ${name}${isFault(key) ? `, ${energy(row.lost_kwh)} lost` : ""}`;
    const link = h("a", { href: address({ date: each === about.newest_date ? "" : each, hour: "" }), title: text, "aria-current": each === date ? "date" : null },
      h("span", { "aria-hidden": "true" }, key === "none" ? "" : code), h("span", { class: "unseen" }, text));
    link.style.setProperty("--sign", `var(${colourName(key)})`);
    return h("li", { class: isFault(key) ? "is-fault" : key }, link);
  };
  const lost = rows.reduce((all, row) => all + (row.lost_kwh ?? 0), 0);
  return [
    h("ol", { class: "past" }, days.map(cell)),
    h("p", {}, `${day(first)} to ${day(date)}: faulty on ${count(rows.filter((row) => isFault(row.fault)).length, "day")} of ${number(rows.length)} that are made, ${energy(lost)} lost.`),
    h("details", {}, h("summary", {}, "Days as a table"), plainTable({
      caption: "Verdict of each day", shows: false, head: ["Day (UTC)", "Found", "Sure %", "Lost kWh", "Given kWh", "Readings %"],
      rows: [...rows].reverse().map((row) => [day(row.date), stateOf(stateKey(row.fault, row.completeness)).name, number(isKnown(row.confidence) ? 100 * row.confidence : null),
        number(row.lost_kwh, 1), number(row.energy_kwh, 1), number(isKnown(row.completeness) ? 100 * row.completeness : null, 1)]),
    })),
  ];
}
