// A table of any number of rows, of which only those in sight are in the page.
//
// A row has one link, and the table one stop of the Tab key: arrow keys lead from row to row, Enter opens it. Screen
// readers get the number of all rows and the place of each (aria-rowcount, aria-rowindex).

import { h, say } from "./dom.js";
import { UNKNOWN, isKnown, number } from "./units.js";

const narrow = matchMedia("(max-width: 719px)");
const rowHeight = () => (narrow.matches ? 44 : 30);
const SPARE = 6; // rows above and below the window, so that slow scrolling shows none that is empty
const PRINTED = 500;

/**
 * @param label what the table is of, for screen readers
 * @param columns [{ key, title, unit, width (CSS), value: (row) => comparable, show: (row) => text or node, numeric, wide }]
 *   `wide` ones are left out on a phone. The first one has the row's link.
 * @param link (row) => address of a row
 * @param sort key of the column that it is sorted by, "-" before it for the greatest first
 * @param onSort told of another one
 * @param height CSS, of the table at most
 */
export class Grid {
  constructor({ label, columns, link, sort, onSort, tieBreak, height, name }) {
    Object.assign(this, { label, columns, link, sort, onSort, tieBreak, name });
    this.rows = [];
    this.active = 0;
    this.body = h("div", { role: "rowgroup", class: "grid-body" });
    this.head = h("div", { role: "row", class: "grid-row grid-head", "aria-rowindex": "1" });
    this.element = h("div", {
      class: "grid", role: "grid", "aria-label": label, "aria-colcount": String(columns.length),
      onscroll: () => this.draw(), onkeydown: (event) => this.pressed(event),
    }, h("div", { role: "rowgroup", class: "grid-top" }, this.head), this.body);
    const style = this.element.style;
    style.setProperty("--columns", columns.map((column) => column.width).join(" "));
    style.setProperty("--columns-narrow", columns.filter((column) => !column.wide).map((column) => column.narrow ?? column.width).join(" "));
    style.setProperty("--least", leastOf(columns.map((column) => column.width)));
    style.setProperty("--least-narrow", leastOf(columns.filter((column) => !column.wide).map((column) => column.narrow ?? column.width)));
    if (height) style.maxHeight = height;
    this.drawHead();
    new ResizeObserver(() => this.resized()).observe(this.element);
    // On paper a table has no height of its own, and all rows would be in sight.
    this.most = 0;
    this.printing = () => { this.most = PRINTED; this.draw(true); };
    this.printed = () => { this.most = 0; this.draw(true); };
    addEventListener("beforeprint", this.printing);
    addEventListener("afterprint", this.printed);
  }

  /** Show these rows, in the order that is chosen. */
  show(rows) {
    this.rows = this.ordered(rows);
    this.active = Math.min(this.active, Math.max(0, this.rows.length - 1));
    this.element.setAttribute("aria-rowcount", String(this.rows.length + 1));
    this.draw(true);
  }

  ordered(rows) {
    if (!this.sort) return [...rows];
    const down = this.sort.startsWith("-");
    const column = this.columns.find((each) => each.key === this.sort.replace("-", ""));
    if (!column) return [...rows];
    const sign = down ? -1 : 1;
    // Values once for each row, not once for each comparison.
    const keyed = rows.map((row) => [column.value(row), row]);
    const tie = this.tieBreak ?? (() => 0);
    keyed.sort(([a, x], [b, y]) => {
      if (!isKnown(a) || !isKnown(b)) return isKnown(b) - isKnown(a) || tie(x, y);
      return (a < b ? -sign : a > b ? sign : 0) || tie(x, y);
    });
    return keyed.map(([, row]) => row);
  }

  drawHead() {
    this.head.replaceChildren(...this.columns.map((column, place) => {
      const [key, down] = [this.sort?.replace("-", ""), this.sort?.startsWith("-")];
      const order = key === column.key ? (down ? "descending" : "ascending") : null;
      const title = [column.title, column.unit && h("span", { class: "unit" }, ` ${column.unit}`)];
      return h("div", {
        role: "columnheader", class: classOf(column), "aria-colindex": String(place + 1), "aria-sort": order,
      }, column.value
        ? h("button", { class: "sorter", onclick: () => this.sortBy(column), title: column.hint }, title,
          h("span", { class: "arrow", "aria-hidden": "true" }, order ? (down ? " ▾" : " ▴") : ""))
        : title);
    }));
  }

  sortBy(column) {
    const is = this.sort?.replace("-", "") === column.key;
    const begins = column.numeric && !column.ascends ? "-" : "";
    const turned = this.sort?.startsWith("-") ? "" : "-";
    this.sort = (is ? turned : begins) + column.key;
    this.active = 0;
    const place = this.columns.indexOf(column);
    this.drawHead();
    this.element.scrollTop = 0;
    this.show(this.rows);
    this.head.children[place].querySelector("button").focus();
    say(`Sorted by ${column.title}, ${this.sort.startsWith("-") ? "greatest first" : "least first"}.`);
    this.onSort?.(this.sort);
  }

