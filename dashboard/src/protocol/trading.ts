/** What the engine does, once it has been checked (`parse_trading.ts`). */

import type { Decimal } from "../decimal";
import type { DataType, InstrumentKey, Side, Stamp } from "./messages";

/** Where an order stands; nothing more comes of the last three. */
export const ORDER_STATES = ["submitted", "open", "pending_cancel", "pending_replace", "filled", "canceled", "rejected"] as const;

export type OrderState = (typeof ORDER_STATES)[number];

interface OfOrder extends Stamp {
  /** The client order id; null where it is of no order. */
  readonly id: string | null;
  readonly venue: string;
  readonly symbol: string | null;
  readonly instrument: InstrumentKey;
  readonly strategy: number;
  readonly side: Side | null;
}

export interface Order extends OfOrder {
  readonly state: OrderState;
  readonly order_type: string | null;
  readonly time_in_force: string | null;
  readonly price: Decimal | null;
  readonly trigger_price: Decimal | null;
  readonly quantity: Decimal | null;
  readonly leaves: Decimal | null;
  readonly reason: string | null;
}

export interface Fill extends OfOrder {
  readonly price: Decimal | null;
  readonly size: Decimal | null;
  readonly fee: Decimal | null;
  readonly liquidity: string | null;
}

export interface Signal extends OfOrder {
  readonly price: Decimal | null;
  readonly size: Decimal | null;
}

/** Gains and fees of one currency. */
export interface Sums {
  readonly currency: string;
  readonly realized: Decimal;
  readonly unrealized: Decimal;
  readonly fees: Decimal;
  /** Gains less fees. */
  readonly total: Decimal;
}

export interface Strategy {
  readonly index: number;
  /** Null where the bridge cannot tell. */
  readonly name: string | null;
  readonly state: string;
  readonly restriction: string | null;
  readonly restriction_reason: string | null;
  readonly open_orders: number;
  readonly orders: number;
  readonly fills: number;
  readonly signals: number;
  readonly breaches: number;
  readonly breach: string | null;
  readonly equity: readonly Sums[];
}

export interface Position {
  readonly strategy: number;
  readonly venue: string;
  readonly symbol: string | null;
  readonly quantity: Decimal;
  readonly average_price: Decimal | null;
  readonly mark: Decimal | null;
  readonly currency: string;
  readonly realized: Decimal;
  readonly unrealized: Decimal | null;
  readonly fees: Decimal;
}

export interface Kill {
  /** Null where nobody has said. */
  readonly state: "killed" | "armed" | null;
  readonly reason: string | null;
  readonly since_ms: number | null;
  readonly note: string | null;
  /** The engine has said the same. */
  readonly followed: boolean;
}

/** A point of the equity curve. */
export interface EquityPoint {
  readonly at_ms: number;
  readonly total: Decimal;
}

export interface Engine {
  /** The execution venue; null until an engine was heard. */
  readonly venue: string | null;
  readonly session: number | null;
  readonly attached: boolean;
  /** Whether gains are of everything since the engine began with nothing. */
  readonly whole: boolean;
  readonly halted: boolean;
  readonly halt_reason: string | null;
  readonly kill: Kill;
  readonly strategies: readonly Strategy[];
  readonly positions: readonly Position[];
  readonly equity: readonly Sums[];
  /** When the values of positions were last taken. */
  readonly at_ms: number | null;
  /** By currency; with a snapshot alone. */
  readonly history: ReadonlyMap<string, readonly EquityPoint[]>;
}

interface TradingData<Channel extends string, Item> {
  readonly channel: Channel;
  readonly type: DataType;
  readonly data: readonly Item[];
}

export type OrdersMessage = TradingData<"orders", Order>;
export type FillsMessage = TradingData<"fills", Fill>;
export type SignalsMessage = TradingData<"signals", Signal>;
export type EngineMessage = TradingData<"engine", Engine>;

export type TradingMessage = OrdersMessage | FillsMessage | SignalsMessage | EngineMessage;
