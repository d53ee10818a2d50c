import { expect, test } from "vitest";
import type { ServerMessage } from "../../src/protocol/messages";
import { parseInstruments, parseMessage } from "../../src/protocol/parse";

const STAMP = '"ts_event":1783465204585581000,"ts_recv":1783465204590000999,"sequence":7';
const HEAD = '"type":"update","venue":"kraken","symbol":"BTC/USD"';
const TRADE = `{"price":"62807.0","size":"0.00100000","side":"buy",${STAMP}}`;

function read(text: string): ServerMessage {
  const parsed = parseMessage(text);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

function refusal(text: string): string {
  const parsed = parseMessage(text);
  return parsed.ok ? "" : parsed.reason;
}

test("a trade keeps its digits and its times to the millisecond", () => {
  expect(read(`{"channel":"trades",${HEAD},"data":[${TRADE}]}`)).toEqual({
    channel: "trades",
    type: "update",
    venue: "kraken",
    symbol: "BTC/USD",
    skipped: 0,
    data: [{ price: "62807.0", size: "0.00100000", side: "buy", event_ms: 1783465204585, recv_ms: 1783465204590, sequence: 7 }],
  });
});

test("trades that were skipped are counted, and a side may be unknown", () => {
  const message = read(`{"channel":"trades",${HEAD},"skipped":12,"data":[${TRADE.replace('"buy"', "null")}]}`);
  expect(message).toMatchObject({ skipped: 12, data: [{ side: null }] });
});

test("a quote may lack its sizes", () => {
  const quote = `{"bid":"1.0","bid_size":null,"ask":"1.1","ask_size":null,"derived":true,"untrusted":false,${STAMP}}`;
  const message = read(`{"channel":"quotes",${HEAD},"conflated":3,"data":[${quote}]}`);
  expect(message).toMatchObject({ conflated: 3, data: [{ bid: "1.0", bidSize: null, ask: "1.1", askSize: null, derived: true }] });
});

test("book levels are pairs of decimals", () => {
  const message = read(`{"channel":"book",${HEAD},"data":[{"trusted":true,"bids":[["1.0","2"]],"asks":[],${STAMP}}]}`);
  expect(message).toMatchObject({ data: [{ trusted: true, bids: [["1.0", "2"]], asks: [] }] });
});

test("a status of a venue has no symbol; a gap tells its range", () => {
  const gap = `{"status":"gap","cause":"relay_loss","first":5,"last":9,"args":null,${STAMP}}`;
  const message = read(`{"channel":"status","type":"update","venue":"kraken","symbol":null,"data":[${gap}]}`);
  expect(message).toMatchObject({ symbol: null, data: [{ status: "gap", cause: "relay_loss", first: 5, last: 9, args: null }] });
});

test.each([
  ["null", null],
  ["[1,2]", [1, 2]],
  ["[1,null]", [1, null]],
  ["[null,2]", [null, 2]],
])("arguments of a status may be unknown: %s", (text, args) => {
  const status = `{"status":"disconnected","cause":null,"first":null,"last":null,"args":${text},${STAMP}}`;
  expect(read(`{"channel":"status",${HEAD},"data":[${status}]}`)).toMatchObject({ data: [{ args }] });
});

test("a quote may lack a whole side", () => {
  const quote = `{"bid":null,"bid_size":null,"ask":"1.1","ask_size":"2","derived":false,"untrusted":false,${STAMP}}`;
  expect(read(`{"channel":"quotes",${HEAD},"data":[${quote}]}`)).toMatchObject({ data: [{ bid: null, bidSize: null, ask: "1.1" }] });
});

test("figures that the system report lacks are unknown, not zero", () => {
  const data = '{"run_id":"r","processes":[],"venues":[{"venue":"kraken","connected":false,"gaps":null}],"latency":[],"bridge":{}}';
  expect(read(`{"channel":"system","type":"update","data":${data}}`)).toMatchObject({
    data: { venues: [{ venue: "kraken", connected: false, gaps: null, records_per_s: null }], bridge: { clients: null } },
  });
});

test("a recording without a database is told from one whose database is away", () => {
  const report = (recording: string) =>
    read(`{"channel":"system","type":"update","data":{"run_id":"r","processes":[],"venues":[],"latency":[],"bridge":{},"recording":${recording}}}`);
  expect(report("null")).toMatchObject({ data: { recording: null } });
  expect(report('{"state":"stopped","lost":7,"database":null}')).toMatchObject({
    data: { recording: { state: "stopped", lost: 7, position: null, database: null } },
  });
  expect(report('{"state":"recording","database":{"connected":false,"behind_ms":900}}')).toMatchObject({
    data: { recording: { database: { connected: false, behind_ms: 900, rows: null } } },
  });
});

test("replies keep their id", () => {
  expect(read('{"op":"subscribed","id":1,"channels":[],"symbols":[]}')).toEqual({ op: "subscribed", id: 1 });
  expect(read('{"op":"error","id":2,"code":"unknown_symbol","message":"no"}')).toEqual({ op: "error", id: 2, code: "unknown_symbol", message: "no" });
});

test.each([
  ["", "not JSON"],
  ["{", "not JSON"],
  ["[]", "message is not an object"],
  ["null", "message is not an object"],
  ['{"channel":"system","data":{"run_id":"r","processes":[],"venues":[],"latency":[],"bridge":{},"recording":{"state":"odd"}}}', "message.data.recording.state is not one of recording, stopped, dead"],
  ['{"channel":"weather"}', "message.channel is not one of trades, quotes, book, status, system, orders, fills, signals, engine"],
  ['{"op":"dance"}', "message.op is not one of subscribed, unsubscribed, pong, error"],
  [`{"channel":"trades",${HEAD},"data":{}}`, "message.data is not an array"],
  [`{"channel":"trades",${HEAD},"data":[${TRADE.replace('"62807.0"', "62807.0")}]}`, "message.data[0].price is not a decimal in a text"],
  [`{"channel":"trades",${HEAD},"data":[${TRADE.replace("62807.0", "")}]}`, "message.data[0].price is not a decimal in a text"],
  [`{"channel":"trades",${HEAD},"data":[${TRADE.replace("buy", "both")}]}`, "message.data[0].side is not one of buy, sell"],
  [`{"channel":"book",${HEAD},"data":[{"trusted":true,"bids":[["1"]],"asks":[],${STAMP}}]}`, "message.data[0].bids is not a list of [price, size] in texts"],
  [`{"channel":"book",${HEAD},"data":[{"trusted":1,"bids":[],"asks":[],${STAMP}}]}`, "message.data[0].trusted is not true or false"],
  [`{"channel":"status",${HEAD},"data":[{"status":"x","args":[1,"2"],${STAMP}}]}`, "message.data[0].args is not two numbers or nulls"],
  [`{"channel":"status",${HEAD},"data":[{"status":"x","args":[1],${STAMP}}]}`, "message.data[0].args is not two numbers or nulls"],
  ['{"channel":"trades","type":"update","symbol":"X","data":[],"__proto__":{"venue":"kraken"}}', "message.venue is not a text"],
])("%s is refused: %s", (text, reason) => {
  expect(refusal(text)).toBe(reason);
});

test("arrays beyond their limit are refused", () => {
  const trades = Array.from({ length: 10_001 }, () => TRADE).join();
  expect(refusal(`{"channel":"trades",${HEAD},"data":[${trades}]}`)).toBe("message.data is not an array of at most 10000");
});

test("instruments are read from a bare array", () => {
  const body = '[{"venue":"kraken","symbol":"BTC/USD","name":"","price_decimals":1,"size_decimals":8,"tick":"0.1","lot":"0.00000001"}]';
  expect(parseInstruments(body)).toEqual({ ok: true, value: [{ venue: "kraken", symbol: "BTC/USD", name: "", tick: "0.1" }] });
  expect(parseInstruments("{}")).toEqual({ ok: false, reason: "body.instruments is not an array" });
});
