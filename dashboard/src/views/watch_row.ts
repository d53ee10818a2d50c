/** One instrument in the watch list: best bid and offer and the last trade, each with its size below. */

import type { Decimal } from "../decimal";
import type { InstrumentState, Trust } from "../store/instrument_state";
import { DecimalText, make, rowHeader, setData, setText } from "./dom";

const TRUST_TEXT: Readonly<Record<Trust, string>> = {
  trusted: "book in sync",
  untrusted: "book not proven",
  unknown: "book state unknown",
};

/** A price above its size. */
class PriceCell {
  readonly element: HTMLTableCellElement;
  private readonly price: DecimalText;
  private readonly size: DecimalText;

  constructor(className: string) {
    const price = make("span", "price");
    const size = make("span", "size");
    this.element = make("td", `figure ${className}`, price, size);
    this.price = new DecimalText(price);
    this.size = new DecimalText(size);
  }

  show(price: Decimal | null, size: Decimal | null): void {
    this.price.show(price);
    this.size.show(size);
  }
}

export class WatchRow {
  readonly element: HTMLTableRowElement;
  private readonly trust = make("span", "trust");
  private readonly trustText = make("span", "visually-hidden");
  private readonly bid = new PriceCell("bid");
  private readonly ask = new PriceCell("ask");
  private readonly last = new PriceCell("last");
  private readonly side = make("span", "visually-hidden");

  constructor(readonly instrument: InstrumentState) {
    const { key, symbol, venue } = instrument;
    this.trust.append(this.trustText);
    const header = rowHeader("", make("span", "symbol", symbol), make("span", "venue", this.trust, venue));
    header.title = symbol;
    this.last.element.append(this.side);
    this.element = make("tr", "", header, this.bid.element, this.ask.element, this.last.element);
    this.element.dataset["testid"] = `watch-row-${key}`;
    this.element.dataset["key"] = key;
    this.element.tabIndex = -1;
    this.fill();
  }

  fill(): void {
    const { quote, lastTrade, trust } = this.instrument;
    this.bid.show(quote?.bid ?? null, quote?.bidSize ?? null);
    this.ask.show(quote?.ask ?? null, quote?.askSize ?? null);
    this.last.show(lastTrade?.price ?? null, lastTrade?.size ?? null);
    setData(this.last.element, "side", lastTrade?.side ?? "");
    setText(this.side, lastTrade?.side ?? "");
    setData(this.trust, "trust", trust);
    setText(this.trustText, `, ${TRUST_TEXT[trust]}`);
    this.trust.title = TRUST_TEXT[trust];
  }

  /** `index` counts from 0 in the filtered list. */
  place(index: number, isActive: boolean, isSelected: boolean): void {
    // The heading is row 1 of the grid.
    this.element.ariaRowIndex = String(index + 2);
    this.element.tabIndex = isActive ? 0 : -1;
    this.element.ariaSelected = String(isSelected);
  }
}
