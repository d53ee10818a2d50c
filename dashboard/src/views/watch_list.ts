/**
 * The watch list: every instrument, filtered, with one row in the tab order (roving tabindex).
 *
 * Arrow keys, Home, End and the page keys move the active row; Enter, Space or a click selects it; `/` goes to the filter,
 * Escape leaves it.
 */

import { formatCount } from "../format";
import type { InstrumentKey } from "../protocol/messages";
import type { InstrumentState } from "../store/instrument_state";
import type { Changes, Store } from "../store/store";
import { byId, make, setText } from "./dom";
import { putInOrder } from "./keyed_rows";
import type { View } from "./view";
import { WatchRow } from "./watch_row";
import { rowsAround, segments } from "./watch_window";

/** As in `style/watch.css`. */
const ROW_HEIGHT_PX = 36;
const PAGE_ROWS = 10;

export interface WatchListListener {
  onSelect(key: InstrumentKey): void;
  /** The window of rows has moved: a frame is needed. */
  onScroll(): void;
}

export class WatchListView implements View {
  private readonly scroller = byId("watch-scroll");
  private readonly table = byId("watch-table");
  private readonly body = byId("watch-rows");
  private readonly empty = byId("watch-empty");
  private readonly count = byId("watch-count");
  private readonly filter = byId("watch-filter") as HTMLInputElement;
  /** All instruments in order. */
  private all: InstrumentState[] = [];
  /** Those that pass the filter. */
  private listed: InstrumentState[] = [];
  private readonly rows = new Map<InstrumentKey, WatchRow>();
  private active: InstrumentKey | null = null;
  private selected: InstrumentKey | null = null;
  private isLayoutStale = true;
  private isFocusWanted = false;

  constructor(private readonly listener: WatchListListener) {
    this.scroller.addEventListener("scroll", () => this.requestLayout(), { passive: true });
    new ResizeObserver(() => this.requestLayout()).observe(this.scroller);
    this.filter.addEventListener("input", () => {
      this.applyFilter();
      this.requestLayout();
    });
    this.filter.addEventListener("keydown", (event) => this.onFilterKey(event));
    this.body.addEventListener("keydown", (event) => this.onRowKey(event));
    this.body.addEventListener("click", (event) => this.onClick(event));
    document.addEventListener("keydown", (event) => this.onPageKey(event));
  }

  render(store: Store, { parts, instruments }: Changes): void {
    if (parts.has("list")) {
      this.all = [...store.instruments].sort((a, b) => (a.searchText < b.searchText ? -1 : 1));
      this.applyFilter();
    }
    if (parts.has("selection")) this.followSelection(store.selected?.key ?? null);
    if (this.isLayoutStale) this.layOut();
    for (const key of instruments) this.rows.get(key)?.fill();
  }

  private followSelection(key: InstrumentKey | null): void {
    this.selected = key;
    this.active = key ?? this.active;
    this.isLayoutStale = true;
  }

  private applyFilter(): void {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    this.listed = this.all.filter(({ searchText }) => words.every((word) => searchText.includes(word)));
    if (this.indexOf(this.active) < 0) this.active = this.listed[0]?.key ?? null;
    const [listed, all] = [formatCount(this.listed.length), formatCount(this.all.length)];
    setText(this.count, listed === all ? all : `${listed} of ${all}`);
    setText(this.empty, this.all.length === 0 ? "No instruments yet" : "Nothing matches the filter");
    this.empty.hidden = this.listed.length > 0;
    this.table.ariaRowCount = String(this.listed.length + 1);
    this.isLayoutStale = true;
  }

  /** Brings the rows around the viewport into the document, and no others. */
  private layOut(): void {
    this.isLayoutStale = false;
    const { scrollTop, clientHeight } = this.scroller;
    const viewport = { scrollTop_px: scrollTop, height_px: clientHeight, rowHeight_px: ROW_HEIGHT_PX };
    const around = rowsAround(viewport, this.listed.length);
    const elements: HTMLElement[] = [];
    const kept = new Set<InstrumentKey>();
    for (const { kind, from, to } of segments(around, this.indexOf(this.active), this.listed.length)) {
      if (kind === "blank") elements.push(makeBlank(to - from));
      else for (const [offset, instrument] of this.listed.slice(from, to).entries()) {
        kept.add(instrument.key);
        elements.push(this.rowOf(instrument, from + offset).element);
      }
    }
    for (const key of this.rows.keys()) if (!kept.has(key)) this.rows.delete(key);
    putInOrder(this.body, elements);
    if (this.isFocusWanted) this.focusActive();
  }

  private rowOf(instrument: InstrumentState, index: number): WatchRow {
    const { key } = instrument;
    const row = this.rows.get(key) ?? new WatchRow(instrument);
    this.rows.set(key, row);
    row.place(index, key === this.active, key === this.selected);
    return row;
  }

  private focusActive(): void {
    this.isFocusWanted = false;
    const row = this.active === null ? undefined : this.rows.get(this.active);
    row?.element.focus({ preventScroll: true });
    row?.element.scrollIntoView({ block: "nearest" });
  }

  private requestLayout(): void {
    this.isLayoutStale = true;
    this.listener.onScroll();
  }

  private onRowKey(event: KeyboardEvent): void {
    const here = this.indexOf(this.active);
    const last = this.listed.length - 1;
    const targets: Readonly<Record<string, number>> = {
      ArrowDown: here + 1,
      ArrowUp: here - 1,
      PageDown: here + PAGE_ROWS,
      PageUp: here - PAGE_ROWS,
      Home: 0,
      End: last,
    };
    const target = targets[event.key];
    if (target !== undefined) this.activate(Math.min(last, Math.max(0, target)));
    else if ((event.key === "Enter" || event.key === " ") && this.active !== null) this.listener.onSelect(this.active);
    else return;
    event.preventDefault();
  }

  private activate(index: number): void {
    this.active = this.listed[index]?.key ?? null;
    this.isFocusWanted = true;
    this.requestLayout();
  }

  private onClick(event: MouseEvent): void {
    const row = event.target instanceof Element ? event.target.closest<HTMLElement>("tr[data-key]") : null;
    const key = row?.dataset["key"];
    const instrument = this.listed.find((candidate) => candidate.key === key);
    if (instrument === undefined) return;
    this.active = instrument.key;
    this.listener.onSelect(instrument.key);
    this.requestLayout();
  }

  private onFilterKey(event: KeyboardEvent): void {
    if (event.key === "Escape") {
      this.filter.value = "";
      this.applyFilter();
      this.activate(Math.max(0, this.indexOf(this.selected)));
    } else if (event.key === "ArrowDown") {
      this.activate(Math.max(0, this.indexOf(this.active)));
    } else if (event.key === "Enter" && this.active !== null) {
      this.listener.onSelect(this.active);
    } else return;
    event.preventDefault();
  }

  private onPageKey(event: KeyboardEvent): void {
    const isTyping = event.target instanceof HTMLInputElement && event.target.type !== "radio";
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.filter.focus();
    this.filter.select();
  }

  private indexOf(key: InstrumentKey | null): number {
    return this.listed.findIndex((instrument) => instrument.key === key);
  }
}

function makeBlank(rowCount: number): HTMLTableRowElement {
  const blank = make("tr", "blank");
  blank.ariaHidden = "true";
  blank.style.height = `${rowCount * ROW_HEIGHT_PX}px`;
  return blank;
}
