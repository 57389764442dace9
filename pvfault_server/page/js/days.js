// Devices by days: who has been found what, for how long, and where it began. A heat map, and the table behind it.

import { ask } from "./api.js";
import { debounce, drawn, h, say, sized, styleOf } from "./dom.js";
import { STATES, colourName, faultName, isFault, stateOf } from "./faults.js";
import { readFleet, sign } from "./fleet.js";
import { Grid } from "./grid.js";
import { address, go, goTo, note, state } from "./state.js";
import { UNKNOWN, count, day, dayAfter, number, shortDay } from "./units.js";

const ROW = 16;
const AXIS = 22;
const LABEL = 108;
const ORDERS = { worst: "Most faulty days first", newest: "Newest faults first", site: "By site", device: "By device" };

export async function daysView(about, signal) {
  const last = state.date || about.newest_date;
  const length = Number(state.days) || 30;
  const first = dayAfter(last, 1 - length);
  const [answer, fleet] = await Promise.all([
    ask(`/fleet/days?first=${first}&last=${last}`, { signal }),
    readFleet(state.date).catch(() => ({ rows: [] })), // without it only names and sites are missing
  ]);
  const known = new Map(fleet.rows.map((row) => [row.deviceID, row]));
  const rows = answer.devices.map((device, at) => rowOf(device, known.get(device), answer, answer.verdict[at]));
  const all = h("input", { type: "checkbox", id: "all", checked: state.state === "all", onchange: () => { note({ state: all.checked ? "all" : "" }); update(); } });
  const order = h("select", { id: "order", onchange: () => { note({ sort: order.value === "worst" ? "" : order.value }); update(); } },
    Object.entries(ORDERS).map(([key, name]) => h("option", { value: key, selected: key === (state.sort || "worst") }, name)));
  const spans = h("select", { id: "span", onchange: () => go({ days: spans.value === "30" ? "" : spans.value }, { replace: true }) },
    [7, 30, 90].map((many) => h("option", { value: String(many), selected: many === length }, `${many} days`)));
  const box = h("input", { type: "search", id: "filter", value: state.q, placeholder: "Device or site", autocomplete: "off",
    oninput: debounce(150, () => { note({ q: box.value.trim() }); update(); }) });
  const told = h("p", { class: "shown", role: "status" });
  const map = heatMap(answer.dates, last);
  const behind = tableBehind(answer.dates);

  function update() {
    const text = state.q.toLowerCase();
    const wanted = sorted(rows.filter((row) => (all.checked || row.found || row.unjudged)
      && (!text || row.name.toLowerCase().includes(text) || row.device.toLowerCase().includes(text) || row.site?.toLowerCase().includes(text))), state.sort || "worst");
    map.show(wanted);
    behind.show(wanted);
    told.textContent = `${count(wanted.length, "device")} of ${number(rows.length)}, `
      + `${count(answer.dates.length, "day that is made", "days that are made")} between ${day(first)} and ${day(last)}`;
  }
  update();
  return {
    title: `Devices by days until ${day(last)}`,
    date: last,
    content: [
      h("h1", { tabindex: "-1" }, "Devices by days"),
      h("form", { class: "filters", onsubmit: (event) => event.preventDefault(), "aria-label": "Days" },
        h("div", { class: "boxes" }, h("label", { for: "filter", class: "unseen" }, "Device or site contains"), box,
          h("label", { for: "order", class: "unseen" }, "Order"), order, h("label", { for: "span", class: "unseen" }, "How many days"), spans,
          h("label", { class: "check" }, all, "Healthy ones too"))),
      told, legend(), map.element, behind.element,
    ],
    shown: () => { map.draw(); return false; },
    close: () => behind.close(),
  };
}

function rowOf(device, known, { faults }, verdicts) {
  const states = verdicts.map((verdict) => (verdict === null ? "unknown" : faults[verdict]));
  const found = states.filter(isFault).length;
  const newest = states.findLastIndex((each, at) => isFault(each) && (at === 0 || states[at - 1] !== each));
  return { device, name: known?.name ?? device, site: known?.site, states, found, newest, unjudged: states.filter((each) => each === "unknown").length };
}

