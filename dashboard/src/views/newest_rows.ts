/** A table body that shows the newest items first: each new one takes the oldest row and moves it to the top. */

import type { Recent } from "../store/recent";

export class NewestRows<Item, Row extends { readonly element: HTMLTableRowElement }> {
  /** Newest first. */
  private rows: Row[] = [];
  private shown: Recent<Item> | null = null;
  private shownPushed = 0;

  constructor(
    private readonly body: HTMLElement,
    private readonly makeRow: () => Row,
    private readonly fill: (row: Row, item: Item) => void,
  ) {}

  show(items: Recent<Item>): void {
    if (items !== this.shown) this.reset(items);
    const fresh = Math.min(items.pushed - this.shownPushed, items.length);
    for (let age = fresh - 1; age >= 0; age -= 1) {
      const item = items.newest(age);
      if (item !== undefined) this.prepend(item, items.capacity);
    }
    this.shownPushed = items.pushed;
  }

  private reset(items: Recent<Item>): void {
    this.shown = items;
    this.shownPushed = items.pushed - items.length;
    this.rows = [];
    this.body.replaceChildren();
  }

  private prepend(item: Item, rowsMax: number): void {
    const reused = this.rows.length >= rowsMax ? this.rows.pop() : undefined;
    const row = reused ?? this.makeRow();
    this.fill(row, item);
    this.body.prepend(row.element);
    this.rows.unshift(row);
  }
}
