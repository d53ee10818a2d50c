/**
 * Everything the page shows, and what of it has changed since the last frame.
 *
 * Messages are applied as they come; views read at most once a frame. Nothing grows without a limit: instruments, tape,
 * buckets, levels and log entries all have one, so a page that stays open for weeks, or hidden, stays small.
 */

import type { ConnectionState } from "../connection/connection";
import { formatCount } from "../format";
import * as msg from "../protocol/messages";
import { Book } from "./book";
import { describeStatus, severityOf, type LogEntry } from "./events";
import { InstrumentState, type Trust } from "./instrument_state";
import { Recent } from "./recent";
import { TradingState, type TradingPart } from "./trading";

/** Instruments kept; more than any configured list. */
const INSTRUMENTS_MAX = 5_000;
/** Venues whose losses are followed; there are never more. */
const VENUES_MAX = 256;
/** Log entries kept. */
export const LOG_ENTRIES_MAX = 100;

const REFUSAL_NOTE_INTERVAL_MS = 1_000;

/** Parts of the page that may have to be drawn again. */
export type Part = "connection" | "system" | "log" | "list" | "selection" | "book" | "tape" | "quote" | TradingPart;

/** What has changed since it was last taken. */
export interface Changes {
  readonly parts: ReadonlySet<Part>;
  /** Instruments whose row in the watch list has changed. */
  readonly instruments: ReadonlySet<msg.InstrumentKey>;
}

/** The bridge tells every change of its trust in a book by these two. Others, `resyncing` too, are steps on the way and say nothing of it. */
const TRUST_BY_STATUS: Readonly<Record<string, Trust>> = {
  book_trusted: "trusted",
  book_untrusted: "untrusted",
};

export class Store {
  connection: ConnectionState = { phase: "connecting" };
  system: msg.SystemReport | null = null;
  /** The book of the selected instrument. */
  book = new Book();
  readonly trading = new TradingState();
  readonly log = new Recent<LogEntry>(LOG_ENTRIES_MAX);
  /** Messages of the bridge that could not be read. */
  messagesRefused = 0;
  private refusalNotedAt_ms = 0;
  private readonly byKey = new Map<msg.InstrumentKey, InstrumentState>();
  /** Records lost in all, as the bridge last said. */
  private readonly lostByVenue = new Map<string, number>();
  private selectedKey: msg.InstrumentKey | null = null;
  private changedParts = new Set<Part>();
  private changedInstruments = new Set<msg.InstrumentKey>();

  /** `onChange` is told of every change, to ask for a frame. */
  constructor(private readonly onChange: () => void = () => {}) {}

  get instruments(): Iterable<InstrumentState> {
    return this.byKey.values();
  }

  get selected(): InstrumentState | null {
    return this.selectedKey === null ? null : (this.byKey.get(this.selectedKey) ?? null);
  }

  instrument(key: msg.InstrumentKey): InstrumentState | undefined {
    return this.byKey.get(key);
  }

  /** What has changed since the last call. */
  takeChanges(): Changes {
    const changes = { parts: this.changedParts, instruments: this.changedInstruments };
    this.changedParts = new Set();
    this.changedInstruments = new Set();
    return changes;
  }

  setConnection(state: ConnectionState): void {
    const before = this.connection.phase;
    this.connection = state;
    // What comes after a loss starts with a snapshot; until then the old book must not pass for a current one.
    if (state.phase === "waiting") this.forgetBook();
    this.noteConnection(before, state);
    this.changed("connection");
  }

  select(key: msg.InstrumentKey): void {
    if (key === this.selectedKey || !this.byKey.has(key)) return;
    this.selectedKey = key;
    this.forgetBook();
    this.changed("selection", "tape", "quote");
  }

  addInstruments(instruments: readonly msg.Instrument[]): void {
    for (const { venue, symbol, name, tick } of instruments) {
      const state = this.upsert(venue, symbol);
      if (state === null) return;
      state.name = name;
      state.tick = tick;
      if (state.key === this.selectedKey) this.changed("selection");
    }
  }

  /** An entry of the page's own in the log. */
  note(subject: string, text: string, severity: LogEntry["severity"]): void {
    this.log.push({ at_ms: Date.now(), subject, text, severity });
    this.changed("log");
  }

