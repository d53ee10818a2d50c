import { expect, test } from "vitest";
import { backoffMs } from "../../src/connection/backoff";
import { endpointOf } from "../../src/connection/endpoint";
import { Subscriptions } from "../../src/connection/subscriptions";

test("the wait doubles up to its limit and is spread over its upper half", () => {
  const shortest = [1, 2, 3, 4, 5, 6, 7].map((attempt) => backoffMs(attempt, () => 0));
  const longest = [1, 2, 3, 4, 5, 6, 7].map((attempt) => backoffMs(attempt, () => 1));
  expect(shortest).toEqual([250, 500, 1_000, 2_000, 4_000, 7_500, 7_500]);
  expect(longest).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
});

test("the endpoint stands beside the page", () => {
  expect(endpointOf("http://127.0.0.1:8080/?instrument=kraken:BTC/USD")).toEqual({
    socketUrl: "ws://127.0.0.1:8080/ws",
    instrumentsUrl: "http://127.0.0.1:8080/api/instruments",
    protocols: [],
    headers: {},
    token: "",
  });
  expect(endpointOf("https://host/desk/").socketUrl).toBe("wss://host/desk/ws");
});

test("a token becomes a subprotocol and a header, and nothing else does", () => {
  const { protocols, headers } = endpointOf("http://host/#token=abc.DEF-1");
  expect([protocols, headers]).toEqual([["tickpath", "bearer.abc.DEF-1"], { Authorization: "Bearer abc.DEF-1" }]);
  expect(endpointOf("http://host/#token=a%20b%0d%0a").protocols).toEqual([]);
});

test("the book subscription follows the selection and is renewed on every new line", () => {
  const sent: object[] = [];
  const subscriptions = new Subscriptions((request) => {
    sent.push(request);
    return true;
  });
  subscriptions.onOpen();
  expect(sent).toEqual([
    { op: "subscribe", channels: ["quotes", "trades", "status", "system"], symbols: ["*"], id: 1 },
    { op: "subscribe", channels: ["orders", "fills", "signals", "engine"], id: 0 },
  ]);
  subscriptions.select("kraken:BTC/USD");
  subscriptions.select("kraken:BTC/USD");
  subscriptions.select("binance:BTCUSDT");
  expect(sent.slice(2)).toMatchObject([
    { op: "subscribe", channels: ["book"], symbols: ["kraken:BTC/USD"] },
    { op: "unsubscribe", channels: ["book"], symbols: ["kraken:BTC/USD"] },
    { op: "subscribe", channels: ["book"], symbols: ["binance:BTCUSDT"] },
  ]);
  subscriptions.onOpen();
  expect(sent.slice(-3)).toMatchObject([{ id: 1 }, { id: 0 }, { op: "subscribe", channels: ["book"], symbols: ["binance:BTCUSDT"] }]);
});
