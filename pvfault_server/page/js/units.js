// Values as people read them: each with its unit, each time with its zone, and a dash for what is not known.

export const UNKNOWN = "–";
const SPACE = " "; // between a number and its unit, where no line breaks

const formats = new Map();
function formatted(value, digits) {
  if (!formats.has(digits)) {
    formats.set(digits, new Intl.NumberFormat("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  }
  return formats.get(digits).format(value).replace("-", "−");
}

export const isKnown = (value) => value !== null && value !== undefined && !Number.isNaN(value);

/** A number alone, for columns that have their unit at the top. */
export function number(value, digits = 0) {
  return isKnown(value) ? formatted(value, digits) : UNKNOWN;
}

export function quantity(value, unit, digits = 0) {
  return isKnown(value) ? `${formatted(value, digits)}${SPACE}${unit}` : UNKNOWN;
}

export function energy(kwh) {
  if (!isKnown(kwh)) return UNKNOWN;
  if (Math.abs(kwh) >= 99_995) return quantity(kwh / 1000, "MWh", 0);
  return quantity(kwh, "kWh", Math.abs(kwh) < 99.95 ? 1 : 0);
}

export const share = (value, digits = 0) => quantity(isKnown(value) ? 100 * value : null, "%", digits);

export function money(value, currency) {
  if (!isKnown(value) || !currency) return UNKNOWN;
  return quantity(value, currency, Math.abs(value) < 1000 ? 2 : 0);
}

export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

const clocks = new Map();
function clock(zone, style) {
  const key = `${zone} ${style}`;
  if (!clocks.has(key)) {
    const parts = {
      time: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
      both: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
      full: { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
      offset: { timeZoneName: "shortOffset" },
    }[style];
    clocks.set(key, new Intl.DateTimeFormat("en-GB", { ...parts, timeZone: zone }));
  }
  return clocks.get(key);
}

/** How far a zone is from UTC at a moment: "UTC", "UTC+2". */
export function offset(moment, zone) {
  const part = clock(zone, "offset").formatToParts(moment).find((each) => each.type === "timeZoneName");
  return part.value.replace("GMT", "UTC").replace("-", "−").replace(/\+0$/, "");
}

export function time(value, zone) {
  return isKnown(value) ? told(new Date(value), zone, "time") : UNKNOWN;
}

/** Day and time with the zone; the year as well if it is not the one that is looked at. */
export function moment(value, zone, year) {
  if (!isKnown(value)) return UNKNOWN;
  const at = new Date(value);
  return told(at, zone, String(at.getUTCFullYear()) === String(year) ? "both" : "full");
}

const told = (at, zone, style) => `${clock(zone, style).format(at).replace(",", "")}${SPACE}${offset(at, zone)}`;

/** The time of day alone, for axes and columns whose zone is named beside them. */
export const hourOf = (value, zone) => clock(zone, "time").format(new Date(value));

const days = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const shortDays = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
export const day = (date) => (date ? days.format(new Date(`${date}T00:00:00Z`)) : UNKNOWN);
export const shortDay = (date) => shortDays.format(new Date(`${date}T00:00:00Z`));

export function dayAfter(date, by) {
  const at = new Date(`${date}T00:00:00Z`);
  at.setUTCDate(at.getUTCDate() + by);
  return at.toISOString().slice(0, 10);
}

export function ago(value, now) {
  const minutes = Math.max(0, Math.round((new Date(now) - new Date(value)) / 60_000));
  if (minutes < 90) return `${minutes}${SPACE}min ago`;
  if (minutes < 48 * 60) return `${Math.round(minutes / 60)}${SPACE}h ago`;
  return `${number(Math.round(minutes / 1440))} days ago`;
}

export const isZone = (name) => {
  try { new Intl.DateTimeFormat("en-GB", { timeZone: name }); return Boolean(name); } catch { return false; }
};
