// What is shown, as the address says: a link to it shows the same to somebody else.

const MANY = new Set(["fault"]);
const KNOWN = ["view", "device", "alarm", "date", "site", "fault", "q", "sort", "utc", "days", "state", "hour"];

export const state = {};
const listeners = [];

function read() {
  const given = new URLSearchParams(location.search);
  for (const name of KNOWN) state[name] = MANY.has(name) ? given.getAll(name) : given.get(name) ?? "";
}

/** The address of what is shown now, with some of it changed; "" or [] takes a part out. */
export function address(changes = {}, from = state) {
  const parts = new URLSearchParams();
  const wanted = { ...from, ...changes };
  for (const name of KNOWN) {
    for (const value of [wanted[name] ?? ""].flat()) if (value !== "") parts.append(name, value);
  }
  const text = parts.toString();
  return text ? `/?${text}` : "/";
}

/** Where another view begins: the day, the site and the zone go with it, filters do not. */
export const viewAddress = (changes) =>
  address(changes, { date: state.date, site: state.site, utc: state.utc });

export function go(changes, { replace = false } = {}) {
  goTo(address(changes), { replace });
}

export function goTo(url, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"]({}, "", url);
  changed(replace ? "replace" : "push");
}

/** Note a change in the address that needs nothing to be built anew. */
export function note(changes) {
  history.replaceState(history.state, "", address(changes));
  read();
}

function changed(how) {
  read();
  for (const listener of listeners) listener(how);
}

export function onChange(listener) {
  listeners.push(listener);
}

addEventListener("popstate", () => changed("pop"));
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='/?'], a[href='/']");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  goTo(link.getAttribute("href"));
});
read();
