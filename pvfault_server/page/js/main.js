// The page as a whole: which view the address asks for, its frame, the day, the zone, and whether there is news.

import { Problem, ask, load } from "./api.js";
import { h, say } from "./dom.js";
import { fleetView, forgetFleet, readFleet } from "./fleet.js";
import { address, go, onChange, state, viewAddress } from "./state.js";
import { day, dayAfter, isZone } from "./units.js";

const NEWS_S = 60;
// Of the views that are not the first one, the script is fetched when they are asked for.
const VIEWS = [
  { key: "", name: "Fleet", make: fleetView },
  { key: "days", name: "Days", make: async (...given) => (await import("./days.js")).daysView(...given) },
  { key: "sites", name: "Sites", make: async (...given) => (await import("./sites.js")).sitesView(...given) },
  { key: "map", name: "Map", make: async (...given) => (await import("./map.js")).mapView(...given) },
  { key: "alarms", name: "Alarms", make: async (...given) => (await import("./alarms.js")).alarmsView(...given) },
];
const ALARM = { key: "alarms", name: "Alarm", make: async (...given) => (await import("./alarms.js")).alarmView(...given) };
const DEVICE = { key: "device", name: "Device", make: async (...given) => (await import("./device.js")).deviceView(...given, listed().name) };

const main = document.getElementById("main");
let about = null;
let view = null;
let before = {};

const listed = () => VIEWS.find((each) => each.key === state.view) ?? VIEWS[0];
const wanted = () => (state.device ? DEVICE : state.alarm ? ALARM : listed());

async function readAbout(signal) {
  const found = await ask("/about", { signal });
  const zones = new Map(Object.entries(found.time_zones ?? {}).filter(([, zone]) => isZone(zone)));
  return { ...found, zones };
}

/** Build what the address asks for; `from` is what was shown before. */
async function show(how) {
  const from = before;
  before = { ...state };
  const next = wanted();
  view?.close?.();
  view = null;
  const left = main.querySelector("h1") !== null;
  frame(next);
  let made = null;
  const worked = await load(main, next.name, async (signal) => {
    // Who opens the page waits for the devices, not first for what is said about them.
    if (!about && next === VIEWS[0]) readFleet(state.date).catch(() => {});
    about ??= await readAbout(signal);
    if (!about.newest_date && !state.date && next.key !== "alarms") throw new Problem(404, "nothing_made", "no date is made yet");
    made = await next.make(about, signal);
    return made.content;
  });
  if (!worked) {
    if (next.key === wanted().key && !main.querySelector("h1")) main.prepend(h("h1", { tabindex: "-1" }, next.name));
    document.title = `${next.name} – pvfault`;
    return;
  }
  view = made;
  document.title = `${made.title} – pvfault`;
  frame(next, made);
  const kept = (made.shown?.(from) ?? false) || document.activeElement?.closest("#when");
  if (!kept && left && how !== "replace") {
    main.querySelector("h1")?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  if (left) say(made.title);
}

function frame(next, made) {
  const isNow = (each) => (state.alarm ? each.key === "alarms" : each === listed());
  const held = document.activeElement?.closest("#when") ? document.activeElement.id : "";
  document.getElementById("views").replaceChildren(h("ul", {}, VIEWS.map((each) => h("li", {},
    h("a", { href: viewAddress({ view: each.key }), "aria-current": isNow(each) ? (next === each ? "page" : "true") : null }, each.name)))));
  document.querySelector(".brand").setAttribute("href", viewAddress({}));
  document.getElementById("when").replaceChildren(...whenControls(made).filter(Boolean));
  if (held) document.getElementById(held)?.focus();
  document.getElementById("foot").replaceChildren(
    h("p", {}, "Days are UTC days. Times are ", state.utc ? "in UTC" : "those of each plant's own zone, by the registry; in UTC where it names none",
      ". Lost energy is what a healthy array of the same ratings would have given above what was measured, in the hours in which the fault shows."));
}

function whenControls(made) {
  const zone = h("label", { class: "switch" },
    h("input", { type: "checkbox", role: "switch", id: "utc", checked: Boolean(state.utc), onchange: (event) => {
      go({ utc: event.target.checked ? "1" : "" }, { replace: true });
    } }), h("span", { title: "Times in UTC instead of each plant's own zone" }, "UTC"));
  const date = made?.date ?? (state.date || about?.newest_date);
  if (!date || made?.dateless) return [zone];
  const last = about?.newest_date;
  const to = (id, label, sign, target, off) => (off
    ? h("span", { class: "step off", "aria-hidden": "true" }, sign)
    : h("a", { class: "step", id, href: address({ date: target, hour: "" }), "aria-label": `${label}, ${day(target)}`, title: label }, sign));
  return [
    h("div", { class: "dates", role: "group", "aria-label": "Day" },
      to("day-before", "The day before", "‹", dayAfter(date, -1)),
      h("label", { class: "unseen", for: "date" }, "Day (UTC)"),
      h("input", { type: "date", id: "date", value: date, max: last, onchange: (event) => {
        if (event.target.value) go({ date: event.target.value, hour: "" });
      } }),
      to("day-after", "The day after", "›", dayAfter(date, 1), last && date >= last),
      last && date !== last && h("a", { class: "newest", href: address({ date: "", hour: "" }) }, "Newest")),
    zone,
  ];
}

/** Whether there are other verdicts than those that are shown; they are not put in place of what somebody is reading. */
async function lookForNews() {
  if (!about || document.hidden) return;
  let found;
  try { found = await readAbout(); } catch { return; } // whoever asks for something is told that the server is gone
  const isNews = found.newest_date !== about.newest_date || found.made_at !== about.made_at;
  if (!isNews) { about.now = found.now; return; }
  const place = document.getElementById("notices");
  place.replaceChildren(h("div", { class: "news", role: "status" },
    `There are new verdicts, the newest of ${day(found.newest_date)}. `,
    h("button", { onclick: () => {
      place.replaceChildren();
      about = found;
      forgetFleet();
      show("push");
    } }, "Show them")));
}

onChange(show);
setInterval(lookForNews, NEWS_S * 1000);
show("push");
