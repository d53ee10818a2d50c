import { expect, test } from "vitest";
import { reasonOf } from "../../src/connection/kill_switch";
import { Store } from "../../src/store/store";
import { CURVE_POINTS_MAX } from "../../src/store/trading";
import { marksOf } from "../../src/views/chart_marks";
import { gainOf, moneyOf } from "../../src/views/trading_words";
import { parseMessage } from "../../src/protocol/parse";
import { engine, fill, order, signal } from "../mock_bridge/trading";
import { decimal, received } from "./fixtures";

const KRAKEN = { venue: "kraken", symbol: "BTC/USD" };

function told(channel: string, type: string, ...data: object[]) {
  return received({ channel, type, data });
}

test("orders follow their events and leave when they are closed", () => {
  const store = new Store();
  store.apply(told("orders", "snapshot", order("3-1", KRAKEN, {}), order("3-2", KRAKEN, {})));
  store.apply(told("orders", "update", order("3-3", KRAKEN, { state: "submitted" })));
  store.apply(told("orders", "update", order("3-1", KRAKEN, { state: "filled" }), order("3-2", KRAKEN, { leaves: "0.01" })));
  expect([...store.trading.orders.keys()]).toEqual(["3-2", "3-3"]);
  expect(store.trading.orders.get("3-2")?.leaves).toBe("0.01");
  expect(store.takeChanges().parts).toEqual(new Set(["orders"]));
  store.apply(told("orders", "snapshot"));
  expect(store.trading.orders.size).toBe(0);
});

/** As `bridge/tests/trading.rs` has them. */
test("the bridge's own words are understood", () => {
  const { data: orders } = received(
    JSON.parse(`{"channel": "orders", "type": "update", "data": [{
      "id": "3-17", "venue": "kraken", "symbol": "BTC/USD", "strategy": 0, "side": "buy", "state": "submitted", "event": "order_submitted",
      "order_type": "limit", "time_in_force": "gtc", "post_only": true, "reduce_only": false, "price": "100.0", "trigger_price": null,
      "quantity": "2.000", "leaves": "2.000", "reason": null, "ts_event": 5, "ts_recv": 6, "sequence": 4}]}`) as object,
  );
  expect(orders).toMatchObject([{ id: "3-17", instrument: "kraken:BTC/USD", quantity: "2.000", state: "submitted" }]);
  const { data: engines } = received(
    JSON.parse(`{"channel": "engine", "type": "snapshot", "data": [{"venue": null, "session": null, "attached": false, "whole": false, "broken": 0,
      "halted": false, "halt_reason": null, "kill": {"state": null, "reason": null, "since": null, "note": null, "followed": true},
      "strategies": [], "positions": [], "equity": [], "ts": null, "history": []}]}`) as object,
  );
  expect(engines).toMatchObject([{ venue: null, at_ms: null, kill: { state: null } }]);
});

test("a snapshot of fills stands for all before it", () => {
  const store = new Store();
  store.apply(told("fills", "update", fill("3-1", KRAKEN, {})));
  store.apply(told("fills", "snapshot", fill("3-1", KRAKEN, {}), fill("3-2", KRAKEN, {})));
  expect(store.trading.fills.length).toBe(2);
});

test("the curve begins with the history, and a second has one point", () => {
  const store = new Store();
  const at = (second: number, total: string) =>
    engine({ ts: second * 1e9, equity: [{ currency: "USD", realized: total, unrealized: "0", fees: "0", total }] });
  const points = Array.from({ length: CURVE_POINTS_MAX + 5 }, (_, index) => [index * 1e9, "1.00000000"]);
  store.apply(told("engine", "snapshot", { ...at(1_805, "2.5"), history: [{ currency: "USD", points }] }));
  store.apply(told("engine", "update", at(1_805, "2.75")));
  store.apply(told("engine", "update", at(1_806, "3")));
  const curve = store.trading.curves.get("USD") ?? [];
  expect(curve.length).toBe(CURVE_POINTS_MAX);
  expect(curve.slice(-3).map(({ total }) => total)).toEqual(["1.00000000", "2.75", "3"]);
  expect(store.trading.strategyName(0)).toBe("avellaneda");
  expect(store.trading.strategyName(7)).toBe("#7");
});

test("what is no message of the engine is refused with the field", () => {
  const refused = (channel: string, item: object) => {
    const parsed = parseMessage(JSON.stringify({ channel, type: "update", data: [item] }));
    return parsed.ok ? "" : parsed.reason;
  };
  expect(refused("orders", order("1", KRAKEN, { state: "lost" }))).toContain("data[0].state");
  expect(refused("fills", fill("1", KRAKEN, { price: 1 }))).toContain("data[0].price");
  expect(refused("engine", engine({ kill: { state: "maybe" } }))).toContain("kill.state");
  expect(refused("engine", engine({ history: [{ currency: "USD", points: [[1, 2]] }] }))).toContain("points");
});

test("marks stand at the bucket they fall in, in order of time, those of other instruments left out", () => {
  const store = new Store();
  store.apply(told("fills", "update", fill("1", KRAKEN, { side: "sell" }, 12_900), fill("2", { venue: "binance", symbol: "X" }, {}, 12_900)));
  store.apply(told("fills", "update", fill("3", KRAKEN, {}, 900)));
  store.apply(told("signals", "update", signal(KRAKEN, {}, 11_000)));
  const marks = marksOf(store.trading, "kraken:BTC/USD", 5, 5);
  expect(marks.map(({ time, shape, position }) => [time, shape, position])).toEqual([
    [10, "circle", "belowBar"],
    [10, "arrowDown", "aboveBar"],
  ]);
});

test("money is cut, never rounded up, and its sign is a colour", () => {
  const cases = [["44.43596750", "+44.43"], ["-0.00999999", "0.00"], ["-1234567.5", "-1,234,567.5"], ["0.00000000", "0.00"], ["12", "+12"]] as const;
  for (const [exact, shown] of cases) expect(moneyOf(decimal(exact))).toBe(shown);
  const sums = (...totals: string[]) => totals.map((total) => ({ total: decimal(total) }));
  expect([gainOf(sums("1")), gainOf(sums("-1", "0")), gainOf(sums("1", "-1")), gainOf([])]).toEqual(["buy", "sell", "", ""]);
});

test("a refused kill says why in the bridge's words", () => {
  expect(reasonOf(403, '{"error":{"code":"x","message":"this bridge has no token"}}')).toBe("this bridge has no token");
  expect(reasonOf(502, "<html>")).toBe("answer 502");
});
