/** Rows of a table body that follow a list: made once per key, filled again and again, removed when their item is gone. */

export interface Row<Item> {
  readonly element: HTMLTableRowElement;
  fill(item: Item): void;
}

export class KeyedRows<Item> {
  private rows = new Map<string, Row<Item>>();

  constructor(
    private readonly body: HTMLElement,
    private readonly keyOf: (item: Item) => string,
    private readonly makeRow: (item: Item) => Row<Item>,
  ) {}

  show(items: Iterable<Item>): void {
    const previous = this.rows;
    this.rows = new Map();
    for (const item of items) {
      const key = this.keyOf(item);
      const row = previous.get(key) ?? this.makeRow(item);
      row.fill(item);
      this.rows.set(key, row);
    }
    putInOrder(this.body, [...this.rows.values()].map((row) => row.element));
  }
}

/** Makes `wanted` the children of `parent`; those that stay in order are not moved, so focus and scroll survive. */
export function putInOrder(parent: HTMLElement, wanted: readonly HTMLElement[]): void {
  const keep = new Set<Element>(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const child of wanted) {
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
}
