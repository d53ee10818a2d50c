/** A made-up engine in the bridge's JSON: two strategies that trade on paper. */

const NS_PER_MS = 1_000_000;
const KRAKEN = { venue: "kraken", symbol: "BTC/USD" };
const BINANCE = { venue: "binance", symbol: "BTCUSDT" };
/** Seconds of equity before now. */
const HISTORY_S = 600;

type Market = typeof KRAKEN;

function stamp(at_ms: number, sequence: number) {
  return { ts_event: (at_ms - 1) * NS_PER_MS, ts_recv: at_ms * NS_PER_MS, sequence };
}

export function order(id: string, market: Market, more: object, at_ms = Date.now()) {
  return {
    id, ...market, strategy: 0, side: "buy", state: "open", event: "order_accepted", order_type: "limit", time_in_force: "gtc",
    post_only: true, reduce_only: false, price: "62806.5", trigger_price: null, quantity: "0.02000000", leaves: "0.02000000", reason: null,
    ...stamp(at_ms, 7), ...more,
  };
}

export function fill(id: string, market: Market, more: object, at_ms = Date.now(), sequence = 9) {
  return {
    id, ...market, strategy: 0, side: "buy", price: "62806.5", size: "0.02000000", fee: "0.31403250", leaves: "0.00000000", liquidity: "maker",
    ...stamp(at_ms, sequence), ...more,
  };
}

export function signal(market: Market, more: object, at_ms = Date.now(), sequence = 11) {
  return { id: null, ...market, strategy: 1, side: "buy", price: "62807.0", size: "1.00000000", ...stamp(at_ms, sequence), ...more };
}

function sums(currency: string, realized: string, unrealized: string, fees: string, total: string) {
  return { currency, realized, unrealized, fees, total };
}

export function engine(more: object = {}, now_ms = Date.now()) {
  const usd = sums("USD", "41.20000000", "12.55000000", "9.31403250", "44.43596750");
  const usdt = sums("USDT", "-3.10000000", "0.00000000", "1.02000000", "-4.12000000");
  const strategy = { restriction: null, restriction_reason: null, breach: null };
  return {
    venue: "paper", session: 3, attached: true, whole: true, broken: 0, halted: false, halt_reason: null,
    kill: { state: "armed", reason: null, since: null, note: null, followed: true },
    strategies: [
      { ...strategy, index: 0, name: "avellaneda", state: "running", open_orders: 2, orders: 412, fills: 118, signals: 0, breaches: 3, breach: "price_collar", equity: [usd] },
      { ...strategy, index: 1, name: "sma", state: "running", restriction: "reduce_only", restriction_reason: "drawdown", open_orders: 0, orders: 14, fills: 14, signals: 15, breaches: 0, equity: [usdt] },
    ],
    positions: [
      { strategy: 0, ...KRAKEN, quantity: "0.02000000", average_price: "62179.5", mark: "62806.9", currency: "USD", realized: "41.20000000", unrealized: "12.55000000", fees: "9.31403250", fills: 118 },
      { strategy: 1, ...BINANCE, quantity: "0.00000000", average_price: null, mark: "62807.00000000", currency: "USDT", realized: "-3.10000000", unrealized: "0.00000000", fees: "1.02000000", fills: 14 },
    ],
    equity: [usd, usdt],
    ts: now_ms * NS_PER_MS,
    ...more,
  };
}

/** Orders that rest, fills and signals of the last two minutes, and ten minutes of equity. */
export function tradingSnapshots(now_ms: number): object[] {
  const times = Array.from({ length: 24 }, (_, index) => now_ms - (24 - index) * 4_700);
  const side = (index: number) => (index % 2 === 0 ? "buy" : "sell");
  const fills = times.map((at_ms, index) =>
    fill(`3-${100 + index}`, KRAKEN, { side: side(index), price: (62_780 + index).toFixed(1), liquidity: index % 3 === 0 ? "taker" : "maker" }, at_ms, index),
  );
  const signals = times.filter((_, index) => index % 6 === 0).map((at_ms, index) => signal(KRAKEN, { side: side(index) }, at_ms - 2_000, index));
  const points = (scale: number) =>
    Array.from({ length: HISTORY_S }, (_, index) => [
      (now_ms - (HISTORY_S - index) * 1_000) * NS_PER_MS,
      (scale * (index / 13 + 8 * Math.sin(index / 40))).toFixed(8),
    ]);
  const history = [
    { currency: "USD", points: points(1) },
    { currency: "USDT", points: points(-0.1) },
  ];
  return [
    { channel: "orders", type: "snapshot", data: [order("3-124", KRAKEN, {}), order("3-125", KRAKEN, { side: "sell", price: "62807.5" })] },
    { channel: "fills", type: "snapshot", data: fills },
    { channel: "signals", type: "snapshot", data: signals },
    { channel: "engine", type: "snapshot", data: [engine({ history }, now_ms)] },
  ];
}
