// Alarms: their list, one of them with its log, and what the crew does with it.

import { Problem, ask, load, problemBox } from "./api.js";
import { debounce, h, say, unique } from "./dom.js";
import { STATES, faultName, isFault } from "./faults.js";
import { chip, sign, zoneOf } from "./fleet.js";
import { Grid } from "./grid.js";
import { address, note, state } from "./state.js";
import { UNKNOWN, count, day, dayAfter, energy, isKnown, moment, money, number, share } from "./units.js";

const MOST_PAGES = 20;
const NAME = "pvfault name";
const GROUPS = { "": ["To do", ["open", "acknowledged"]], muted: ["Muted", ["muted"]], closed: ["Closed", ["closed"]], all: ["All", null] };
const KINDS = { fault: "Fault", communication_outage: "No communication", sensor_suspect: "Sensor suspect" };
const CAUSES = {
  confirmed_fault: "Confirmed: the fault was there", other_fault: "Another fault was there", false_alarm: "False alarm: nothing was wrong",
  maintenance: "Maintenance or work at the plant",
};
export const LIFE = { open: "Open", acknowledged: "Acknowledged", muted: "Muted", closed: "Closed" };
const DONE = { acknowledge: "acknowledged", mute: "muted", close: "closed", reopen: "opened again", comment: "commented" };
// What the log has beside what people do.
const HAPPENED = {
  opened: "raised the alarm", over: "what raised it is no longer seen", again: "it is seen again", withdrawn: "its verdicts were taken back",
  restored: "its verdicts are there again", told_new: "sent a message on it", told_over: "sent a message that it is over",
};

/** All alarms of a question, page by page, and how many dates they do not know yet. */
async function readAlarms(query, signal) {
  const rows = [];
  let waiting = 0;
  let path = `/alarms?limit=1000${query}`;
  for (let page = 0; path && page < MOST_PAGES; page += 1) {
    const answer = await ask(path, { signal, as: async (found) => ({ ...(await found.json()), waiting: found.headers.get("Pvfault-Dates-Waiting") }) });
    rows.push(...answer.rows);
    waiting = answer.waiting;
    path = answer.next;
  }
  return { rows, waiting };
}

/** Dates whose verdicts the alarms do not know yet, as a line, if there are any. */
const waitingLine = (waiting) => !waiting || waiting === "0" ? null : h("p", { class: "shown strong" }, waiting === "unknown"
  ? "Whether these alarms know the newest verdicts could not be found out."
  : `${count(Number(waiting), "date")} with verdicts ${waiting === "1" ? "is" : "are"} not in these alarms yet: look again in a moment, or run pvfault alarms update.`);

const what = (alarm) => (alarm.kind === "fault" ? faultName(alarm.fault) : KINDS[alarm.kind] ?? alarm.kind);
const signOf = (alarm) => (alarm.kind === "fault" ? alarm.fault ?? "unknown" : "no_data");
const rankOf = (alarm) => STATES.findIndex(({ key }) => key === signOf(alarm));
const isMoment = (value) => String(value).includes("T");
/** A day, or a moment in the zone of the plant. */
const seenAt = (value, about, site) => (!value ? UNKNOWN : isMoment(value) ? moment(value, zoneOf(about, site), "") : day(value));

