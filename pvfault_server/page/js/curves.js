// The curves of a device's day: what was measured against what is expected, with the hours of the fault shaded.

import uPlot from "../uplot/uPlot.min.js";

import { debounce, drawn, h, say, styleOf } from "./dom.js";
import { colourName } from "./faults.js";
import { hourOf, isKnown, number, offset, quantity } from "./units.js";

export const PIXELS = 480;
const DAY_S = 86_400;
const STEP_S = DAY_S / PIXELS;

/** What can be drawn: its name, unit, digits, and the column of the hours with what is expected of it. */
const KINDS = [
  { key: "voltage", name: "Voltage", unit: "V", digits: 0, hourly: "voltage" },
  { key: "current", name: "Current", unit: "A", digits: 2, hourly: "current" },
  { key: "irradiance", name: "Irradiance", unit: "W/m²", digits: 0 },
  { key: "temperature", name: "Module temperature", unit: "°C", digits: 1 },
];

/**
 * @param pixels rows of /devices/DEVICE/readings over the UTC day, PIXELS of them at most
 * @param hours rows of the day's hours
 * @param from the day's beginning, ms
 */
export function dayCurves({ pixels, hours, date, zone, fault }) {
  const from = Date.parse(`${date}T00:00:00Z`) / 1000;
  const x = Array.from({ length: PIXELS + 1 }, (_, at) => from + at * STEP_S);
  const byHour = new Map(hours.map((hour) => [Math.round((Date.parse(hour.window_start) / 1000 - from) / 3600), hour]));
  const hourAt = (at) => byHour.get(Math.min(23, Math.floor((at * STEP_S) / 3600)));
  const shaded = [...byHour].filter(([, hour]) => hour.in_fault).map(([number_]) => number_);
  const place = (name) => {
    const values = x.map(() => null);
    for (const row of pixels) values[Math.round((Date.parse(row.start) / 1000 - from) / STEP_S)] = row[name];
    return values;
  };
  const readings = KINDS.map((kind) => ({ ...kind, least: place(`${kind.key}_min`), most: place(`${kind.key}_max`),
    expected: kind.hourly ? x.map((_, at) => (isLit(hourAt(at)) ? hourAt(at)[kind.hourly]?.expected ?? null : null)) : null }));
  const power = { key: "power", name: "Power", unit: "kW", digits: 2, hourlyOnly: true,
    least: x.map((_, at) => kilo(hourAt(at)?.power?.measured)), expected: x.map((_, at) => (isLit(hourAt(at)) ? kilo(hourAt(at).power?.expected) : null)) };
  const all = [power, ...readings];
  const readout = h("p", { class: "readout" });
  const element = h("div", {
    class: "curves", tabindex: "0", role: "group", "aria-label": "Curves of the day. Left and right arrow keys read them, 15 minutes a step.",
    onkeydown: pressed,
  });
  const rest = `Times in ${zone} (${offset(new Date(from * 1000), zone)}). Point at the curves, or use the arrow keys, to read them.`;
  readout.textContent = rest;
  let plots = [];
  let at = null;

  function told(place_) {
    if (place_ === null || place_ === undefined) return rest;
    const parts = all.map(({ name, unit, digits, least, most, expected }) => {
      const [low, high] = [least[place_], (most ?? least)[place_]];
      if (!isKnown(low)) return null;
      const range = high - low > 10 ** -digits ? `${number(low, digits)} to ${quantity(high, unit, digits)}` : quantity(high, unit, digits);
      return `${name} ${range}${isKnown(expected?.[place_]) ? ` (expected ${quantity(expected[place_], unit, digits)})` : ""}`;
    }).filter(Boolean);
    return `${hourOf(x[place_] * 1000, zone)}: ${parts.join(", ") || "no readings"}.`;
  }
  const tell = debounce(300, (text) => say(text));

  function pressed(event) {
    const steps = { ArrowLeft: -5, ArrowRight: 5, Home: -PIXELS, End: PIXELS };
    if (!(event.key in steps) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    at = Math.max(0, Math.min(PIXELS - 1, (at ?? PIXELS / 2) + (at === null ? 0 : steps[event.key])));
    for (const plot of plots) plot.setCursor({ left: plot.valToPos(x[at], "x"), top: 10 }, false);
    readout.textContent = told(at);
    tell(told(at));
  }

  function draw() {
    for (const plot of plots) plot.destroy();
    const width = Math.max(240, element.clientWidth);
    element.replaceChildren();
    plots = all.map((curve, number_) => {
      const isLast = number_ === all.length - 1;
      const figure = h("figure", { class: "curve" },
        h("figcaption", {}, h("b", {}, curve.name), h("span", { class: "unit" }, ` ${curve.unit}`), key(curve)));
      const plot_ = h("div", { class: "plot", role: "img", "aria-label": alternative(curve, x, zone) });
      figure.append(plot_);
      element.append(figure);
      return new uPlot(optionsOf(curve, { width, isLast, zone, shaded, from, fault, moved: (place_) => {
        if (place_ !== undefined) readout.textContent = told(place_);
      } }), dataOf(curve, x), plot_);
    });
  }
  drawn(element, debounceWidth(element, draw));
  return h("section", { "aria-label": "Curves" }, readout, element);
}

// In the dark a healthy array gives nothing, and its voltage says nothing.
const isLit = (hour) => Boolean(hour) && !["dark", "missing"].includes(hour.quality);

const kilo = (watt) => (isKnown(watt) ? watt / 1000 : null);

/** A resize draws anew only if the width is another. */
function debounceWidth(element, draw) {
  let [width, colours] = [0, ""];
  return () => {
    const now = styleOf("--ink");
    if (Math.abs(element.clientWidth - width) < 2 && now === colours) return;
    [width, colours] = [element.clientWidth, now];
    draw();
  };
}

const key = (curve) => (curve.expected
  ? h("span", { class: "key" }, h("i", { class: "measured" }), "measured", h("i", { class: "expected" }), "expected")
  : null);

function dataOf(curve, x) {
  const rows = [x, curve.least];
  if (curve.most) rows.push(curve.most);
  if (curve.expected) rows.push(curve.expected);
  return rows;
}

function optionsOf(curve, { width, isLast, zone, shaded, from, fault, moved }) {
  const [ink, soft, line, accent] = ["--ink", "--soft", "--line", "--curve"].map(styleOf);
  const shade = fault ? styleOf(colourName(fault)) : soft;
  const stepped = uPlot.paths.stepped({ align: 1 });
  const font = `11px ${styleOf("--font")}`;
  const axis = { stroke: soft, font, grid: { stroke: line, width: 0.5 }, ticks: { show: false } };
  const series = [{}, { stroke: accent, width: 1.25, points: { show: false }, ...(curve.hourlyOnly ? { paths: stepped } : {}) }];
  if (curve.most) series.push({ stroke: accent, width: 1, points: { show: false } });
  if (curve.expected) series.push({ stroke: ink, width: 1.25, dash: [5, 4], points: { show: false }, paths: stepped });
  return {
    width,
    height: (isLast ? 22 : 0) + 104,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    padding: [6, 18, isLast ? 0 : 6, 0],
    legend: { show: false },
    select: { show: false },
    cursor: { sync: { key: "day" }, drag: { x: false, y: false }, points: { show: false }, y: false },
    scales: { x: { time: true, range: () => [from, from + DAY_S] }, y: { range: (_, least, most) => range(curve, least, most) } },
    axes: [
      { ...axis, show: isLast, size: 22, gap: 4, space: 56, values: (_, ticks) => ticks.map((each) => hourOf(each * 1000, zone)), incrs: [3600, 7200, 10_800, 14_400, 21_600] },
      { ...axis, size: 44, gap: 4, space: 28 },
    ],
    series,
    bands: curve.most ? [{ series: [2, 1], fill: `color-mix(in srgb, ${accent} 35%, transparent)` }] : [],
    hooks: {
      drawClear: [(plot) => {
        const { ctx, bbox } = plot;
        for (const hour of shaded) {
          const left = plot.valToPos(from + hour * 3600, "x", true);
          const right = plot.valToPos(from + (hour + 1) * 3600, "x", true);
          ctx.globalAlpha = 0.16;
          ctx.fillStyle = shade;
          ctx.fillRect(left, bbox.top, right - left, bbox.height);
          ctx.globalAlpha = 1;
          ctx.fillRect(left, bbox.top, right - left, 2 * devicePixelRatio);
        }
      }],
      setCursor: [(plot) => moved(plot.cursor.idx ?? undefined)],
    },
  };
}

function range({ key: name, expected }, least, most) {
  const top = Math.max(most ?? 0, ...(expected ?? []).map((each) => each ?? 0));
  if (!isKnown(most)) return [0, 1];
  if (name === "temperature") return [Math.min(0, least), Math.max(1, most * 1.05)];
  return [0, Math.max(top * 1.06, 0.1)];
}

/** A curve in words. */
function alternative({ name, unit, digits, least, most, expected }, x, zone) {
  const high = (most ?? least).map((each) => each ?? -Infinity);
  const peak = high.indexOf(Math.max(...high));
  if (!isKnown(least[peak])) return `${name}: no readings.`;
  const known = least.filter(isKnown);
  return `${name}: ${quantity(Math.min(...known), unit, digits)} to ${quantity(high[peak], unit, digits)}, the most at ${hourOf(x[peak] * 1000, zone)}`
    + `${isKnown(expected?.[peak]) ? `, when ${quantity(expected[peak], unit, digits)} were expected` : ""}. The table of hours below has the values.`;
}
