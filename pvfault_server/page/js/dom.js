// Elements from data. Text goes in as text: nothing here or elsewhere in the page reads a string as HTML.

export function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

export function s(tag, properties, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The value of a colour, or of another property, of the style sheet. */
export function styleOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

let last = 0;
export const unique = (prefix) => `${prefix}-${++last}`;

/** Say something to those who listen. The same words twice are said twice. */
export function say(text) {
  const live = document.getElementById("live");
  live.textContent = "";
  setTimeout(() => { live.textContent = text; }, 50);
}

export function debounce(wait, run) {
  let timer;
  return (...given) => { clearTimeout(timer); timer = setTimeout(() => run(...given), wait); };
}

/** A canvas as wide and high as it is shown, sharp on any screen; its context counts in CSS pixels. */
export function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

const watched = new Set();

/** Draw now, and again when the width or the colours change, as long as the element is in the page. */
export function drawn(element, draw) {
  const entry = { element, draw };
  watched.add(entry);
  new ResizeObserver(() => element.isConnected && draw()).observe(element);
  return element;
}

function drawAll() {
  for (const entry of watched) {
    if (entry.element.isConnected) entry.draw();
    else watched.delete(entry);
  }
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
// Paper is white: whoever prints from a dark screen gets the light colours.
matchMedia("print").addEventListener("change", drawAll);
