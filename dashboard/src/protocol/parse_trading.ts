/** The engine's channels as typed messages; see `parse.ts`. */

import { parseDecimal } from "../decimal";
import type { Fields } from "./fields";
import { instrumentKey, type DataType, type Side, type Stamp } from "./messages";
import * as msg from "./trading";

const ITEMS_MAX = 10_000;
const CURRENCIES_MAX = 100;
const POINTS_MAX = 10_000;

export const TRADING_CHANNELS = ["orders", "fills", "signals", "engine"] as const;

export function readTrading(channel: (typeof TRADING_CHANNELS)[number], type: DataType, fields: Fields): msg.TradingMessage {
  switch (channel) {
    case "orders":
      return { channel, type, data: fields.objects("data", ITEMS_MAX, readOrder) };
    case "fills":
      return { channel, type, data: fields.objects("data", ITEMS_MAX, readFill) };
    case "signals":
      return { channel, type, data: fields.objects("data", ITEMS_MAX, readSignal) };
    case "engine":
      return { channel, type, data: fields.objects("data", 1, readEngine) };
  }
}

function readStamp(fields: Fields): Stamp {
  return { event_ms: fields.timeMs("ts_event"), recv_ms: fields.timeMs("ts_recv"), sequence: fields.number("sequence") };
}

function readOfOrder(fields: Fields) {
  const [venue, symbol] = [fields.text("venue"), fields.textOrNull("symbol")];
  return {
    id: fields.textOrNull("id"),
    venue,
    symbol,
    instrument: instrumentKey(venue, symbol ?? ""),
    strategy: fields.number("strategy"),
    side: readSide(fields),
    ...readStamp(fields),
  };
}

function readSide(fields: Fields): Side | null {
  return fields.isAbsent("side") ? null : fields.oneOf("side", ["buy", "sell"]);
}

function readOrder(fields: Fields): msg.Order {
  return {
    ...readOfOrder(fields),
    state: fields.oneOf("state", msg.ORDER_STATES),
    order_type: fields.textOrNull("order_type"),
    time_in_force: fields.textOrNull("time_in_force"),
    price: fields.decimalOrNull("price"),
    trigger_price: fields.decimalOrNull("trigger_price"),
    quantity: fields.decimalOrNull("quantity"),
    leaves: fields.decimalOrNull("leaves"),
    reason: fields.textOrNull("reason"),
  };
}

function readFill(fields: Fields): msg.Fill {
  return {
    ...readSignal(fields),
    fee: fields.decimalOrNull("fee"),
    liquidity: fields.textOrNull("liquidity"),
  };
}

function readSignal(fields: Fields): msg.Signal {
  return { ...readOfOrder(fields), price: fields.decimalOrNull("price"), size: fields.decimalOrNull("size") };
}

function readEngine(fields: Fields): msg.Engine {
  return {
    venue: fields.textOrNull("venue"),
    session: fields.numberOrNull("session"),
    attached: fields.flag("attached"),
    whole: fields.flag("whole"),
    halted: fields.flag("halted"),
    halt_reason: fields.textOrNull("halt_reason"),
    kill: readKill(fields.object("kill")),
    strategies: fields.objects("strategies", ITEMS_MAX, readStrategy),
    positions: fields.objects("positions", ITEMS_MAX, readPosition),
    equity: fields.objects("equity", CURRENCIES_MAX, readSums),
    at_ms: fields.isAbsent("ts") ? null : fields.timeMs("ts"),
    history: new Map(fields.isAbsent("history") ? [] : fields.objects("history", CURRENCIES_MAX, readCurve)),
  };
}

function readKill(fields: Fields): msg.Kill {
  return {
    state: fields.isAbsent("state") ? null : fields.oneOf("state", ["killed", "armed"]),
    reason: fields.textOrNull("reason"),
    since_ms: fields.isAbsent("since") ? null : fields.timeMs("since"),
    note: fields.textOrNull("note"),
    followed: fields.flag("followed"),
  };
}

function readStrategy(fields: Fields): msg.Strategy {
  return {
    index: fields.number("index"),
    name: fields.textOrNull("name"),
    state: fields.text("state"),
    restriction: fields.textOrNull("restriction"),
    restriction_reason: fields.textOrNull("restriction_reason"),
    open_orders: fields.number("open_orders"),
    orders: fields.number("orders"),
    fills: fields.number("fills"),
    signals: fields.number("signals"),
    breaches: fields.number("breaches"),
    breach: fields.textOrNull("breach"),
    equity: fields.objects("equity", CURRENCIES_MAX, readSums),
  };
}

function readPosition(fields: Fields): msg.Position {
  return {
    strategy: fields.number("strategy"),
    venue: fields.text("venue"),
    symbol: fields.textOrNull("symbol"),
    quantity: fields.decimal("quantity"),
    average_price: fields.decimalOrNull("average_price"),
    mark: fields.decimalOrNull("mark"),
    currency: fields.text("currency"),
    realized: fields.decimal("realized"),
    unrealized: fields.decimalOrNull("unrealized"),
    fees: fields.decimal("fees"),
  };
}

function readSums(fields: Fields): msg.Sums {
  return {
    currency: fields.text("currency"),
    realized: fields.decimal("realized"),
    unrealized: fields.decimal("unrealized"),
    fees: fields.decimal("fees"),
    total: fields.decimal("total"),
  };
}

function readCurve(fields: Fields): readonly [string, msg.EquityPoint[]] {
  const points = fields.array("points", POINTS_MAX).map((point) => {
    const [ns, text] = Array.isArray(point) && point.length === 2 ? (point as unknown[]) : [];
    const total = typeof text === "string" ? parseDecimal(text) : null;
    if (typeof ns !== "number" || total === null) throw fields.refusal("points", "a list of [time, decimal in a text]");
    return { at_ms: Math.floor(ns / 1e6), total };
  });
  return [fields.text("currency"), points];
}
