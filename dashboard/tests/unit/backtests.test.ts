import { expect, test } from "vitest";
import { parseBacktests } from "../../src/protocol/parse";

const REPORT = {
  name: "run",
  written_ms: 1,
  strategies: ["sma"],
  instruments: "kraken:BTC/USD",
  records: 2,
  first_ms: 3,
  last_ms: 4,
  fills: 5,
  trips: 6,
  currencies: [{ currency: "USD", profit: "-1.50", fees: "0.25", metrics: { sharpe: null, max_drawdown: 0.5, cagr: 1 } }],
};
const LIST = { dir: "/srv", reports: [REPORT], skipped: 7, left_out: 8 };

function parse(list: object) {
  return parseBacktests(JSON.stringify(list));
}

test("a list is read, and what is not defined is null", () => {
  const list = parse(LIST);
  expect(list).toMatchObject({ ok: true, value: { dir: "/srv", skipped: 7, leftOut: 8 } });
  if (!list.ok) return;
  expect(list.value.reports[0]?.currencies).toEqual([{ currency: "USD", profit: "-1.50", fees: "0.25", sharpe: null, maxDrawdown: 0.5 }]);
});

test.each([
  ["not JSON", "{"],
  ["no list", "{}"],
  ["a profit that is no decimal", JSON.stringify({ ...LIST, reports: [{ ...REPORT, currencies: [{ ...REPORT.currencies[0], profit: "<b>" }] }] })],
  ["more reports than a bridge lists", JSON.stringify({ ...LIST, reports: Array.from({ length: 201 }, () => REPORT) })],
])("%s is refused", (_, text) => {
  expect(parseBacktests(text).ok).toBe(false);
});
