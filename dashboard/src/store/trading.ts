/** What the engine does: open orders, the last fills and signals, positions, and the equity over time. Bounded. */

import type * as msg from "../protocol/trading";
import { Recent } from "./recent";

/** Fills, and signals, that are kept: for the table and for the marks in the chart. */
export const TOLD_MAX = 200;
/** Orders kept; the bridge follows as many. */
const ORDERS_MAX = 10_000;
/** Points of a curve: half an hour, a second apart. */
export const CURVE_POINTS_MAX = 1_800;

const CLOSED: ReadonlySet<msg.OrderState> = new Set<msg.OrderState>(["filled", "canceled", "rejected"]);

export type TradingPart = "orders" | "fills" | "signals" | "engine";

export class TradingState {
  engine: msg.Engine | null = null;
  fills = new Recent<msg.Fill>(TOLD_MAX);
  signals = new Recent<msg.Signal>(TOLD_MAX);
  /** By currency. */
  readonly curves = new Map<string, msg.EquityPoint[]>();
  private orders_ = new Map<string, msg.Order>();

  /** The orders that are not closed, the oldest first. */
  get orders(): ReadonlyMap<string, msg.Order> {
    return this.orders_;
  }

  /** Takes a message; what of the page it concerns. */
  apply(message: msg.TradingMessage): TradingPart {
    switch (message.channel) {
      case "orders":
        if (message.type === "snapshot") this.orders_ = new Map();
        message.data.forEach((order) => this.setOrder(order));
        break;
      case "fills":
        if (message.type === "snapshot") this.fills = new Recent(TOLD_MAX);
        message.data.forEach((fill) => this.fills.push(fill));
        break;
      case "signals":
        if (message.type === "snapshot") this.signals = new Recent(TOLD_MAX);
        message.data.forEach((signal) => this.signals.push(signal));
        break;
      case "engine":
        message.data.forEach((engine) => this.setEngine(engine, message.type === "snapshot"));
        break;
    }
    return message.channel;
  }

  /** What a strategy is called. */
  strategyName(index: number): string {
    return this.engine?.strategies.find((strategy) => strategy.index === index)?.name ?? `#${index}`;
  }

  private setOrder(order: msg.Order): void {
    if (order.id === null) return;
    if (CLOSED.has(order.state)) this.orders_.delete(order.id);
    else if (this.orders_.has(order.id) || this.orders_.size < ORDERS_MAX) this.orders_.set(order.id, order);
  }

  private setEngine(engine: msg.Engine, isSnapshot: boolean): void {
    this.engine = engine;
    if (isSnapshot) {
      this.curves.clear();
      for (const [currency, points] of engine.history) this.curves.set(currency, points.slice(-CURVE_POINTS_MAX));
    }
    const at_ms = engine.at_ms;
    if (at_ms === null) return;
    for (const { currency, total } of engine.equity) {
      const curve = this.curves.get(currency) ?? [];
      this.curves.set(currency, curve);
      // Between two samples the newest value stands for the second that has begun.
      if (curve.at(-1)?.at_ms === at_ms) curve.pop();
      curve.push({ at_ms, total });
      if (curve.length > CURVE_POINTS_MAX) curve.shift();
    }
  }
}
