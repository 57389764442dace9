// The curves of each device-day: the least and the most of each step, the hours of the fault shaded.

const HOUR = 3600;
const DAY = 24 * HOUR;
const styleOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const clock = (seconds) => `${String(Math.floor(seconds / HOUR) % 24).padStart(2, "0")}:${String(Math.floor((seconds % HOUR) / 60)).padStart(2, "0")}`;
const written = (value, digits) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

function told({ name, unit, digits, least, most }, at, x) {
  if (at === null || at === undefined || least[at] === null) return `${name} [${unit}]`;
  const [low, high] = [written(least[at], digits), written(most[at], digits)];
  return `${name} at ${clock(x[at])}: ${low === high ? low : `${low} to ${high}`} ${unit}`;
}

function inWords({ name, unit, digits, least, most }, x) {
  const known = most.map((value, at) => [value, at]).filter(([value]) => value !== null);
  if (!known.length) return `${name}: no readings.`;
  const [high, at] = known.reduce((best, each) => (each[0] > best[0] ? each : best));
  const low = Math.min(...least.filter((value) => value !== null));
  return `${name}: ${written(low, digits)} to ${written(high, digits)} ${unit}, the most at ${clock(x[at])}.`;
}

function optionsOf(curve, data, x, width, caption) {
  const [soft, line, ink] = ["--soft", "--line", "--curve"].map(styleOf);
  const shade = data.fault ? styleOf(`--${data.fault.replaceAll("_", "-")}`) || soft : soft;
  const axis = { stroke: soft, font: `11px ${styleOf("--font")}`, grid: { stroke: line, width: 0.5 }, ticks: { show: false } };
  const series = { stroke: ink, width: 1.25, points: { show: false }, spanGaps: false };
  return {
    width,
    height: 150,
    padding: [6, 20, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: data.id }, drag: { x: false, y: false }, points: { show: false }, y: false },
    scales: { x: { time: false, range: () => [0, DAY] }, y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(high ?? 1, 0.1) * 1.06] } },
    axes: [
      { ...axis, size: 24, gap: 4, incrs: [3 * HOUR, 6 * HOUR], space: 36, values: (_, ticks) => ticks.map((each) => (each === DAY ? "24:00" : clock(each))) },
      { ...axis, size: 48, gap: 4, space: 28 },
    ],
    series: [{}, series, series],
    bands: [{ series: [2, 1], fill: `color-mix(in srgb, ${ink} 35%, transparent)` }],
    hooks: {
      drawClear: [({ ctx, bbox, valToPos }) => {
        for (const hour of data.shaded) {
          const [left, right] = [hour, hour + 1].map((each) => valToPos(each * HOUR, "x", true));
          ctx.save();
          ctx.fillStyle = shade;
          ctx.globalAlpha = 0.18;
          ctx.fillRect(left, bbox.top, right - left, bbox.height);
          ctx.globalAlpha = 1;
          ctx.fillRect(left, bbox.top, right - left, 2 * devicePixelRatio);
          ctx.restore();
        }
      }],
      setCursor: [(plot) => { caption.textContent = told(curve, plot.cursor.idx, x); }],
    },
  };
}

function draw(element, data) {
  const x = data.curves[0].least.map((_, at) => (at + 0.5) * data.step);
  // Steps without a reading between two readings are no gap for a logger that is slower than a step.
  const filled = data.curves.map((curve) => known(curve, x, data.longest));
  let plots = [];
  const redraw = () => {
    for (const plot of plots) plot.destroy();
    element.replaceChildren();
    const figures = data.curves.map((curve) => {
      const figure = document.createElement("figure");
      figure.className = "curve";
      const caption = document.createElement("figcaption");
      caption.textContent = told(curve, null, x);
      const place = document.createElement("div");
      place.setAttribute("role", "img");
      place.setAttribute("aria-label", inWords(curve, x));
      figure.append(caption, place);
      return [figure, caption, place];
    });
    element.append(...figures.map(([figure]) => figure));
    plots = figures.map(([figure, caption, place], at) =>
      new uPlot(optionsOf(data.curves[at], data, x, Math.max(figure.clientWidth, 200), caption), [x, ...filled[at]], place));
  };
  let width = 0;
  new ResizeObserver(() => {
    if (Math.abs(element.clientWidth - width) < 2) return;
    width = element.clientWidth;
    redraw();
  }).observe(element);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

/** Undefined, over which uPlot draws a line, for short gaps; null, where it breaks, for long ones. */
function known({ least, most }, x, longest) {
  const bridge = (values) => {
    const bridged = [...values];
    let last = null;
    values.forEach((value, at) => {
      if (value === null) return;
      if (last !== null && x[at] - x[last] <= longest) bridged.fill(undefined, last + 1, at);
      last = at;
    });
    return bridged;
  };
  return [bridge(least), bridge(most)];
}

// A section is drawn when it comes near: a page may have a hundred.
const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    const section = target.closest("section");
    draw(target, { ...JSON.parse(section.querySelector("script").textContent), id: section.id });
  }
}, { rootMargin: "600px" });
for (const element of document.querySelectorAll(".curves")) {
  element.style.minHeight = "150px";
  near.observe(element);
}