  /** Counts a message that could not be read; the log tells of it at most once a second. */
  refuse(reason: string): void {
    this.messagesRefused += 1;
    if (Date.now() - this.refusalNotedAt_ms < REFUSAL_NOTE_INTERVAL_MS) return;
    this.refusalNotedAt_ms = Date.now();
    this.note("page", `message not understood (${this.messagesRefused} so far): ${reason}`, "warning");
  }

  apply(message: msg.DataMessage): void {
    switch (message.channel) {
      case "trades":
        return this.applyTrades(message);
      case "quotes":
        return this.applyQuotes(message);
      case "book":
        return this.applyBook(message);
      case "status":
        return this.applyStatus(message);
      case "system":
        this.system = message.data;
        return this.changed("system");
      default:
        return this.changed(this.trading.apply(message));
    }
  }

  /** Tells of a line that was won or lost; attempts that fail meanwhile are seen in the header. */
  private noteConnection(before: ConnectionState["phase"], now: ConnectionState): void {
    if (now.phase === "waiting" && before !== "connecting") this.note("page", `connection lost: ${now.reason}`, "warning");
    if (now.phase === "silent") this.note("page", "the bridge is silent", "warning");
    if (now.phase === "live") this.note("page", "connected to the bridge", "good");
  }

  private applyTrades({ type, venue, symbol, data, skipped }: msg.TradesMessage): void {
    const state = this.upsert(venue, symbol);
    if (state === null) return;
    state.tradesSkipped += skipped;
    for (const trade of data) if (type === "update" || state.isNews(trade)) state.addTrade(trade);
    this.instrumentChanged(state, "tape");
  }

  private applyQuotes({ venue, symbol, data }: msg.QuotesMessage): void {
    const state = this.upsert(venue, symbol);
    if (state === null) return;
    for (const quote of data) state.setQuote(quote);
    this.instrumentChanged(state, "quote");
  }

  private applyBook({ type, venue, symbol, data }: msg.BookMessage): void {
    const selected = this.selected;
    // Updates of the previous selection may still be under way.
    if (selected === null || selected.venue !== venue || selected.symbol !== symbol) return;
    for (const event of data) this.book.apply(type, event);
    this.changed("book");
  }

  private applyStatus({ type, venue, symbol, lost, data }: msg.StatusMessage): void {
    if (lost !== null) this.noteLost(type, venue, lost);
    for (const event of data) {
      if (symbol !== null) this.applyTrust(venue, symbol, event);
      // The snapshot repeats the trust of every instrument; the watch list shows that better than the log.
      if (type === "snapshot" && symbol !== null) continue;
      const subject = symbol === null ? venue : `${venue} ${symbol}`;
      const { status, recv_ms: at_ms } = event;
      this.log.push({ at_ms, subject, text: describeStatus(event), severity: severityOf(status) });
      this.changed("log");
    }
  }

  /** Updates tell of what is lost themselves; a snapshot stands for updates that this page was too slow for, or away. */
  private noteLost(type: msg.DataType, venue: string, lost: number): void {
    const before = this.lostByVenue.get(venue);
    if (before !== undefined || this.lostByVenue.size < VENUES_MAX) this.lostByVenue.set(venue, lost);
    if (type !== "snapshot" || before === undefined || lost <= before) return;
    this.note(venue, `${formatCount(lost - before)} records lost that were not told one by one`, "warning");
  }

  private applyTrust(venue: string, symbol: string, { status }: msg.StatusEvent): void {
    const trust = TRUST_BY_STATUS[status];
    const state = trust === undefined ? null : this.upsert(venue, symbol);
    if (state === null || trust === undefined) return;
    state.trust = trust;
    this.instrumentChanged(state, "quote");
  }

  private upsert(venue: string, symbol: string): InstrumentState | null {
    const key = msg.instrumentKey(venue, symbol);
    const known = this.byKey.get(key);
    if (known !== undefined) return known;
    if (this.byKey.size >= INSTRUMENTS_MAX) return null;
    const state = new InstrumentState(venue, symbol);
    this.byKey.set(key, state);
    this.changed("list");
    return state;
  }

  private forgetBook(): void {
    this.book = new Book();
    this.changed("book");
  }

  private instrumentChanged(state: InstrumentState, part: Part): void {
    this.changedInstruments.add(state.key);
    if (state.key === this.selectedKey) this.changed(part);
    else this.onChange();
  }

  private changed(...parts: Part[]): void {
    for (const part of parts) this.changedParts.add(part);
    this.onChange();
  }
}
