/** What the page knows of one instrument. Bounded: a short tape and a few hundred buckets. */

import { forDrawing, type Decimal } from "../decimal";
import { instrumentKey, type InstrumentKey, type Quote, type Trade } from "../protocol/messages";
import { PriceHistory } from "./candles";
import { Recent } from "./recent";

/** Trades kept for the tape. */
export const TAPE_TRADES_MAX = 60;

/** Whether the book is proven in sync; unknown before the venue's collector has said so. */
export type Trust = "trusted" | "untrusted" | "unknown";

export class InstrumentState {
  readonly key: InstrumentKey;
  /** The key in lower case, for the filter. */
  readonly searchText: string;
  readonly tape = new Recent<Trade>(TAPE_TRADES_MAX);
  readonly history = new PriceHistory();
  name = "";
  tick: Decimal | null = null;
  quote: Quote | null = null;
  trust: Trust = "unknown";
  tradesSkipped = 0;

  constructor(
    readonly venue: string,
    readonly symbol: string,
  ) {
    this.key = instrumentKey(venue, symbol);
    this.searchText = this.key.toLowerCase();
  }

  get lastTrade(): Trade | null {
    return this.tape.newest() ?? null;
  }

  setQuote(quote: Quote): void {
    this.quote = quote;
    if (quote.bid === null || quote.ask === null) return;
    this.history.setMid(quote.recv_ms, (forDrawing(quote.bid) + forDrawing(quote.ask)) / 2);
  }

  addTrade(trade: Trade): void {
    this.tape.push(trade);
    this.history.addTrade(trade.recv_ms, forDrawing(trade.price), forDrawing(trade.size));
  }

  /** Whether a snapshot after a reconnect brings a trade that is not here yet. */
  isNews(trade: Trade): boolean {
    const last = this.lastTrade;
    if (last === null || trade.recv_ms > last.recv_ms) return true;
    return trade.recv_ms === last.recv_ms && trade.sequence > last.sequence;
  }
}
