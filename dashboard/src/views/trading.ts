/** The engine: strategies with their state and gains, positions, open orders, fills. Hidden until an engine was heard. */

import { formatClockUtc, formatCompact, formatCount, UNKNOWN } from "../format";
import type { Engine, Fill, Order, Position, Strategy, Sums } from "../protocol/trading";
import type { TradingState } from "../store/trading";
import type { Changes, Store } from "../store/store";
import { byId, DecimalText, make, rowHeader, setData, setText } from "./dom";
import { KeyedRows, type Row } from "./keyed_rows";
import { gainOf, moneyOf, wordsOf } from "./trading_words";
import type { View } from "./view";

/** Rows that are drawn of orders, newest first. */
const ORDERS_SHOWN = 100;

const TABS = ["equity", "positions", "orders", "fills"] as const;

export class TradingView implements View {
  private readonly panel = byId("trading");
  private readonly mode = byId("trading-mode");
  private readonly total = byId("trading-total");
  private readonly counts = new Map<string, HTMLElement>();
  private readonly strategies = new KeyedRows<Strategy>(byId("strategy-rows"), ({ index }) => `${index}`, makeStrategyRow);
  private readonly positions = new KeyedRows<Named<Position>>(byId("position-rows"), positionKey, makePositionRow);
  private readonly orders = new KeyedRows<Named<Order>>(byId("order-rows"), ({ item }) => item.id ?? "", makeOrderRow);
  private readonly fills = new KeyedRows<Named<Fill>>(byId("fill-rows"), ({ item }) => `${item.recv_ms} ${item.sequence}`, makeFillRow);

  constructor() {
    byId("trading-tabs").append(...TABS.map((name) => this.makeTab(name)));
  }

  render({ trading }: Store, { parts }: Changes): void {
    const { engine } = trading;
    if (parts.has("engine") && engine !== null) this.showEngine(engine, trading);
    if (parts.has("orders")) this.showOrders(trading);
    if (parts.has("fills")) this.showFills(trading);
  }

  private showEngine(engine: Engine, trading: TradingState): void {
    this.panel.hidden = engine.venue === null && engine.kill.state !== "killed";
    const [text, tone, title] = modeOf(engine);
    setText(this.mode, text);
    setData(this.mode, "tone", tone);
    this.mode.title = title;
    const totals = engine.equity.map((sums) => `${moneyOf(sums.total)} ${sums.currency}`).join(" · ");
    setText(this.total, totals);
    setData(this.total, "side", gainOf(engine.equity));
    this.total.title = engine.whole ? "gains less fees" : "gains less fees, of what this bridge has seen: it was not there from the beginning";
    this.strategies.show(engine.strategies);
    const held = engine.positions.filter((position) => /[1-9]/.test(position.quantity));
    this.positions.show(held.map((item) => ({ item, strategy: trading.strategyName(item.strategy) })));
    this.count("positions", held.length);
  }

  private showOrders(trading: TradingState): void {
    const newest = [...trading.orders.values()].slice(-ORDERS_SHOWN).reverse();
    this.orders.show(newest.map((item) => ({ item, strategy: trading.strategyName(item.strategy) })));
    this.count("orders", trading.orders.size);
  }

  private showFills(trading: TradingState): void {
    const { fills } = trading;
    const newest = Array.from({ length: fills.length }, (_, age) => fills.newest(age)).filter((fill) => fill !== undefined);
    this.fills.show(newest.map((item) => ({ item, strategy: trading.strategyName(item.strategy) })));
    this.count("fills", fills.length);
  }

  private count(tab: string, count: number): void {
    const element = this.counts.get(tab);
    if (element !== undefined) setText(element, count > 0 ? formatCount(count) : "");
  }

  private makeTab(name: (typeof TABS)[number]): HTMLElement {
    const input = make("input");
    input.type = "radio";
    input.name = "trading-tab";
    input.value = name;
    input.checked = name === "equity";
    input.addEventListener("change", () => setData(this.panel, "tab", name));
    const count = make("small");
    this.counts.set(name, count);
    return make("label", "", input, make("span", "", name, count));
  }
}

/** An item with its strategy's name. */
interface Named<Item> {
  readonly item: Item;
  readonly strategy: string;
}

function modeOf({ venue, attached, halted, halt_reason, session }: Engine): readonly [text: string, tone: string, title: string] {
  const title = session === null ? "" : `session ${session}`;
  if (!attached) return ["engine gone", "warning", title];
  if (halted) return [`halted${halt_reason === null ? "" : `: ${wordsOf(halt_reason)}`}`, "warning", title];
  return [venue ?? UNKNOWN, "good", title];
}

function positionKey({ item: { strategy, venue, symbol } }: Named<Position>): string {
  return `${strategy} ${venue} ${symbol}`;
}

