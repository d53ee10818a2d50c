/** A small made-up market in the bridge's JSON: three venues, the same figures on every run. */

import type { Request } from "./bridge";
import { tradingSnapshots } from "./trading";

interface Listing {
  readonly venue: string;
  readonly symbol: string;
  readonly price: number;
  readonly tick: string;
  readonly price_decimals: number;
  readonly size_decimals: number;
}

/** Each venue writes prices and sizes in its own way: padded to eight or nine decimals, or cut to the tick. */
const LISTINGS: readonly Listing[] = [
  listing("alpaca", "BTC/USD", 62807.012, "0.001000000", 9, 9),
  listing("binance", "BTCUSDT", 62807.01, "0.01000000", 8, 8),
  listing("binance", "ETHUSDT", 1748.55, "0.01000000", 8, 8),
  listing("binance", "SOLUSDT", 78.42, "0.01000000", 8, 8),
  listing("binance", "DOGEUSDT", 0.07341, "0.00001000", 8, 8),
  listing("coinbase", "BTC-USD", 62801.12, "0.01", 2, 8),
  listing("coinbase", "ETH-USD", 1748.31, "0.01", 2, 8),
  listing("coinbase", "SOL-USD", 78.4, "0.01", 2, 8),
  listing("kraken", "BTC/USD", 62807.0, "0.1", 1, 8),
  listing("kraken", "ETH/USD", 1748.42, "0.01", 2, 8),
  listing("kraken", "XRP/USD", 1.08713, "0.00001", 5, 8),
];

function listing(venue: string, symbol: string, price: number, tick: string, price_decimals: number, size_decimals: number): Listing {
  return { venue, symbol, price, tick, price_decimals, size_decimals };
}

/** The body of `/api/instruments`. */
export const INSTRUMENTS = LISTINGS.map(({ venue, symbol, tick, price_decimals, size_decimals }) => ({
  venue,
  symbol,
  name: "",
  price_decimals,
  size_decimals,
  tick,
  lot: "0.00000001",
}));

const BOOK_LEVELS = 25;
const HISTORY_STEPS = 400;
const HISTORY_STEP_MS = 300;
/** No level and no trade is empty. */
const NOTIONAL_MIN = 5;
const NS_PER_MS = 1_000_000;

export class Market {
  private sequence = 0;
  private random_ = 0x2f6e2b1;

  /** `now_ms` is the moment that the figures belong to. */
  constructor(private readonly now_ms: () => number = Date.now) {}

  /** What the bridge sends upon a subscription. */
  snapshots({ channels, symbols }: Request): object[] {
    if (channels.includes("book")) {
      return LISTINGS.filter(({ venue, symbol }) => symbols?.includes(`${venue}:${symbol}`)).map((item) => this.book(item));
    }
    if (channels.includes("engine")) return tradingSnapshots(this.now_ms());
    return [
      ...LISTINGS.map((item) => this.statusOf(item, "book_trusted")),
      ...LISTINGS.map((item) => this.trades(item)),
      ...LISTINGS.map((item) => this.quotes(item)),
      ...["binance", "coinbase", "kraken"].map((venue) => this.status(venue, null, "connected")),
      this.system(),
    ];
  }

  /** As `snapshots`, with the last minutes before them. */
  snapshotsWithHistory(request: Request): object[] {
    return request.channels.includes("book") || request.channels.includes("engine") ? this.snapshots(request) : [...this.history(), ...this.snapshots(request)];
  }

  /** Trades and quotes of every instrument over the last minutes, as the price walked. */
  private history(): object[] {
    return LISTINGS.flatMap((item) => {
      const messages = [];
      // The walk starts at today's price and is told backwards.
      let price = item.price;
      for (let age_steps = 1; age_steps < HISTORY_STEPS; age_steps += 1) {
        price += (this.random() - 0.5) * item.price * 0.0002;
        const recv_ms = this.now_ms() - age_steps * HISTORY_STEP_MS;
        messages.push(this.quotesMessage(item, "update", [this.quote(item, price, recv_ms)]));
        if (this.random() < 0.6) messages.push(this.tradesMessage(item, "update", [this.trade(item, price, recv_ms)]));
      }
      return messages.reverse();
    });
  }

  status(venue: string, symbol: string | null, status: string, more: object = {}) {
    const data = [{ status, cause: null, first: null, last: null, args: [1, 0], ...this.stamp(), ...more }];
    return { channel: "status", type: "snapshot", venue, symbol, data };
  }