function sorted(rows, by) {
  const orders = {
    worst: (a, b) => b.found - a.found || b.unjudged - a.unjudged,
    newest: (a, b) => b.newest - a.newest || b.found - a.found,
    site: (a, b) => (a.site ?? "￿").localeCompare(b.site ?? "￿"),
    device: () => 0,
  };
  return rows.sort((a, b) => (orders[by] ?? orders.worst)(a, b) || (a.device < b.device ? -1 : 1));
}

const legend = () => h("ul", { class: "legend", "aria-label": "Colours" }, STATES.filter(({ key }) => key !== "no_data").map(({ key, name, code }) =>
  h("li", {}, sign(key), isFault(key) ? `${name} (${code})` : key === "unknown" ? "No verdict" : name)));

function heatMap(dates, last) {
  let rows = [];
  const at = { row: 0, day: Math.max(0, dates.length - 1) };
  const canvas = h("canvas", { role: "img" });
  const space = h("div", { class: "heat-space" }, canvas);
  const readout = h("p", { class: "readout" }, "Point at a day, or use the arrow keys; Enter or a click opens it.");
  const scroller = h("div", {
    class: "heat", tabindex: "0", role: "group", "aria-label": "Heat map of devices by days. Arrow keys move, Enter opens the device's day.",
    onscroll: () => draw(), onkeydown: pressed, onfocus: () => draw(), onblur: () => draw(),
  }, space);
  const element = h("section", { "aria-label": "Heat map" }, scroller, readout);
  const tell = debounce(300, () => say(told()));
  const width = () => Math.max(3, (scroller.clientWidth - LABEL) / Math.max(1, dates.length));

  function draw() {
    const height = scroller.clientHeight;
    const context = sized(canvas, Math.max(50, scroller.clientWidth), height);
    const [cell, top] = [Math.min(width(), 64), scroller.scrollTop];
    const [ink, soft, paper] = [styleOf("--ink"), styleOf("--soft"), styleOf("--paper")];
    context.font = `12px ${styleOf("--font")}`;
    context.textBaseline = "middle";
    const firstRow = Math.floor(top / ROW);
    for (let row = firstRow; row < Math.min(rows.length, firstRow + Math.ceil(height / ROW) + 1); row += 1) {
      const y = AXIS + row * ROW - top;
      context.fillStyle = ink;
      context.textAlign = "left";
      context.fillText(rows[row].name, 4, y + ROW / 2 + 1, LABEL - 10);
      rows[row].states.forEach((each, place) => drawCell(context, each, LABEL + place * cell, y, cell, soft, paper));
    }
    context.fillStyle = paper;
    context.fillRect(0, 0, scroller.clientWidth, AXIS);
    context.fillStyle = soft;
    const step = Math.ceil(46 / cell);
    context.textAlign = "center";
    for (let place = dates.length - 1; place >= 0; place -= step) {
      const x = Math.max(LABEL + 18, Math.min(LABEL + (place + 0.5) * cell, scroller.clientWidth - 22));
      context.fillText(shortDay(dates[place]), x, AXIS / 2);
    }
    if (rows.length && (document.activeElement === scroller || scroller.matches(":hover"))) {
      context.strokeStyle = ink;
      context.lineWidth = 2;
      context.strokeRect(LABEL + at.day * cell + 0.5, AXIS + at.row * ROW - top + 0.5, cell - 1, ROW - 1);
    }
  }

  const told = () => (rows[at.row] ? `${rows[at.row].name}${rows[at.row].site ? `, ${rows[at.row].site}` : ""}, ${day(dates[at.day])}: `
    + (rows[at.row].states[at.day] === "unknown" ? "no verdict" : faultName(rows[at.row].states[at.day])) : "");

  function moved(isKey) {
    readout.textContent = told();
    if (isKey) {
      const y = at.row * ROW;
      if (y < scroller.scrollTop) scroller.scrollTop = y;
      else if (y + ROW + AXIS > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = y + ROW + AXIS - scroller.clientHeight;
      tell();
    }
    draw();
  }

  function pressed(event) {
    if (!rows.length || event.ctrlKey || event.altKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(scroller.clientHeight / ROW) - 3);
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], PageUp: [-page, 0], PageDown: [page, 0],
      Home: [0, -dates.length], End: [0, dates.length] };
    if (event.key === "Enter") open();
    else if (event.key in steps) {
      const [down, right] = steps[event.key];
      at.row = Math.max(0, Math.min(rows.length - 1, at.row + down));
      at.day = Math.max(0, Math.min(dates.length - 1, at.day + right));
      moved(true);
    } else return;
    event.preventDefault();
  }

  const open = () => goTo(address({ device: rows[at.row].device, date: dates[at.day] === last && !state.date ? "" : dates[at.day] }));

  function pointed(event) {
    const cell = Math.min(width(), 64);
    const row = Math.floor((event.offsetY - AXIS + scroller.scrollTop) / ROW);
    const place = event.offsetX < LABEL ? dates.length - 1 : Math.floor((event.offsetX - LABEL) / cell);
    if (event.offsetY < AXIS || row < 0 || row >= rows.length || place >= dates.length) return false;
    [at.row, at.day] = [row, place];
    moved(false);
    return true;
  }
  canvas.addEventListener("pointermove", pointed);
  canvas.addEventListener("pointerleave", () => draw());
  canvas.addEventListener("click", (event) => pointed(event) && open());
  drawn(scroller, draw);
  return {
    element,
    draw,
    show(wanted) {
      rows = wanted;
      at.row = Math.min(at.row, Math.max(0, rows.length - 1));
      space.style.height = `${AXIS + rows.length * ROW}px`;
      scroller.style.height = `min(62vh, ${AXIS + Math.max(1, rows.length) * ROW + 2}px)`;
      canvas.setAttribute("aria-label", alternative(rows, dates));
      draw();
    },
  };
}