export async function alarmsView(about, signal) {
  const { rows: alarms, waiting } = await readAlarms("", signal);
  const hasMoney = alarms.some((alarm) => isKnown(alarm.money));
  const table = alarmsTable(about, hasMoney);
  const told = h("p", { class: "shown", role: "status" });
  const groups = Object.entries(GROUPS).map(([key, [name, states]]) => h("button", {
    class: "toggle", "data-key": key, onclick: () => { note({ state: key }); update(); },
  }, `${name} `, h("b", {}, number(alarms.filter((alarm) => !states || states.includes(alarm.state)).length))));
  const box = h("input", { type: "search", id: "filter", value: state.q, placeholder: "Device, site or fault", autocomplete: "off",
    oninput: debounce(150, () => { note({ q: box.value.trim() }); update(); }) });

  function update() {
    const states = GROUPS[state.state]?.[1] ?? (state.state === "all" ? null : GROUPS[""][1]);
    const text = state.q.toLowerCase();
    const rows = alarms.filter((alarm) => (!states || states.includes(alarm.state)) && (!state.site || alarm.site === state.site)
      && (!text || [alarm.name, alarm.deviceID, alarm.site, what(alarm)].some((each) => each?.toLowerCase().includes(text))));
    table.show(rows);
    const lost = rows.reduce((all, alarm) => all + (alarm.lost_kwh_a_day ?? 0), 0);
    told.textContent = `${count(rows.length, "alarm")}${state.site ? ` of ${state.site}` : ""}, together ${energy(lost)} lost a day`;
    for (const button of groups) button.setAttribute("aria-pressed", String(button.dataset.key === (state.state || "")));
  }
  update();
  return {
    title: "Alarms",
    dateless: true,
    content: [
      h("h1", { tabindex: "-1" }, "Alarms"),
      h("form", { class: "filters", onsubmit: (event) => event.preventDefault(), "aria-label": "Alarms" },
        h("div", { role: "group", "aria-label": "State of the alarm", class: "toggles" }, groups),
        h("div", { class: "boxes" }, h("label", { for: "filter", class: "unseen" }, "Device, site or fault contains"), box)),
      told, waitingLine(waiting),
      alarms.length ? table.element : h("p", { class: "empty" }, "No alarm has been raised. An alarm begins with the first day on which a device is found faulty, silent or wrong in its sensors."),
    ],
    shown: (from) => { table.draw(true); return Boolean(from.alarm && table.focusOn((alarm) => String(alarm.id) === from.alarm)); },
    close: () => table.close(),
  };
}

function alarmsTable(about, hasMoney) {
  const lost = (alarm) => alarm.lost_kwh_a_day;
  return new Grid({
    label: "Alarms", sort: state.sort || "what", onSort: (sort) => note({ sort: sort === "what" ? "" : sort }),
    tieBreak: (a, b) => rankOf(a) - rankOf(b) || (lost(b) ?? -1) - (lost(a) ?? -1),
    link: (alarm) => address({ view: "alarms", alarm: String(alarm.id) }),
    columns: [
      { key: "deviceID", title: "Device", width: "minmax(7.5rem, 1fr)", narrow: "minmax(6.2rem, 1fr)", class: "name device", value: (alarm) => alarm.name, show: (alarm) => alarm.name },
      { key: "site", title: "Site", width: "minmax(6rem, 1fr)", wide: true, value: (alarm) => alarm.site, show: (alarm) => alarm.site ?? UNKNOWN },
      { key: "what", title: "What", width: "minmax(10rem, 1.2fr)", narrow: "minmax(9.5rem, 1.2fr)", value: rankOf, show: (alarm) => label(alarm) },
      { key: "state", title: "State", width: "minmax(9rem, 1fr)", wide: true, value: (alarm) => Object.keys(LIFE).indexOf(alarm.state), show: life },
      { key: "first_seen", title: "First seen", width: "minmax(13rem, 1.2fr)", wide: true, value: (alarm) => alarm.first_seen, show: (alarm) => seenAt(alarm.first_seen, about, alarm.site) },
      { key: "last_seen", title: "Last seen", width: "minmax(8rem, .9fr)", wide: true, value: (alarm) => alarm.last_seen, show: (alarm) => seenAt(alarm.last_seen, about, alarm.site) },
      { key: "days", title: "Lasts", unit: "days", width: "minmax(5.5rem, .5fr)", wide: true, numeric: true, value: (alarm) => alarm.days },
      { key: "lost", title: "Lost", unit: "kWh/d", width: "minmax(8rem, .7fr)", narrow: "4.6rem", numeric: true, digits: 1, value: lost },
      ...(hasMoney ? [{ key: "money", title: "Cost", unit: `${about.currency}/d`, width: "minmax(8rem, .7fr)", wide: true, numeric: true, digits: 2, value: (alarm) => alarm.money_a_day }] : []),
    ],
  });
}

function label(alarm) {
  return alarm.kind === "fault" ? chip(signOf(alarm)) : h("span", { class: "chip" }, sign("no_data"), what(alarm));
}

const life = (alarm) => [LIFE[alarm.state] ?? alarm.state, alarm.withdrawn ? ", withdrawn" : alarm.over && alarm.state !== "closed" ? ", over" : ""].join("");

