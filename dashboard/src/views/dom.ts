/** Small helpers for the DOM. Text is written only where it differs, so an unchanged figure costs no layout. */

import { splitPadding, type Decimal } from "../decimal";
import { UNKNOWN } from "../format";

/** The element of the page with this id; its absence is a mistake in `index.html`. */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`index.html has no #${id}`);
  return element;
}

/** A new element with its classes and children. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className = "",
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  element.append(...children);
  return element;
}

/** A row header cell. */
export function rowHeader(className = "", ...children: (Node | string)[]): HTMLTableCellElement {
  const header = make("th", className, ...children);
  header.scope = "row";
  return header;
}

export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets a `data-` attribute, or takes it away when the value is empty. */
export function setData(element: HTMLElement, name: string, value: string): void {
  if ((element.dataset[name] ?? "") === value) return;
  if (value === "") delete element.dataset[name];
  else element.dataset[name] = value;
}

/** Longer than a price of six digits with eight decimals: shown in smaller type, never cut. */
const LONG_LENGTH = 15;

/** Shows a decimal exactly as it came, with the zeros that only pad it dimmed. */
export class DecimalText {
  private readonly significant = document.createTextNode("");
  private readonly padding = make("span", "padding");
  private shown: Decimal | null | undefined;

  constructor(private readonly parent: HTMLElement) {
    parent.append(this.significant, this.padding);
  }

  show(value: Decimal | null): void {
    if (value === this.shown) return;
    this.shown = value;
    const [significant, padding] = value === null ? [UNKNOWN, ""] : splitPadding(value);
    this.significant.data = significant;
    setText(this.padding, padding);
    setData(this.parent, "long", value !== null && value.length > LONG_LENGTH ? "yes" : "");
  }

  clear(): void {
    this.shown = undefined;
    this.significant.data = "";
    setText(this.padding, "");
  }
}
