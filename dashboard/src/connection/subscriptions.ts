/**
 * What this page asks the bridge for: quotes, trades, status and system of everything, what the engine does, the book of one instrument.
 *
 * Books are the bulk of the stream, so only the selected one is asked for.
 */

import type { InstrumentKey, Reply } from "../protocol/messages";

const EVERYTHING = { op: "subscribe", channels: ["quotes", "trades", "status", "system"], symbols: ["*"], id: 1 } as const;
/** Asked for on its own: a bridge that knows no engine refuses this and nothing else. */
const TRADING = { op: "subscribe", channels: ["orders", "fills", "signals", "engine"], id: 0 } as const;
/** An instrument may be unknown for a moment after the bridge has started; its book is asked for again. */
const BOOK_RETRY_MS = 3_000;

/** Sends one request; false when the line is not open. */
export type Send = (request: object) => boolean;

export class Subscriptions {
  private selected: InstrumentKey | null = null;
  /** The request for the book of `selected` that is not answered yet, or was answered well. */
  private bookRequestId = 1;

  constructor(private readonly send: Send) {}

  /** The line is new: the bridge knows nothing of us. */
  onOpen(): void {
    this.send(EVERYTHING);
    this.send(TRADING);
    this.requestBook("subscribe");
  }

  /** Moves the book subscription to another instrument. */
  select(key: InstrumentKey): void {
    if (key === this.selected) return;
    this.requestBook("unsubscribe");
    this.selected = key;
    this.requestBook("subscribe");
  }

  onReply(reply: Reply): void {
    const isBookRefused = reply.op === "error" && reply.id === this.bookRequestId && reply.code === "unknown_symbol";
    if (!isBookRefused) return;
    const refused = this.selected;
    window.setTimeout(() => {
      if (this.selected === refused) this.requestBook("subscribe");
    }, BOOK_RETRY_MS);
  }

  private requestBook(op: "subscribe" | "unsubscribe"): void {
    if (this.selected === null) return;
    this.bookRequestId += 1;
    this.send({ op, channels: ["book"], symbols: [this.selected], id: this.bookRequestId });
  }
}
