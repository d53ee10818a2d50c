/** Values for tests, written as the bridge writes them. */

import { parseDecimal, type Decimal } from "../../src/decimal";
import type { BookEvent, DataMessage, Level, Stamp, Trade } from "../../src/protocol/messages";
import { parseMessage } from "../../src/protocol/parse";

export function decimal(text: string): Decimal {
  const parsed = parseDecimal(text);
  if (parsed === null) throw new Error(`${text} is no decimal`);
  return parsed;
}

export function stamp(sequence = 1, recv_ms = 1_000): Stamp {
  return { event_ms: recv_ms, recv_ms, sequence };
}

export function levels(...pairs: [price: string, size: string][]): Level[] {
  return pairs.map(([price, size]) => [decimal(price), decimal(size)]);
}

export function bookEvent(bids: Level[], asks: Level[], trusted = true): BookEvent {
  return { bids, asks, trusted, ...stamp() };
}

export function trade(price: string, sequence: number, recv_ms: number): Trade {
  return { price: decimal(price), size: decimal("1"), side: "buy", ...stamp(sequence, recv_ms) };
}

/** A message through the parser, as it would arrive. */
export function received(message: object): DataMessage {
  const parsed = parseMessage(JSON.stringify(message));
  if (!parsed.ok) throw new Error(parsed.reason);
  if ("op" in parsed.value) throw new Error("a reply, not data");
  return parsed.value;
}
