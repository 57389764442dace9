// Where devices stand, to scale, without a map of anybody's: their coordinates are the registry's.

import { drawn, h, sized, styleOf } from "./dom.js";
import { colourName, isFault } from "./faults.js";
import { chip, readFleet } from "./fleet.js";
import { Grid } from "./grid.js";
import { address, go, state } from "./state.js";
import { count, day, isKnown, number } from "./units.js";

const KM_A_DEGREE = 111.2;
const MOST_LABELS = 40;
const MOST_LETTERS = 22; // of a site's name, so that half of a phone has room for it

export async function mapView() {
  const fleet = await readFleet(state.date);
  const placed = fleet.rows.filter((row) => isKnown(row.latitude) && isKnown(row.longitude));
  const sites = [...new Set(placed.map((row) => row.site).filter(Boolean))].sort((a, b) => a.localeCompare(b));
  const site = h("select", { id: "site", onchange: () => go({ site: site.value }, { replace: true }) }, h("option", { value: "" }, "All sites"),
    sites.map((name) => h("option", { value: name, selected: name === state.site }, name)));
  const grid = listOf();
  const told = h("p", { class: "shown", role: "status" });
  const plan = planOf(placed, (rows) => {
    grid.show(rows);
    told.textContent = `${count(rows.length, "device")} in sight, ${number(rows.filter((row) => isFault(row.state)).length)} of them need somebody`;
  });
  const missing = fleet.rows.length - placed.length;
  return {
    title: `Map on ${day(fleet.date)}`,
    date: fleet.date,
    content: [
      h("h1", { tabindex: "-1" }, "Map on ", day(fleet.date)),
      placed.length
        ? [h("div", { class: "filters" }, h("div", { class: "boxes" }, h("label", { for: "site", class: "unseen" }, "Site"), site, plan.buttons)),
          told, h("div", { class: "beside" }, plan.element, grid.element)]
        : h("p", { class: "empty" }, "The registry has no latitude and longitude of any device of this date."),
      missing > 0 && placed.length > 0 && h("p", { class: "shown" }, `${count(missing, "device")} without coordinates in the registry ${missing === 1 ? "is" : "are"} not shown here.`),
    ],
    shown: () => { plan.draw(); return false; },
    close: () => grid.close(),
  };
}

function listOf() {
  return new Grid({
    label: "Devices in sight of the map", sort: "state", tieBreak: (a, b) => (b.lost_kwh ?? -1) - (a.lost_kwh ?? -1),
    link: (row) => address({ device: row.deviceID }),
    columns: [
      { key: "deviceID", title: "Device", width: "minmax(6.4rem, 1fr)", class: "name device", value: (row) => row.name, show: (row) => row.name },
      { key: "state", title: "State", width: "minmax(9.5rem, 1fr)", value: (row) => row.rank, show: (row) => chip(row.state) },
      { key: "latitude", title: "Latitude", unit: "°", width: "6rem", wide: true, numeric: true, digits: 4, value: (row) => row.latitude },
      { key: "longitude", title: "Longitude", unit: "°", width: "6.4rem", wide: true, numeric: true, digits: 4, value: (row) => row.longitude },
    ],
  });
}

/** Devices at the same place are one mark. */
function placesOf(rows) {
  const places = new Map();
  for (const row of rows) {
    const key = `${row.latitude.toFixed(6)} ${row.longitude.toFixed(6)}`;
    if (!places.has(key)) places.set(key, { latitude: row.latitude, longitude: row.longitude, rows: [] });
    places.get(key).rows.push(row);
  }
  return [...places.values()].map((place) => ({ ...place, rank: Math.min(...place.rows.map((row) => row.rank)) })).sort((a, b) => b.rank - a.rank);
}

