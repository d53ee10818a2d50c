/**
 * The bridge's JSON as typed messages. Everything that comes over the wire passes here once and is trusted afterwards.
 *
 * Refused with a reason: what is not JSON, an unknown op or channel, a missing or mistyped field, a price that is not a
 * plain decimal, an array beyond its limit.
 */

import { parseDecimal, type Decimal } from "../decimal";
import { readBacktests, type BacktestList } from "./backtests";
import { Fields, Refusal } from "./fields";
import type * as msg from "./messages";
import { readTrading, TRADING_CHANNELS } from "./parse_trading";

/** Limits of one message; a full book of the largest venue fits several times. */
const LEVELS_MAX = 200_000;
const ITEMS_MAX = 10_000;
const INSTRUMENTS_MAX = 100_000;

/** A checked value, or why there is none. */
export type Parsed<Value> = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly reason: string };

/** Reads one text frame of the WebSocket. */
export function parseMessage(text: string): Parsed<msg.ServerMessage> {
  return parsed(text, (json) => readMessage(new Fields(json, "message")));
}

/** Reads the body of `/api/instruments`. */
export function parseInstruments(text: string): Parsed<msg.Instrument[]> {
  return parsed(text, (json) => new Fields({ instruments: json }, "body").objects("instruments", INSTRUMENTS_MAX, readInstrument));
}

/** Reads the body of `/api/backtests`. */
export function parseBacktests(text: string): Parsed<BacktestList> {
  return parsed(text, (json) => readBacktests(new Fields(json, "body")));
}

function parsed<Value>(text: string, read: (json: unknown) => Value): Parsed<Value> {
  try {
    return { ok: true, value: read(JSON.parse(text)) };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, reason: error.message };
    if (error instanceof SyntaxError) return { ok: false, reason: "not JSON" };
    throw error;
  }
}

function readMessage(fields: Fields): msg.ServerMessage {
  return fields.has("op") ? readReply(fields) : readData(fields);
}

function readReply(fields: Fields): msg.Reply {
  const op = fields.oneOf("op", ["subscribed", "unsubscribed", "pong", "error"]);
  const id = fields.numberOrNull("id");
  return op === "error" ? { op, id, code: fields.text("code"), message: fields.text("message") } : { op, id };
}

function readData(fields: Fields): msg.DataMessage {
  const channel = fields.oneOf("channel", ["trades", "quotes", "book", "status", "system", ...TRADING_CHANNELS]);
  switch (channel) {
    case "trades":
      return { channel, ...readInstrumentData(fields, readTrade), skipped: fields.numberOrNull("skipped") ?? 0 };
    case "quotes":
      return { channel, ...readInstrumentData(fields, readQuote), conflated: fields.numberOrNull("conflated") ?? 0 };
    case "book":
      return { channel, ...readInstrumentData(fields, readBookEvent), conflated: fields.numberOrNull("conflated") ?? 0 };
    case "status":
      return {
        channel,
        type: readType(fields),
        venue: fields.text("venue"),
        symbol: fields.textOrNull("symbol"),
        lost: fields.numberOrNull("lost"),
        data: fields.objects("data", ITEMS_MAX, readStatusEvent),
      };
    case "system":
      return { channel, data: readSystem(fields.object("data")) };
    default:
      return readTrading(channel, readType(fields), fields);
  }
}

function readType(fields: Fields): msg.DataType {
  return fields.oneOf("type", ["snapshot", "update"]);
}

function readInstrumentData<Item>(fields: Fields, read: (fields: Fields) => Item) {
  return {
    type: readType(fields),
    venue: fields.text("venue"),
    symbol: fields.text("symbol"),
    data: fields.objects("data", ITEMS_MAX, read),
  };
}

function readStamp(fields: Fields): msg.Stamp {
  return { event_ms: fields.timeMs("ts_event"), recv_ms: fields.timeMs("ts_recv"), sequence: fields.number("sequence") };
}

function readTrade(fields: Fields): msg.Trade {
  return {
    price: fields.decimal("price"),
    size: fields.decimal("size"),
    side: fields.textOrNull("side") === null ? null : fields.oneOf("side", ["buy", "sell"]),
    ...readStamp(fields),
  };
}

function readQuote(fields: Fields): msg.Quote {
  return {
    bid: fields.decimalOrNull("bid"),
    bidSize: fields.decimalOrNull("bid_size"),
    ask: fields.decimalOrNull("ask"),
    askSize: fields.decimalOrNull("ask_size"),
    derived: fields.flag("derived"),
    untrusted: fields.flag("untrusted"),
    ...readStamp(fields),
  };
}

function readBookEvent(fields: Fields): msg.BookEvent {
  return {
    trusted: fields.flag("trusted"),
    bids: readLevels(fields, "bids"),
    asks: readLevels(fields, "asks"),
    ...readStamp(fields),
  };
}