function drawCell(context, key, x, y, width, soft, paper) {
  const gap = width > 5 ? 1 : 0;
  context.fillStyle = styleOf(colourName(key));
  context.fillRect(x, y, width - gap, ROW - 1);
  if (key === "unknown") {
    context.strokeStyle = soft;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x + 1, y + ROW - 3);
    context.lineTo(x + width - gap - 1, y + 1);
    context.stroke();
  } else if (isFault(key) && width >= 20) {
    context.fillStyle = paper;
    context.textAlign = "center";
    context.fillText(stateOf(key).code, x + (width - gap) / 2, y + ROW / 2 + 0.5);
  }
}

/** The heat map in words: what a look at it tells. */
function alternative(rows, dates) {
  if (!rows.length) return "No device has been found to need somebody in these days.";
  const newest = STATES.filter(({ key }) => isFault(key))
    .map(({ key, name }) => [name, rows.filter((row) => row.states.at(-1) === key).length])
    .filter(([, many]) => many).map(([name, many]) => `${name} ${many}`);
  const lasting = rows.filter((row) => row.found && row.found === dates.length).length;
  return `${count(rows.length, "device")} by ${count(dates.length, "day")}. On ${day(dates.at(-1))}: ${newest.join(", ") || "no fault"}. `
    + `${count(lasting, "device")} faulty on each of these days. The table below has every value.`;
}

function tableBehind(dates) {
  let [rows, grid] = [[], null];
  const place = h("div");
  const element = h("details", { class: "behind", ontoggle: () => {
    if (!element.open || grid) return;
    grid = new Grid({
      label: "Devices by days", height: "60vh",
      link: (row) => address({ device: row.device }),
      columns: [
        { key: "device", title: "Device", width: "8rem", value: null, show: (row) => row.name, class: "name device" },
        { key: "site", title: "Site", width: "8rem", show: (row) => row.site ?? UNKNOWN },
        { key: "found", title: "Faulty", unit: "days", width: "6rem", numeric: true, show: (row) => number(row.found) },
        ...dates.map((date, at) => ({ key: date, title: shortDay(date), width: "8rem",
          show: (row) => (row.states[at] === "unknown" ? "No verdict" : faultName(row.states[at])) })),
      ],
    });
    place.append(grid.element);
    grid.show(rows);
  } }, h("summary", {}, "The same as a table"), place);
  return { element, show: (wanted) => { rows = wanted; grid?.show(rows); }, close: () => grid?.close() };
}
