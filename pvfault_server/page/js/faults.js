// What a device can be found to be: names, the order of urgency, and the colour of each. Grey is normal.

/** The most urgent first: an arc can set fire, a short can hurt, an open string costs, a shadow passes. */
export const STATES = [
  { key: "arc_fault", name: "Arc fault", code: "AF", urgent: 1 },
  { key: "line_ground", name: "Line to ground", code: "LG", urgent: 2 },
  { key: "line_line", name: "Line to line", code: "LL", urgent: 2 },
  { key: "open_circuit", name: "Open circuit", code: "OC", urgent: 3 },
  { key: "partial_shading", name: "Partial shading", code: "PS", urgent: 4 },
  { key: "no_data", name: "No data", code: "ND", urgent: 5 },
  { key: "unsure", name: "Unsure", code: "US", urgent: 6 },
  { key: "unknown", name: "Not judged", code: "NJ", urgent: 6 },
  { key: "none", name: "Healthy", code: "·", urgent: 9 },
];
const BY_KEY = new Map(STATES.map((state, rank) => [state.key, { ...state, rank }]));
const FAULTS = new Set(STATES.slice(0, 5).map((state) => state.key));

export const stateOf = (key) => BY_KEY.get(key) ?? { key, name: String(key), code: "?", urgent: 6, rank: 6 };
export const isFault = (key) => FAULTS.has(key);
export const faultName = (key) => (key ? stateOf(key).name : stateOf("unknown").name);

/** What it can be, in words: the two shorts, which are one circuit at the terminals, as one. */
export function candidatesInWords(candidates) {
  if (!candidates?.length) return "";
  const isShort = (key) => key === "line_line" || key === "line_ground";
  const both = candidates.filter(isShort).length === 2;
  const names = candidates.map((key) => (both && isShort(key) ? "Short (line to line or to ground)" : faultName(key)));
  const words = [...new Set(names)].map((name, at) => (at ? name.toLowerCase() : name));
  return words.length > 1 ? `${words.slice(0, -1).join(", ")} or ${words.at(-1)}` : words[0];
}

/** The state of a device from its verdict: without a verdict, "nothing came" is told from "not judged". */
export function stateKey(fault, completeness) {
  return fault ?? (completeness === 0 ? "no_data" : "unknown");
}

export const colourName = (key) => `--${key.replaceAll("_", "-")}`;