export async function alarmView(about, signal) {
  const place = h("div");
  const alarm = await ask(`/alarms/${encodeURIComponent(state.alarm)}`, { signal });
  place.append(alarmPanel(about, alarm, place, { heading: "h2" }));
  return {
    title: `Alarm: ${what(alarm)} at ${alarm.name}`,
    dateless: true,
    content: [
      h("p", { class: "back" }, h("a", { href: address({ alarm: "" }) }, "‹ All alarms")),
      h("h1", { tabindex: "-1" }, `${what(alarm)} at `, h("a", { href: address({ alarm: "", device: alarm.deviceID, date: lastDay(alarm) }) }, alarm.name),
        h("span", { class: "aside" }, ` ${alarm.site ?? ""}`)),
      place,
    ],
  };
}

const lastDay = (alarm) => String(alarm.last_seen ?? "").slice(0, 10);

/** The alarms of a device that are not closed, each with its buttons; how many are closed. */
export async function devicePanel(about, device, signal) {
  const { rows: alarms, waiting } = await readAlarms(`&device=${encodeURIComponent(device)}`, signal);
  const live = alarms.filter((alarm) => alarm.state !== "closed").sort((a, b) => rankOf(a) - rankOf(b));
  const closed = alarms.filter((alarm) => alarm.state === "closed");
  const places = await Promise.all(live.map(async (each) => {
    const place = h("div");
    const alarm = await ask(`/alarms/${encodeURIComponent(each.id)}`, { signal });
    place.append(alarmPanel(about, alarm, place, { heading: "h3" }));
    return place;
  }));
  return [
    waitingLine(waiting),
    places.length ? places : h("p", { class: "empty" }, "No alarm of this device waits for anybody."),
    closed.length > 0 && h("details", {}, h("summary", {}, count(closed.length, "closed alarm")),
      h("ul", { class: "lines" }, closed.map((alarm) => h("li", {}, h("a", { href: address({ view: "alarms", device: "", alarm: String(alarm.id) }) }, what(alarm)),
        `, ${seenAt(alarm.first_seen, about, alarm.site)}, ${CAUSES[alarm.cause]?.split(":")[0].toLowerCase() ?? "closed"}`)))),
  ];
}

function alarmPanel(about, alarm, place, { heading }) {
  const title = unique("alarm");
  const log = alarm.log ?? [];
  const facts = [
    ["State", [h("b", {}, LIFE[alarm.state] ?? alarm.state), alarm.state === "muted" && alarm.muted_until ? ` until ${seenAt(alarm.muted_until, about, alarm.site)}` : "",
      alarm.cause ? ` – ${CAUSES[alarm.cause] ?? alarm.cause}` : "", alarm.cause === "other_fault" && alarm.found_fault ? `: ${faultName(alarm.found_fault).toLowerCase()}` : "",
      alarm.over ? " – what raised it is no longer seen" : "", alarm.withdrawn ? " – its verdicts were taken back" : ""]],
    ["First seen", seenAt(alarm.first_seen, about, alarm.site)],
    ["Last seen", `${seenAt(alarm.last_seen, about, alarm.site)}, on ${count(alarm.days, "day")}`],
    ["Lost", isKnown(alarm.lost_kwh) ? `${energy(alarm.lost_kwh)}, ${energy(alarm.lost_kwh_a_day)} a day` : UNKNOWN],
    isKnown(alarm.money) && ["Cost", `${money(alarm.money, alarm.currency)}, ${money(alarm.money_a_day, alarm.currency)} a day`],
    isKnown(alarm.confidence) && ["Sure", [share(alarm.confidence), alarm.runner_up ? `, else ${faultName(alarm.runner_up)}` : ""]],
  ].filter(Boolean);
  return h("section", { class: `panel alarm ${alarm.state}`, "aria-labelledby": title },
    h(heading, { id: title }, label(alarm)),
    h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    buttons(about, alarm, place, heading),
    log.length > 0 && h("details", { open: heading === "h2" }, h("summary", {}, `Log, ${count(log.length, "entry", "entries")}`),
      h("ol", { class: "log" }, [...log].reverse().map((entry) => h("li", {},
        h("span", { class: "at" }, seenAt(entry.at, about, alarm.site)), ` ${entry.by ?? ""}: ${actionOf(entry)}`,
        entry.comment && h("p", { class: "comment" }, entry.comment))))));
}

const actionOf = (entry) => [DONE[entry.action] ?? HAPPENED[entry.action] ?? String(entry.action ?? "").replaceAll("_", " "), entry.cause ? `, ${CAUSES[entry.cause]?.split(":")[0].toLowerCase() ?? entry.cause}` : "", entry.fault ? ` (${faultName(entry.fault).toLowerCase()})` : "",
  entry.until ? ` until ${day(String(entry.until).slice(0, 10))}` : ""].join("");