function readLevels(fields: Fields, name: "bids" | "asks"): msg.Level[] {
  return fields.array(name, LEVELS_MAX).map((level) => {
    const [price, size] = Array.isArray(level) && level.length === 2 ? level.map(decimalOrNull) : [];
    if (price == null || size == null) throw fields.refusal(name, "a list of [price, size] in texts");
    return [price, size] as const;
  });
}

function decimalOrNull(value: unknown): Decimal | null {
  return typeof value === "string" ? parseDecimal(value) : null;
}

function readStatusEvent(fields: Fields): msg.StatusEvent {
  return {
    status: fields.text("status"),
    cause: fields.textOrNull("cause"),
    first: fields.numberOrNull("first"),
    last: fields.numberOrNull("last"),
    args: readArgs(fields),
    ...readStamp(fields),
  };
}

function readArgs(fields: Fields): msg.StatusEvent["args"] {
  if (fields.isAbsent("args")) return null;
  const [first, second] = fields.array("args", 2);
  if (!isNumberOrNull(first) || !isNumberOrNull(second)) throw fields.refusal("args", "two numbers or nulls");
  return [first, second];
}

function isNumberOrNull(value: unknown): value is number | null {
  return value === null || typeof value === "number";
}

function readSystem(fields: Fields): msg.SystemReport {
  return {
    run_id: fields.text("run_id"),
    processes: fields.objects("processes", ITEMS_MAX, readProcess),
    venues: fields.objects("venues", ITEMS_MAX, readVenue),
    latency: fields.objects("latency", ITEMS_MAX, readLatency),
    bridge: readBridge(fields.object("bridge")),
    recording: fields.isAbsent("recording") ? null : readRecording(fields.object("recording")),
  };
}

function readProcess(fields: Fields): msg.ProcessReport {
  return {
    name: fields.text("name"),
    role: fields.textOrNull("role") ?? "",
    pid: fields.numberOrNull("pid"),
    alive: fields.flag("alive"),
    records_per_s: fields.numberOrNull("records_per_s"),
    lost: fields.numberOrNull("lost"),
    lag: fields.numberOrNull("lag"),
  };
}

function readVenue(fields: Fields): msg.VenueReport {
  return {
    venue: fields.text("venue"),
    connected: fields.flag("connected"),
    records_per_s: fields.numberOrNull("records_per_s"),
    frames_per_s: fields.numberOrNull("frames_per_s"),
    gaps: fields.numberOrNull("gaps"),
    resyncs: fields.numberOrNull("resyncs"),
    refused: fields.numberOrNull("refused"),
    reconnects: fields.numberOrNull("reconnects"),
    books_trusted: fields.numberOrNull("books_trusted"),
    books_total: fields.numberOrNull("books_total"),
    checksums_ok: fields.numberOrNull("checksums_ok"),
    checksums_bad: fields.numberOrNull("checksums_bad"),
    last_recv_age_ms: fields.numberOrNull("last_recv_age_ms"),
  };
}

function readLatency(fields: Fields): msg.LatencyReport {
  return {
    hop: fields.text("hop"),
    venue: fields.textOrNull("venue"),
    p50_ns: fields.numberOrNull("p50_ns"),
    p90_ns: fields.numberOrNull("p90_ns"),
    p99_ns: fields.numberOrNull("p99_ns"),
    p999_ns: fields.numberOrNull("p999_ns"),
    max_ns: fields.numberOrNull("max_ns"),
    count: fields.numberOrNull("count"),
  };
}

function readBridge(fields: Fields): msg.BridgeReport {
  return {
    clients: fields.numberOrNull("clients"),
    messages: fields.numberOrNull("messages"),
    conflated: fields.numberOrNull("conflated"),
    disconnected_slow: fields.numberOrNull("disconnected_slow"),
    lapped: fields.numberOrNull("lapped"),
    missing: fields.numberOrNull("missing"),
  };
}

function readRecording(fields: Fields): msg.RecordingReport {
  return {
    state: fields.oneOf("state", ["recording", "stopped", "dead"]),
    recorded: fields.numberOrNull("recorded"),
    position: fields.numberOrNull("position"),
    lag_records: fields.numberOrNull("lag_records"),
    sync_age_ms: fields.numberOrNull("sync_age_ms"),
    journal_bytes: fields.numberOrNull("journal_bytes"),
    journal_bytes_max: fields.numberOrNull("journal_bytes_max"),
    free_bytes: fields.numberOrNull("free_bytes"),
    lost: fields.numberOrNull("lost"),
    laps: fields.numberOrNull("laps"),
    database: fields.isAbsent("database") ? null : readDatabase(fields.object("database")),
  };
}

function readDatabase(fields: Fields): msg.DatabaseReport {
  return {
    connected: fields.flag("connected"),
    rows: fields.numberOrNull("rows"),
    behind_records: fields.numberOrNull("behind_records"),
    behind_ms: fields.numberOrNull("behind_ms"),
  };
}

function readInstrument(fields: Fields): msg.Instrument {
  return {
    venue: fields.text("venue"),
    symbol: fields.text("symbol"),
    name: fields.textOrNull("name") ?? "",
    tick: fields.decimalOrNull("tick"),
  };
}
