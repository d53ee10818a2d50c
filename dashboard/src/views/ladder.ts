/** The best levels of the selected book: asks above, bids below, the spread between them. */

import { compareDecimals, forDrawing, isZero, subtractDecimals } from "../decimal";
import { formatCompact } from "../format";
import type { Level } from "../protocol/messages";
import type { Book } from "../store/book";
import type { Changes, Store } from "../store/store";
import { byId, DecimalText, make, setData, setText } from "./dom";
import type { View } from "./view";

/** Levels shown per side. */
export const LADDER_LEVELS = 15;

class LadderRow {
  readonly element: HTMLTableRowElement;
  private readonly total = make("td", "figure dim");
  private readonly size: DecimalText;
  private readonly price: DecimalText;

  constructor(testId: string) {
    const size = make("td", "figure");
    const price = make("td", "figure price");
    this.element = make("tr", "", this.total, size, price);
    this.element.dataset["testid"] = testId;
    this.size = new DecimalText(size);
    this.price = new DecimalText(price);
  }

  show([price, size]: Level, total: number, share: number): void {
    this.price.show(price);
    this.size.show(size);
    setText(this.total, formatTotal(total));
    this.element.style.setProperty("--share", `${(share * 100).toFixed(1)}%`);
  }

  clear(): void {
    this.price.clear();
    this.size.clear();
    setText(this.total, "");
    this.element.style.setProperty("--share", "0%");
  }
}

export class LadderView implements View {
  private readonly asks = makeRows("ladder-ask");
  private readonly bids = makeRows("ladder-bid");
  private readonly spread = byId("ladder-spread");
  private readonly trust = byId("ladder-trust");
  private readonly depth = byId("ladder-depth");

  constructor() {
    // The best ask stands next to the spread, so its row is the last one of the upper half.
    byId("ladder-asks").append(...this.asks.map((row) => row.element).reverse());
    byId("ladder-bids").append(...this.bids.map((row) => row.element));
  }

  render({ book }: Store, { parts }: Changes): void {
    if (!parts.has("book")) return;
    const bids = book.bids(LADDER_LEVELS);
    const asks = book.asks(LADDER_LEVELS);
    const largest = Math.max(...[...bids, ...asks].map(([, size]) => forDrawing(size)), Number.MIN_VALUE);
    fillSide(this.bids, bids, largest);
    fillSide(this.asks, asks, largest);
    setText(this.spread, spreadText(bids[0], asks[0]));
    this.showTrust(book);
    setText(this.depth, book.hasSnapshot ? `${formatCompact(book.depth)} levels` : "");
  }

  private showTrust(book: Book): void {
    const [text, tone] = !book.hasSnapshot ? ["waiting", ""] : book.trusted ? ["in sync", "good"] : ["not proven", "warning"];
    setText(this.trust, text);
    setData(this.trust, "tone", tone);
  }
}

function makeRows(testId: string): LadderRow[] {
  return Array.from({ length: LADDER_LEVELS }, () => new LadderRow(testId));
}

function fillSide(rows: readonly LadderRow[], levels: readonly Level[], largest: number): void {
  let total = 0;
  rows.forEach((row, index) => {
    const level = levels[index];
    if (level === undefined) return row.clear();
    const size = forDrawing(level[1]);
    total += size;
    row.show(level, total, size / largest);
  });
}

/** The running total is a measure of depth, not a figure of the venue: rounded to what a glance needs. */
function formatTotal(total: number): string {
  if (total >= 10_000) return formatCompact(total);
  return total >= 100 ? total.toFixed(0) : total.toPrecision(3);
}

function spreadText(bid: Level | undefined, ask: Level | undefined): string {
  if (bid === undefined || ask === undefined) return "–";
  const spread = subtractDecimals(ask[0], bid[0]);
  if (compareDecimals(ask[0], bid[0]) < 0) return `${spread} crossed`;
  if (isZero(spread)) return `${spread} locked`;
  const mid = (forDrawing(ask[0]) + forDrawing(bid[0])) / 2;
  const basisPoints = (forDrawing(spread) / mid) * 10_000;
  return `${spread} · ${basisPoints < 1 ? Number(basisPoints.toPrecision(2)) : basisPoints.toFixed(1)} bp`;
}