function makeStrategyRow({ index }: Strategy): Row<Strategy> {
  const name = make("span");
  const lamp = make("span", "lamp");
  lamp.setAttribute("aria-hidden", "true");
  const state = make("td");
  const cells = [make("td", "figure"), make("td", "figure"), make("td", "figure wide-only"), make("td", "figure wider-only"), make("td", "figure gain")] as const;
  const element = make("tr", "", rowHeader("", lamp, name), state, ...cells);
  element.dataset["testid"] = `strategy-row-${index}`;
  const fill = (strategy: Strategy) => {
    const [orders, fills, breaches, fees, total] = cells;
    setText(name, strategy.name ?? `#${index}`);
    setText(state, strategy.restriction === null ? strategy.state : wordsOf(strategy.restriction));
    const isRunning = strategy.state === "running" && strategy.restriction === null;
    setData(element, "connected", isRunning ? "yes" : "no");
    setData(state, "tone", isRunning ? "" : "warning");
    state.title = strategy.restriction_reason === null ? "" : wordsOf(strategy.restriction_reason);
    setText(orders, formatCompact(strategy.open_orders));
    setText(fills, formatCompact(strategy.fills));
    setText(breaches, formatCompact(strategy.breaches));
    setData(breaches, "tone", strategy.breaches > 0 ? "warning" : "");
    breaches.title = strategy.breach === null ? "" : `last: ${wordsOf(strategy.breach)}`;
    setText(total, listOf(strategy.equity, ({ total }) => moneyOf(total)));
    setData(total, "side", gainOf(strategy.equity));
    setText(fees, listOf(strategy.equity, (sums) => moneyOf(sums.fees).replace("+", "")));
  };
  return { element, fill };
}

function listOf(equity: readonly Sums[], of: (sums: Sums) => string): string {
  return equity.length === 0 ? UNKNOWN : equity.map(of).join(" · ");
}

function makePositionRow(): Row<Named<Position>> {
  const strategy = make("td", "dim wide-only");
  const symbol = make("span");
  const venue = make("small", "dim");
  const [quantity, average, mark] = [make("td", "figure"), make("td", "figure"), make("td", "figure wider-only")] as const;
  const gain = make("td", "figure gain");
  const texts = [new DecimalText(quantity), new DecimalText(average), new DecimalText(mark)] as const;
  const element = make("tr", "", rowHeader("", symbol, " ", venue), strategy, quantity, average, mark, gain);
  element.dataset["testid"] = "position-row";
  const fill = ({ item, strategy: name }: Named<Position>) => {
    setText(symbol, item.symbol ?? UNKNOWN);
    setText(venue, item.venue);
    setText(strategy, name);
    texts[0].show(item.quantity);
    texts[1].show(item.average_price);
    texts[2].show(item.mark);
    setText(gain, item.unrealized === null ? UNKNOWN : moneyOf(item.unrealized));
    setData(gain, "side", item.unrealized === null ? "" : gainOf([{ total: item.unrealized }]));
  };
  return { element, fill };
}

function makeOrderRow(): Row<Named<Order>> {
  const [time, side, symbol, state] = [make("td", "dim wider-only"), make("td", "side-word"), make("span"), make("td")] as const;
  const [leaves, price] = [make("td", "figure"), make("td", "figure")] as const;
  const texts = [new DecimalText(leaves), new DecimalText(price)] as const;
  const strategy = make("td", "dim wide-only");
  const element = make("tr", "", rowHeader("", symbol), time, strategy, side, leaves, price, state);
  element.dataset["testid"] = "order-row";
  const fill = ({ item, strategy: name }: Named<Order>) => {
    setText(time, formatClockUtc(item.recv_ms));
    setText(symbol, item.symbol ?? UNKNOWN);
    setText(strategy, name);
    setText(side, item.side ?? UNKNOWN);
    setData(side, "side", item.side ?? "");
    texts[0].show(item.leaves);
    texts[1].show(item.price ?? item.trigger_price);
    setText(state, wordsOf(item.state));
    element.title = `${item.id ?? ""} ${wordsOf(item.order_type ?? "")} ${item.time_in_force ?? ""} of ${item.quantity ?? UNKNOWN}`;
  };
  return { element, fill };
}

function makeFillRow(): Row<Named<Fill>> {
  const [time, side, symbol, liquidity] = [make("td", "dim"), make("td", "side-word"), make("span"), make("td", "dim wider-only")] as const;
  const [size, price, fee] = [make("td", "figure"), make("td", "figure"), make("td", "figure wide-only")] as const;
  const texts = [new DecimalText(size), new DecimalText(price), new DecimalText(fee)] as const;
  const element = make("tr", "", rowHeader("", symbol), time, side, liquidity, fee, size, price);
  element.dataset["testid"] = "fill-row";
  const fill = ({ item, strategy: name }: Named<Fill>) => {
    setText(time, formatClockUtc(item.recv_ms));
    setText(symbol, item.symbol ?? UNKNOWN);
    setText(side, item.side ?? UNKNOWN);
    setData(side, "side", item.side ?? "");
    texts[0].show(item.size);
    texts[1].show(item.price);
    texts[2].show(item.fee);
    setText(liquidity, item.liquidity ?? "");
    element.title = `${item.id ?? ""} of ${name}`;
  };
  return { element, fill };
}