function planOf(rows, seen) {
  const places = placesOf(rows);
  const wanted = state.site ? rows.filter((row) => row.site === state.site) : rows;
  const bounds = (of, name) => of.reduce(([least, most], row) => [Math.min(least, row[name]), Math.max(most, row[name])], [Infinity, -Infinity]);
  const [south, north] = bounds(wanted, "latitude");
  const [west, east] = bounds(wanted, "longitude");
  const centre = { latitude: (south + north) / 2, longitude: (west + east) / 2 };
  const shrink = Math.max(0.05, Math.cos((centre.latitude * Math.PI) / 180));
  const view = { x: 0, y: 0, scale: null }; // km from the centre, CSS pixels a km
  const canvas = h("canvas", { role: "img", "aria-label": alternative(wanted) });
  const frame = h("div", {
    class: "plan", tabindex: "0", role: "group", "aria-label": "Map. Arrow keys move it, plus and minus change its scale. The table beside it lists the devices in sight.",
    onkeydown: pressed,
  }, canvas);
  const at = ({ latitude, longitude }) => [
    frame.clientWidth / 2 + ((longitude - centre.longitude) * KM_A_DEGREE * shrink - view.x) * view.scale,
    frame.clientHeight / 2 - ((latitude - centre.latitude) * KM_A_DEGREE - view.y) * view.scale,
  ];

  function fit() {
    const [high, wide] = [(north - south) * KM_A_DEGREE, (east - west) * KM_A_DEGREE * shrink];
    // One place alone is shown with 200 m around it.
    view.scale = Math.min((frame.clientWidth - 90) / Math.max(wide, 0.4), (frame.clientHeight - 90) / Math.max(high, 0.4));
    [view.x, view.y] = [0, 0];
  }

  function zoom(by, x = frame.clientWidth / 2, y = frame.clientHeight / 2) {
    const scale = Math.max(0.002, Math.min(view.scale * by, 20_000));
    view.x += (x - frame.clientWidth / 2) * (1 / view.scale - 1 / scale);
    view.y -= (y - frame.clientHeight / 2) * (1 / view.scale - 1 / scale);
    view.scale = scale;
    draw();
  }

  function draw() {
    if (!frame.clientWidth) return;
    if (view.scale === null) fit();
    const [width, height] = [frame.clientWidth, frame.clientHeight];
    const context = sized(canvas, width, height);
    context.font = `12px ${styleOf("--font")}`;
    drawDegrees(context, width, height);
    const colours = new Map();
    const colour = (name) => { if (!colours.has(name)) colours.set(name, styleOf(name)); return colours.get(name); };
    const shown = [];
    for (const place of places) {
      const [x, y] = at(place);
      if (x < -20 || y < -20 || x > width + 20 || y > height + 20) continue;
      shown.push(...place.rows);
      drawPlace(context, place, x, y, colour);
    }
    drawNames(context, colour("--ink"), colour("--ground"));
    drawScale(context, height, view.scale, colour("--ink"));
    tellSeen(shown);
  }
  let timer;
  const tellSeen = (shown) => { clearTimeout(timer); timer = setTimeout(() => seen(shown), 60); };

  function drawDegrees(context, width, height) {
    const step = niceStep(110 / (KM_A_DEGREE * view.scale));
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    context.strokeStyle = styleOf("--line");
    context.fillStyle = styleOf("--soft");
    context.lineWidth = 0.5;
    const [left, top] = [centre.longitude + (view.x - width / 2 / view.scale) / (KM_A_DEGREE * shrink), centre.latitude + (view.y + height / 2 / view.scale) / KM_A_DEGREE];
    for (let n = Math.ceil(left / step); n < left / step + 60; n += 1) {
      const [x] = at({ latitude: 0, longitude: n * step });
      if (x > width) break;
      line(context, x, 0, x, height);
      context.fillText(`${number(Math.abs(n * step), digits)}° ${n < 0 ? "W" : "E"}`, x + 3, 12);
    }
    for (let n = Math.floor(top / step); n > top / step - 60; n -= 1) {
      const [, y] = at({ latitude: n * step, longitude: 0 });
      if (y > height) break;
      line(context, 0, y, width, y);
      if (y > 24 && y < height - 34) context.fillText(`${number(Math.abs(n * step), digits)}° ${n < 0 ? "S" : "N"}`, 3, y - 3);
    }
  }

  function drawNames(context, ink, ground) {
    const firsts = new Map();
    for (const place of places) for (const row of place.rows) if (row.site && !firsts.has(row.site)) firsts.set(row.site, place);
    if (firsts.size > MOST_LABELS) return;
    context.textAlign = "left";
    context.lineWidth = 3;
    context.strokeStyle = ground;
    context.fillStyle = ink;
    const taken = [];
    for (const [site, place] of firsts) {
      const name = site.length > MOST_LETTERS ? `${site.slice(0, MOST_LETTERS - 1)}…` : site;
      const [x, y] = at(place);
      const left = x + radius(place) + 5 + context.measureText(name).width > frame.clientWidth;
      context.textAlign = left ? "right" : "left";
      const from = left ? x - radius(place) - 5 : x + radius(place) + 5;
      if (taken.some(([a, b]) => Math.abs(a - from) < 70 && Math.abs(b - y) < 13)) continue;
      taken.push([from, y]);
      context.strokeText(name, from, y + 4);
      context.fillText(name, from, y + 4);
    }
    context.textAlign = "left";
  }

  function pressed(event) {
    const step = 60 / view.scale;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (event.key in moves) { view.x += moves[event.key][0]; view.y += moves[event.key][1]; draw(); }
    else if (event.key === "+" || event.key === "=") zoom(1.5);
    else if (event.key === "-") zoom(1 / 1.5);
    else if (event.key === "0") { fit(); draw(); }
    else return;
    event.preventDefault();
  }

  let held = null;
  canvas.addEventListener("pointerdown", (event) => { held = { x: event.clientX, y: event.clientY, moved: false }; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
    if (!held.moved && Math.hypot(dx, dy) < 4) return;
    view.x -= dx / view.scale;
    view.y += dy / view.scale;
    Object.assign(held, { x: event.clientX, y: event.clientY, moved: true });
    draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    const was = held;
    held = null;
    if (was && !was.moved) clicked(event.offsetX, event.offsetY);
  });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !frame.contains(document.activeElement)) return; // the page scrolls, until the map is asked for
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.25 : 0.8, event.offsetX, event.offsetY);
  }, { passive: false });

  function clicked(x, y) {
    const [place] = places.map((each) => [each, Math.hypot(at(each)[0] - x, at(each)[1] - y) - radius(each)])
      .filter(([, away]) => away < 6).sort((a, b) => a[1] - b[1]).map(([each]) => each);
    if (!place) return;
    if (place.rows.length === 1) go({ device: place.rows[0].deviceID });
    else if (place.rows[0].site && place.rows[0].site !== state.site) go({ view: "sites", site: place.rows[0].site });
  }

  drawn(frame, draw);
  const button = (text, label, press) => h("button", { type: "button", "aria-label": label, title: label, onclick: press }, text);
  return {
    element: frame,
    draw,
    buttons: [button("+", "Nearer", () => zoom(1.6)), button("−", "Farther", () => zoom(1 / 1.6)), button("All", "Show all of it", () => { fit(); draw(); })],
  };
}

