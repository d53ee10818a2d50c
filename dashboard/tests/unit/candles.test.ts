import { expect, test } from "vitest";
import { PriceHistory } from "../../src/store/candles";

test("trades of one bucket make one candle, and the next bucket opens another", () => {
  const history = new PriceHistory();
  history.addTrade(10_000, 100, 1);
  history.addTrade(10_400, 103, 2);
  history.addTrade(10_999, 99, 1);
  history.addTrade(11_000, 101, 5);
  expect(history.of("1s").candles).toEqual([
    { time: 10, open: 100, high: 103, low: 99, close: 99, volume: 4 },
    { time: 11, open: 101, high: 101, low: 101, close: 101, volume: 5 },
  ]);
  expect(history.of("5s").candles).toEqual([{ time: 10, open: 100, high: 103, low: 99, close: 101, volume: 9 }]);
  expect(history.of("1m").candles).toMatchObject([{ time: 0, volume: 9 }]);
});

test("a clock that steps back does not disturb the order of time", () => {
  const history = new PriceHistory();
  history.addTrade(20_000, 100, 1);
  history.addTrade(12_000, 90, 1);
  expect(history.of("1s").candles).toEqual([{ time: 20, open: 100, high: 100, low: 90, close: 90, volume: 2 }]);
});

test("the mid of a bucket is its last one", () => {
  const history = new PriceHistory();
  history.setMid(10_000, 1);
  history.setMid(10_500, 2);
  history.setMid(12_000, 3);
  expect(history.of("1s").mids).toEqual([
    { time: 10, value: 2 },
    { time: 12, value: 3 },
  ]);
});

test("the oldest buckets make room", () => {
  const history = new PriceHistory();
  for (let second = 0; second < 1_000; second += 1) history.addTrade(second * 1000, second, 1);
  const { candles } = history.of("1s");
  expect([candles.length, candles[0]?.time, candles.at(-1)?.time]).toEqual([300, 700, 999]);
});