  system() {
    return {
      channel: "system",
      type: "update",
      data: {
        ts: this.now_ms() * NS_PER_MS,
        run_id: "20260710T143011-7f3a",
        processes: [
          process("relay", "relay", 14102, 1843.2, 0),
          process("collector-binance", "producer", 4110, 1201.4, 0),
          process("collector-coinbase", "producer", 4111, 402.7, 0),
          process("collector-kraken", "producer", 4112, 239.1, 12),
          { ...process("collector-alpaca", "producer", 4_194_304, 12_087.4, 1_204), lost: 48_211 },
          process("bridge", "reader", 4120, 1843.2, 0),
        ],
        venues: [
          venueReport("binance", { records_per_s: 1201.4, frames_per_s: 612.3, books_trusted: 4, books_total: 4 }),
          venueReport("coinbase", { records_per_s: 402.7, frames_per_s: 388.0, books_trusted: 3, books_total: 3, reconnects: 1 }),
          venueReport("kraken", { records_per_s: 239.1, frames_per_s: 97.2, gaps: 2, resyncs: 1, books_trusted: 2, books_total: 3, checksums_ok: 18_422 }),
        ],
        latency: ["alpaca", "binance", "coinbase", "kraken"].flatMap((venue, index) => [
          latency("event_to_recv", venue, 21_400_000 * (index + 1)),
          latency("recv_to_publish", venue, 1_900 * (index + 1)),
        ]).concat([latency("publish_to_bridge", null, 8_400), latency("recv_to_bridge", null, 11_200)]),
        bridge: { clients: 1, messages: 182_331, conflated: 0, disconnected_slow: 0, lapped: 0, missing: 0 },
        recording: {
          state: "recording",
          recorded: 48_120_377,
          position: 12_904_112,
          lag_records: 214,
          sync_age_ms: 38,
          journal_bytes: 3_221_225_472,
          journal_bytes_max: 8_589_934_592,
          free_bytes: 61_203_283_968,
          lost: 0,
          laps: 0,
          database: { connected: true, rows: 48_101_004, behind_records: 19_373, behind_ms: 412 },
        },
      },
    };
  }

  private statusOf({ venue, symbol }: Listing, status: string) {
    return this.status(venue, symbol, status);
  }

  private trades(item: Listing) {
    const trades = [4, 3, 2, 1].map((age) => this.trade(item, item.price, this.now_ms() - age * 250));
    return this.tradesMessage(item, "snapshot", trades);
  }

  private quotes(item: Listing) {
    return this.quotesMessage(item, "snapshot", [this.quote(item, item.price, this.now_ms())]);
  }

  private tradesMessage({ venue, symbol }: Listing, type: string, data: object[]) {
    return { channel: "trades", type, venue, symbol, data };
  }

  private quotesMessage({ venue, symbol }: Listing, type: string, data: object[]) {
    return { channel: "quotes", type, venue, symbol, data };
  }

  private trade(item: Listing, price: number, recv_ms: number) {
    const side = this.random() < 0.5 ? "buy" : "sell";
    return { price: priceText(item, price), size: this.size(item), side, ...this.stamp(recv_ms) };
  }

  private quote(item: Listing, price: number, recv_ms: number) {
    const tick = Number(item.tick);
    return {
      bid: priceText(item, price - tick),
      bid_size: this.size(item),
      ask: priceText(item, price + tick),
      ask_size: this.size(item),
      derived: false,
      untrusted: false,
      ...this.stamp(recv_ms),
    };
  }

  private book(item: Listing) {
    const side = (direction: 1 | -1) =>
      Array.from({ length: BOOK_LEVELS }, (_, level) => [
        priceText(item, item.price + direction * Number(item.tick) * (1 + level * 3)),
        this.size(item),
      ]);
    const data = [{ trusted: true, bids: side(-1), asks: side(1), ...this.stamp() }];
    return { channel: "book", type: "snapshot", venue: item.venue, symbol: item.symbol, data };
  }

  private size({ size_decimals, price }: Listing): string {
    const decimals = price < 10 ? 2 : 5;
    return ((NOTIONAL_MIN + this.random() ** 3 * 20_000) / price).toFixed(decimals) + "0".repeat(size_decimals - decimals);
  }

  private stamp(recv_ms = this.now_ms()) {
    this.sequence += 1;
    return { ts_event: (recv_ms - 23) * NS_PER_MS, ts_recv: recv_ms * NS_PER_MS, sequence: this.sequence };
  }

  /** A linear congruential generator: the same market on every run. */
  private random(): number {
    this.random_ = (Math.imul(this.random_, 1_664_525) + 1_013_904_223) >>> 0;
    return this.random_ / 2 ** 32;
  }
}

function tickDecimals({ tick }: Listing): number {
  return (tick.split(".")[1] ?? "").replace(/0+$/, "").length;
}

function pad(item: Listing): string {
  return "0".repeat(item.price_decimals - tickDecimals(item));
}

function priceText(item: Listing, price: number): string {
  return price.toFixed(tickDecimals(item)) + pad(item);
}

function process(name: string, role: string, pid: number, records_per_s: number, lag: number) {
  return { name, pid, alive: true, role, records: 1_000_000, records_per_s, lost: 0, lag };
}

function venueReport(venue: string, more: object) {
  const quiet = { gaps: 0, resyncs: 0, refused: 0, reconnects: 0, checksums_ok: 0, checksums_bad: 0, last_recv_age_ms: 38 };
  return { venue, connected: true, ...quiet, ...more };
}

function latency(hop: string, venue: string | null, p50_ns: number) {
  return { hop, venue, p50_ns, p90_ns: p50_ns * 1.6, p99_ns: p50_ns * 3.1, p999_ns: p50_ns * 9, max_ns: p50_ns * 31, count: 100_000 };
}
