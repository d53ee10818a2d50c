/**
 * Candles and mid prices per time bucket, for drawing: here, and only here, prices are floats.
 *
 * Buckets follow the time of receipt (`ts_recv`): it is one clock for all venues, while event times are missing on some
 * feeds and lie in the past during a replay.
 */

/** The intervals to choose from. */
export const INTERVALS = [
  { name: "1s", seconds: 1 },
  { name: "5s", seconds: 5 },
  { name: "1m", seconds: 60 },
] as const;

export type IntervalName = (typeof INTERVALS)[number]["name"];

/** Buckets kept per interval and instrument: five minutes of 1s, five hours of 1m. */
const BUCKETS_MAX = 300;

export interface Candle {
  /** Start of the bucket, seconds since 1970. */
  readonly time: number;
  readonly open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
}

export interface Mid {
  readonly time: number;
  value: number;
}

/** Buckets in order of time; the oldest make room. */
class Buckets<Bucket extends { readonly time: number }> {
  readonly list: Bucket[] = [];

  constructor(private readonly seconds: number) {}

  /** Changes the bucket of this moment, or opens it; a moment before the newest bucket counts for the newest. */
  at(unix_ms: number, change: (bucket: Bucket) => void, open: (time: number) => Bucket): void {
    const time = Math.floor(unix_ms / 1000 / this.seconds) * this.seconds;
    const newest = this.list.at(-1);
    if (newest !== undefined && time <= newest.time) return change(newest);
    this.list.push(open(time));
    if (this.list.length > BUCKETS_MAX) this.list.shift();
  }
}

/** The buckets of one interval. */
export class IntervalHistory {
  private readonly candleBuckets: Buckets<Candle>;
  private readonly midBuckets: Buckets<Mid>;

  constructor(seconds: number) {
    this.candleBuckets = new Buckets(seconds);
    this.midBuckets = new Buckets(seconds);
  }

  get candles(): readonly Candle[] {
    return this.candleBuckets.list;
  }

  get mids(): readonly Mid[] {
    return this.midBuckets.list;
  }

  addTrade(unix_ms: number, price: number, size: number): void {
    this.candleBuckets.at(
      unix_ms,
      (candle) => {
        candle.high = Math.max(candle.high, price);
        candle.low = Math.min(candle.low, price);
        candle.close = price;
        candle.volume += size;
      },
      (time) => ({ time, open: price, high: price, low: price, close: price, volume: size }),
    );
  }

  setMid(unix_ms: number, value: number): void {
    this.midBuckets.at(
      unix_ms,
      (mid) => {
        mid.value = value;
      },
      (time) => ({ time, value }),
    );
  }
}

/** Every interval of one instrument. */
export class PriceHistory {
  private readonly intervals = new Map<IntervalName, IntervalHistory>(
    INTERVALS.map(({ name, seconds }) => [name, new IntervalHistory(seconds)]),
  );

  of(interval: IntervalName): IntervalHistory {
    const history = this.intervals.get(interval);
    if (history === undefined) throw new RangeError(`no interval ${interval}`);
    return history;
  }

  addTrade(unix_ms: number, price: number, size: number): void {
    for (const history of this.intervals.values()) history.addTrade(unix_ms, price, size);
  }

  setMid(unix_ms: number, value: number): void {
    for (const history of this.intervals.values()) history.setMid(unix_ms, value);
  }
}