  resized() {
    const size = `${this.element.clientWidth} ${this.element.clientHeight}`;
    if (size !== this.size) this.draw(true);
  }

  draw(all = false) {
    const { most } = this;
    if (!this.element.isConnected) return;
    const height = rowHeight();
    // First its height, which decides on that of the window: with the window of an empty table rows are drawn twice.
    if (all) this.body.style.height = `${(most ? Math.min(this.rows.length, most) : this.rows.length) * height}px`;
    this.size = `${this.element.clientWidth} ${this.element.clientHeight}`;
    const top = Math.floor(this.element.scrollTop / height);
    const bottom = Math.min(this.rows.length, top + Math.ceil(this.element.clientHeight / height));
    if (!all && top >= this.first && bottom <= this.end) return;
    const first = most ? 0 : Math.max(0, top - SPARE);
    const end = Math.min(this.rows.length, most || bottom + SPARE);
    [this.first, this.end] = [first, end];
    const hasFocus = this.body.contains(document.activeElement);
    const numbers = Array.from({ length: end - first }, (_, place) => first + place);
    // The row that the keyboard is on stays in the page when it is scrolled away, or its focus would be lost.
    if (this.rows.length && (this.active < first || this.active >= end)) numbers.push(this.active);
    this.body.replaceChildren(...numbers.map((at) => this.row(at, height)));
    if (hasFocus) this.linkOf(this.active)?.focus({ preventScroll: true });
  }

  row(at, height) {
    const row = this.rows[at];
    const element = h("div", { role: "row", class: `grid-row${at % 2 ? "" : " odd"}`, "aria-rowindex": String(at + 2) },
      this.columns.map((column, place) => {
        const shown = column.show ? column.show(row) : number(column.value(row), column.digits ?? 0);
        return h("div", {
          role: "gridcell", class: classOf(column), "aria-colindex": String(place + 1),
        }, place === 0 ? this.linkTo(row, at, shown) : shown ?? UNKNOWN);
      }));
    element.style.transform = `translateY(${at * height}px)`;
    element.addEventListener("click", (event) => {
      if (!event.target.closest("a, button") && !getSelection().toString()) element.querySelector("a").click();
    });
    return element;
  }

  linkTo(row, at, shown) {
    return h("a", {
      href: this.link(row), tabindex: at === this.active ? "0" : "-1", "data-at": String(at),
      onfocus: () => this.activate(at),
    }, shown);
  }

  linkOf(at) {
    return this.body.querySelector(`a[data-at="${at}"]`);
  }

  activate(at) {
    if (at === this.active) return;
    this.linkOf(this.active)?.setAttribute("tabindex", "-1");
    this.active = at;
    this.linkOf(at)?.setAttribute("tabindex", "0");
  }

  pressed(event) {
    if (!this.body.contains(event.target) || event.ctrlKey || event.altKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / rowHeight()) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.goTo(Math.max(0, Math.min(this.rows.length - 1, this.active + steps[event.key])));
  }

  /** Bring a row into sight and put the keyboard on it. */
  goTo(at) {
    const height = rowHeight();
    const [top, seen] = [this.element.scrollTop, this.element.clientHeight - height];
    this.activate(at);
    if (at * height < top) this.element.scrollTop = at * height;
    else if ((at + 1) * height > top + seen) this.element.scrollTop = (at + 1) * height - seen;
    this.draw(true);
    this.linkOf(at)?.focus({ preventScroll: true });
  }

  /** The row for which this holds, if there is one, gets the keyboard. */
  focusOn(holds) {
    const at = this.rows.findIndex(holds);
    if (at >= 0) this.goTo(at);
    return at >= 0;
  }

  close() {
    removeEventListener("beforeprint", this.printing);
    removeEventListener("afterprint", this.printed);
  }
}

/** How wide a row is at least. Said here, as to find it from what is in the cells takes a browser as long as all else. */
const leastOf = (widths) => `calc(${widths.map((width) => /^minmax\(([^,]+),/.exec(width)?.[1] ?? width).join(" + ")} + ${widths.length} * .6rem + .8rem)`;

const classOf = (column) => `cell${column.numeric ? " numeric" : ""}${column.wide ? " wide" : ""}${column.class ? ` ${column.class}` : ""}`;

/** A small table, whole in the page. */
export function plainTable({ caption, head, rows, firstIsHeader = true, shows = true }) {
  return h("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { class: "plain" },
      h("caption", { class: shows ? null : "unseen" }, caption),
      h("thead", {}, h("tr", {}, head.map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((value, place) =>
        place === 0 && firstIsHeader ? h("th", { scope: "row" }, value) : h("td", {}, value)))))));
}