const radius = (place) => (place.rows.length === 1 ? 4 : Math.min(26, 7 + 1.6 * Math.sqrt(place.rows.length)));

/** One device is a dot in its colour; several are a disc whose coloured part is the share that needs somebody. */
function drawPlace(context, { rows }, x, y, colour) {
  const size = radius({ rows });
  context.lineWidth = 1;
  context.strokeStyle = colour("--ground");
  if (rows.length === 1) {
    // What has no verdict is drawn by its rim, as its sign is.
    if (!isFault(rows[0].state) && rows[0].state !== "none") context.strokeStyle = colour("--edge");
    disc(context, x, y, size, colour(colourName(rows[0].state)));
    context.stroke();
    return;
  }
  disc(context, x, y, size, colour("--none"));
  let from = -Math.PI / 2;
  const many = new Map();
  for (const row of [...rows].sort((a, b) => a.rank - b.rank)) if (row.state !== "none") many.set(row.state, (many.get(row.state) ?? 0) + 1);
  for (const [key, found] of many) {
    const to = from + (2 * Math.PI * found) / rows.length;
    context.fillStyle = colour(colourName(key));
    context.beginPath();
    context.moveTo(x, y);
    context.arc(x, y, size, from, to);
    context.fill();
    from = to;
  }
  disc(context, x, y, size * 0.6, colour("--paper"));
  context.fillStyle = colour("--ink");
  context.textAlign = "center";
  context.fillText(String(rows.length), x, y + 4);
  context.textAlign = "left";
}

function disc(context, x, y, size, fill) {
  context.fillStyle = fill;
  context.beginPath();
  context.arc(x, y, size, 0, 2 * Math.PI);
  context.fill();
}

function line(context, x, y, toX, toY) {
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(toX, toY);
  context.stroke();
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5, 10].find((each) => each * power >= least) ?? 10);
}

function drawScale(context, height, scale, ink) {
  const km = niceStep(70 / scale);
  const length = km * scale;
  context.strokeStyle = ink;
  context.fillStyle = ink;
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(14, height - 20);
  context.lineTo(14, height - 14);
  context.lineTo(14 + length, height - 14);
  context.lineTo(14 + length, height - 20);
  context.stroke();
  context.fillText(km >= 1 ? `${number(km)} km` : `${number(km * 1000)} m`, 20, height - 20);
}

function alternative(rows) {
  const faulty = rows.filter((row) => isFault(row.state)).length;
  const sites = new Set(rows.map((row) => row.site).filter(Boolean)).size;
  return `Map of ${count(rows.length, "device")}${sites ? ` at ${count(sites, "site")}` : ""}, ${number(faulty)} of them need somebody.`;
}