function buttons(about, alarm, place, heading) {
  const button = (action, name, isMain) => h("button", { class: isMain ? "main" : "", "data-action": action, onclick: () => act(about, alarm, action, place, heading) }, name);
  return h("div", { class: "buttons", role: "group", "aria-label": "What is done about it" }, {
    open: [button("acknowledge", "Acknowledge", true), button("mute", "Mute …"), button("close", "Close …"), button("comment", "Comment …")],
    acknowledged: [button("close", "Close …", true), button("mute", "Mute …"), button("comment", "Comment …")],
    muted: [button("acknowledge", "Acknowledge", true), button("reopen", "Open again …"), button("close", "Close …"), button("comment", "Comment …")],
    closed: [button("reopen", "Open again …"), button("comment", "Comment …")],
  }[alarm.state] ?? []);
}

const TITLES = { acknowledge: "Acknowledge the alarm", mute: "Mute the alarm", close: "Close the alarm", reopen: "Open the alarm again", comment: "Comment on the alarm" };

/** Ask for what an action needs, send it, and show the alarm as it is then. */
function act(about, alarm, action, place, heading) {
  const opener = document.activeElement;
  const wrong = h("div");
  const by = h("input", { id: "by", required: true, maxLength: 100, autocomplete: "name", value: localStorage.getItem(NAME) ?? "" });
  const comment = h("textarea", { id: "comment", rows: 3, maxLength: 2000, required: action === "comment" });
  const until = h("input", { id: "until", type: "date", required: true, min: dayAfter(about.now.slice(0, 10), 1), value: dayAfter(about.now.slice(0, 10), 7) });
  const cause = h("select", { id: "cause", required: true, onchange: () => { other.parentElement.hidden = cause.value !== "other_fault"; } },
    h("option", { value: "" }, "Choose …"), Object.entries(CAUSES).map(([key, name]) => h("option", { value: key }, name)));
  const other = h("select", { id: "other" }, h("option", { value: "" }, "Not one of these"),
    STATES.filter(({ key }) => isFault(key) && key !== alarm.fault).map(({ key, name }) => h("option", { value: key }, name)));
  const field = (name, input, more = null) => h("div", { class: "field" }, h("label", { for: input.id }, name), input, more && h("small", {}, more));
  const send = h("button", { class: "main" }, TITLES[action]);
  const form = h("form", { onsubmit: async (event) => {
    event.preventDefault();
    send.disabled = true;
    const body = { by: by.value.trim() };
    if (comment.value.trim()) body.comment = comment.value.trim();
    if (action === "mute") body.until = `${until.value}T00:00:00Z`;
    if (action === "close") body.cause = cause.value;
    if (action === "close" && cause.value === "other_fault" && other.value) body.fault = other.value;
    try {
      await ask(`/alarms/${encodeURIComponent(alarm.id)}/${action}`, { body });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      wrong.replaceChildren(problemBox(error, "Nothing was changed"));
      send.disabled = false;
      return;
    }
    localStorage.setItem(NAME, body.by);
    dialog.close();
    await load(place, "The alarm", async (signal) => alarmPanel(about, await ask(`/alarms/${encodeURIComponent(alarm.id)}`, { signal }), place, { heading }));
    say(`The alarm is ${DONE[action]}.`);
    (place.querySelector(".buttons button") ?? document.querySelector("h1"))?.focus();
  } },
  h("h2", { id: "act-title" }, TITLES[action]),
  h("p", {}, `${what(alarm)}, ${alarm.name}${alarm.site ? `, ${alarm.site}` : ""}`),
  action === "close" && [field("What was it?", cause, "Confirmed causes can be exported as labels, which the network is measured with."), field("Which fault?", other)],
  action === "mute" && field("Until the beginning of (UTC)", until, "Nothing is told of it until then."),
  field(action === "comment" ? "Comment" : "Comment, if there is one", comment),
  field("Your name", by, "It stands in the log, and stays in this browser."),
  wrong,
  h("div", { class: "buttons" }, send, h("button", { type: "button", onclick: () => dialog.close() }, "Leave it as it is")));
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": "act-title", onclose: () => { dialog.remove(); if (opener?.isConnected) opener.focus(); } }, form);
  other.parentElement.hidden = true;
  document.body.append(dialog);
  dialog.showModal();
}
