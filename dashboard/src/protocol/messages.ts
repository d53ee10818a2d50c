/**
 * What the bridge says, once it has been checked (`parse.ts`).
 *
 * Times arrive in nanoseconds, which a float cannot hold exactly; the page needs milliseconds only, so that is what is kept.
 */

import type { Decimal } from "../decimal";
import type { TradingMessage } from "./trading";

/** `venue:symbol`, as subscriptions write it. */
export type InstrumentKey = `${string}:${string}`;

/** The key of an instrument. */
export function instrumentKey(venue: string, symbol: string): InstrumentKey {
  return `${venue}:${symbol}`;
}

/** An entry of `/api/instruments`. */
export interface Instrument {
  readonly venue: string;
  readonly symbol: string;
  readonly name: string;
  readonly tick: Decimal | null;
}

/** The side of the aggressor. */
export type Side = "buy" | "sell";

/** When something happened at the venue, when the collector had it, and its place among its producer's records. */
export interface Stamp {
  readonly event_ms: number;
  readonly recv_ms: number;
  readonly sequence: number;
}

export interface Trade extends Stamp {
  readonly price: Decimal;
  readonly size: Decimal;
  /** Null when the venue does not tell. */
  readonly side: Side | null;
}

export interface Quote extends Stamp {
  readonly bid: Decimal | null;
  readonly bidSize: Decimal | null;
  readonly ask: Decimal | null;
  readonly askSize: Decimal | null;
  /** Computed from the book here, not sent by the venue. */
  readonly derived: boolean;
  readonly untrusted: boolean;
}

/** A price level; a size of zero removes it. */
export type Level = readonly [price: Decimal, size: Decimal];

export interface BookEvent extends Stamp {
  readonly trusted: boolean;
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
}

export interface StatusEvent extends Stamp {
  /** A status code's name, or `gap`. */
  readonly status: string;
  readonly cause: string | null;
  readonly first: number | null;
  readonly last: number | null;
  /** Each null where it is not known. */
  readonly args: readonly [number | null, number | null] | null;
}

/** A snapshot stands for everything before it; an update adds to it. */
export type DataType = "snapshot" | "update";

interface InstrumentData<Item> {
  readonly type: DataType;
  readonly venue: string;
  readonly symbol: string;
  readonly data: readonly Item[];
}

export interface TradesMessage extends InstrumentData<Trade> {
  readonly channel: "trades";
  /** Trades that the bridge dropped before these because this page read too slowly. */
  readonly skipped: number;
}

export interface QuotesMessage extends InstrumentData<Quote> {
  readonly channel: "quotes";
  /** Updates that this newest state stands for because this page read too slowly. */
  readonly conflated: number;
}

export interface BookMessage extends InstrumentData<BookEvent> {
  readonly channel: "book";
  readonly conflated: number;
}

export interface StatusMessage {
  readonly channel: "status";
  readonly type: DataType;
  readonly venue: string;
  /** Null for the venue's connection as a whole. */
  readonly symbol: string | null;
  /** Records of the venue that are missing since the bridge began to read; null for an instrument. */
  readonly lost: number | null;
  readonly data: readonly StatusEvent[];
}

export interface ProcessReport {
  readonly name: string;
  readonly role: string;
  readonly pid: number | null;
  readonly alive: boolean;
  readonly records_per_s: number | null;
  readonly lost: number | null;
  readonly lag: number | null;
}

export interface VenueReport {
  readonly venue: string;
  readonly connected: boolean;
  readonly records_per_s: number | null;
  readonly frames_per_s: number | null;
  readonly gaps: number | null;
  readonly resyncs: number | null;
  readonly refused: number | null;
  readonly reconnects: number | null;
  readonly books_trusted: number | null;
  readonly books_total: number | null;
  readonly checksums_ok: number | null;
  readonly checksums_bad: number | null;
  readonly last_recv_age_ms: number | null;
}

export interface LatencyReport {
  readonly hop: string;
  readonly venue: string | null;
  readonly p50_ns: number | null;
  readonly p90_ns: number | null;
  readonly p99_ns: number | null;
  readonly p999_ns: number | null;
  readonly max_ns: number | null;
  readonly count: number | null;
}

export interface BridgeReport {
  readonly clients: number | null;
  readonly messages: number | null;
  readonly conflated: number | null;
  readonly disconnected_slow: number | null;
  readonly lapped: number | null;
  readonly missing: number | null;
}

/** How far the database is that the journal is copied to. */
export interface DatabaseReport {
  readonly connected: boolean;
  readonly rows: number | null;
  readonly behind_records: number | null;
  readonly behind_ms: number | null;
}

/** How the stream is kept on disk. */
export interface RecordingReport {
  /** Stopped: the disk takes nothing for now. */
  readonly state: "recording" | "stopped" | "dead";
  /** Records that are synced, since the journal began. */
  readonly recorded: number | null;
  /** Stream position after the last of them. */
  readonly position: number | null;
  /** Published and not synced yet. */
  readonly lag_records: number | null;
  readonly sync_age_ms: number | null;
  readonly journal_bytes: number | null;
  /** Zero: no limit. */
  readonly journal_bytes_max: number | null;
  readonly free_bytes: number | null;
  readonly lost: number | null;
  readonly laps: number | null;
  /** Null where no database is configured. */
  readonly database: DatabaseReport | null;
}

/** The once-a-second report on the whole pipeline. */
export interface SystemReport {
  readonly run_id: string;
  readonly processes: readonly ProcessReport[];
  readonly venues: readonly VenueReport[];
  readonly latency: readonly LatencyReport[];
  readonly bridge: BridgeReport;
  /** Null where nothing was ever recorded. */
  readonly recording: RecordingReport | null;
}

export interface SystemMessage {
  readonly channel: "system";
  readonly data: SystemReport;
}

/** An answer to a request of ours. */
export type Reply =
  | { readonly op: "subscribed" | "unsubscribed" | "pong"; readonly id: number | null }
  | { readonly op: "error"; readonly id: number | null; readonly code: string; readonly message: string };

export type DataMessage = TradesMessage | QuotesMessage | BookMessage | StatusMessage | SystemMessage | TradingMessage;

export type ServerMessage = Reply | DataMessage;
