/**
 * The order book of one instrument: a snapshot, then updates.
 *
 * Updates before the first snapshot are ignored: they would make a book of a few levels that looks whole.
 */

import { compareDecimals, isZero, type Decimal } from "../decimal";
import type { BookEvent, DataType, Level } from "../protocol/messages";

/** Levels kept per side; beyond, the worst price is forgotten. */
const LEVELS_MAX = 50_000;

/** One side, kept with the best price last, where nearly all changes are and where an array is cheap to change. */
class BookSide {
  private levels: Level[] = [];

  /** `better` is 1 when a higher price is better (bids), -1 when a lower one is (asks). */
  constructor(private readonly better: 1 | -1) {}

  replace(levels: readonly Level[]): void {
    this.levels = levels.filter(([, size]) => !isZero(size)).sort(([a], [b]) => this.order(a, b));
    this.levels.splice(0, this.levels.length - LEVELS_MAX);
  }

  set([price, size]: Level): void {
    const place = this.placeOf(price);
    const found = this.levels[place];
    const isKnown = found !== undefined && compareDecimals(found[0], price) === 0;
    if (isZero(size)) {
      if (isKnown) this.levels.splice(place, 1);
      return;
    }
    this.levels.splice(place, isKnown ? 1 : 0, [price, size]);
    if (this.levels.length > LEVELS_MAX) this.levels.shift();
  }

  /** The best `count` levels, best first. */
  top(count: number): Level[] {
    return this.levels.slice(-count).reverse();
  }

  get depth(): number {
    return this.levels.length;
  }

  /** The first place whose price is not worse than `price`. */
  private placeOf(price: Decimal): number {
    let low = 0;
    let high = this.levels.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const level = this.levels[middle];
      if (level !== undefined && this.order(level[0], price) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private order(a: Decimal, b: Decimal): number {
    return compareDecimals(a, b) * this.better;
  }
}

export class Book {
  private readonly bidSide = new BookSide(1);
  private readonly askSide = new BookSide(-1);
  private hasSnapshot_ = false;
  private trusted_ = false;

  /** Whether there is anything to show. */
  get hasSnapshot(): boolean {
    return this.hasSnapshot_;
  }

  /** Whether the collector has proven the book in sync. */
  get trusted(): boolean {
    return this.trusted_;
  }

  /** How many levels both sides hold. */
  get depth(): number {
    return this.bidSide.depth + this.askSide.depth;
  }

  apply(type: DataType, event: BookEvent): void {
    if (type === "snapshot") {
      this.bidSide.replace(event.bids);
      this.askSide.replace(event.asks);
      this.hasSnapshot_ = true;
    } else if (this.hasSnapshot_) {
      for (const level of event.bids) this.bidSide.set(level);
      for (const level of event.asks) this.askSide.set(level);
    }
    this.trusted_ = event.trusted;
  }

  /** The best bids, best first. */
  bids(count: number): Level[] {
    return this.bidSide.top(count);
  }

  /** The best asks, best first. */
  asks(count: number): Level[] {
    return this.askSide.top(count);
  }
}
