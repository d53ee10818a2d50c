import { expect, test } from "vitest";
import { describeStatus } from "../../src/store/events";
import { TAPE_TRADES_MAX } from "../../src/store/instrument_state";
import { Recent } from "../../src/store/recent";
import { LOG_ENTRIES_MAX, Store } from "../../src/store/store";
import { received } from "./fixtures";

const STAMP = { ts_event: 1e15, ts_recv: 1e15, sequence: 1 };

function trades(type: string, ...data: { price: string; sequence: number; ts_recv?: number }[]) {
  const items = data.map((item) => ({ size: "1", side: "buy", ...STAMP, ...item }));
  return received({ channel: "trades", type, venue: "kraken", symbol: "BTC/USD", data: items });
}

function book(type: string, symbol: string, bids: string[][], asks: string[][] = [], more = {}) {
  return received({ channel: "book", type, venue: "kraken", symbol, data: [{ trusted: true, bids, asks, ...STAMP }], ...more });
}

function status(type: string, symbol: string | null, name: string, more = {}, lost = 0) {
  const data = [{ status: name, cause: null, first: null, last: null, args: [1, 0], ...STAMP, ...more }];
  return received({ channel: "status", type, venue: "kraken", symbol, data, ...(symbol === null ? { lost } : {}) });
}

function storeWithSelection(): Store {
  const store = new Store();
  store.apply(trades("snapshot", { price: "10.0", sequence: 1 }));
  store.select("kraken:BTC/USD");
  store.takeChanges();
  return store;
}

test("a change is told once, and names its instrument and parts", () => {
  let calls = 0;
  const store = new Store(() => (calls += 1));
  store.apply(trades("snapshot", { price: "10.0", sequence: 1 }));
  expect(calls).toBeGreaterThan(0);
  const changes = store.takeChanges();
  expect([...changes.instruments]).toEqual(["kraken:BTC/USD"]);
  expect(changes.parts.has("list")).toBe(true);
  expect(store.takeChanges()).toEqual({ parts: new Set(), instruments: new Set() });
});

test("a trade of another instrument touches the watch list only", () => {
  const store = storeWithSelection();
  store.apply(received({ channel: "trades", type: "update", venue: "kraken", symbol: "ETH/USD", data: [{ price: "1", size: "1", side: null, ...STAMP }] }));
  const { parts, instruments } = store.takeChanges();
  expect([parts.has("tape"), [...instruments]]).toEqual([false, ["kraken:ETH/USD"]]);
});

test("a trade snapshot after a reconnect adds only what is new", () => {
  const store = storeWithSelection();
  store.apply(trades("update", { price: "10.1", sequence: 2 }));
  store.apply(trades("snapshot", { price: "10.1", sequence: 2 }, { price: "10.2", sequence: 3 }));
  const { tape } = store.instrument("kraken:BTC/USD") ?? {};
  expect([tape?.length, tape?.newest()?.price]).toEqual([3, "10.2"]);
});

test("after its producer restarted, sequences start anew and trades still count", () => {
  const store = storeWithSelection();
  store.apply(trades("update", { price: "10.1", sequence: 900 }));
  store.apply(trades("update", { price: "10.3", sequence: 1 }));
  expect(store.selected?.lastTrade?.price).toBe("10.3");
});

test("the tape is bounded, the count of skipped trades adds up", () => {
  const store = storeWithSelection();
  for (let sequence = 2; sequence < 500; sequence += 1) store.apply(trades("update", { price: String(sequence), sequence }));
  expect([store.selected?.tape.length, store.selected?.tape.newest()?.price]).toEqual([TAPE_TRADES_MAX, "499"]);
  const skipped = { channel: "trades", type: "update", venue: "kraken", symbol: "BTC/USD", data: [], skipped: 4 };
  store.apply(received(skipped));
  store.apply(received(skipped));
  expect(store.selected?.tradesSkipped).toBe(8);
});

test("the selected book follows snapshot, update and conflated snapshot; others are ignored", () => {
  const store = storeWithSelection();
  store.apply(book("update", "BTC/USD", [["9", "9"]]));
  expect(store.book.depth).toBe(0);
  store.apply(book("snapshot", "BTC/USD", [["10.0", "1"]], [["10.5", "2"]]));
  store.apply(book("update", "BTC/USD", [["10.1", "3"]]));
  store.apply(book("update", "ETH/USD", [["99", "3"]]));
  expect(store.book.bids(9)).toEqual([["10.1", "3"], ["10.0", "1"]]);
  store.apply(book("snapshot", "BTC/USD", [["8", "1"]], [], { conflated: 40 }));
  expect([store.book.bids(9), store.book.asks(9)]).toEqual([[["8", "1"]], []]);
});

test("a lost connection and another selection forget the book", () => {
  const store = storeWithSelection();
  store.apply(book("snapshot", "BTC/USD", [["10.0", "1"]]));
  store.setConnection({ phase: "waiting", retryAt_ms: 0, reason: "gone" });
  expect(store.book.hasSnapshot).toBe(false);
  store.apply(book("snapshot", "BTC/USD", [["10.0", "1"]]));
  store.apply(received({ channel: "quotes", type: "update", venue: "kraken", symbol: "ETH/USD", data: [] }));
  store.select("kraken:ETH/USD");
  expect(store.book.hasSnapshot).toBe(false);
});

test("trust follows the status of the book; a snapshot of it is not news", () => {
  const store = storeWithSelection();
  store.apply(status("snapshot", "BTC/USD", "book_trusted"));
  expect([store.selected?.trust, store.log.length]).toEqual(["trusted", 0]);
  store.apply(status("update", "BTC/USD", "book_untrusted", { args: [4, 0] }));
  expect([store.selected?.trust, store.log.newest()]).toEqual([
    "untrusted",
    { at_ms: 1e9, subject: "kraken BTC/USD", text: "book not proven (checksum)", severity: "warning" },
  ]);
});

test.each([
  [["resyncing", "book_trusted"], "trusted"],
  [["book_trusted", "resyncing"], "trusted"],
  [["book_trusted", "halted"], "trusted"],
  [["book_untrusted", "resyncing"], "untrusted"],
  [["resyncing"], "unknown"],
])("a snapshot of %s: the book is %s", (names, trust) => {
  const store = storeWithSelection();
  const data = names.map((name) => ({ status: name, cause: null, first: null, last: null, args: [1, null], ...STAMP }));
  store.apply(received({ channel: "status", type: "snapshot", venue: "kraken", symbol: "BTC/USD", data }));
  expect(store.selected?.trust).toBe(trust);
});

test("what was lost while the page was behind is told once, by the snapshot that stands for what told of it", () => {
  const store = new Store();
  const texts = () => Array.from({ length: store.log.length }, (_, age) => store.log.newest(age)?.text);
  store.apply(status("snapshot", null, "connected", {}, 7));
  store.apply(status("update", null, "gap", { cause: "missing" }, 9));
  expect(texts()).toEqual(["gap (missing)", "connected"]);
  store.apply(status("snapshot", null, "connected", {}, 1_209));
  expect(texts()[1]).toBe("1,200 records lost that were not told one by one");
  store.apply(status("snapshot", null, "connected", {}, 1_209));
  store.apply(status("snapshot", null, "connected", {}, 3));
  expect(texts()).toHaveLength(6);
});

test("a quote with an empty side moves no mid price", () => {
  const store = storeWithSelection();
  const quote = { bid: null, bid_size: null, ask: "1.1", ask_size: "2", derived: false, untrusted: false, ...STAMP };
  store.apply(received({ channel: "quotes", type: "update", venue: "kraken", symbol: "BTC/USD", data: [quote] }));
  expect([store.selected?.quote?.bid, store.selected?.quote?.ask, store.selected?.history.of("1s").mids]).toEqual([null, "1.1", []]);
});

test("instruments, log and refusals are bounded", () => {
  const store = new Store();
  for (let index = 0; index < 6_000; index += 1) {
    store.apply(received({ channel: "trades", type: "update", venue: "v", symbol: String(index), data: [] }));
    store.apply(status("update", null, "connected"));
    store.refuse("no sense");
  }
  expect([...store.instruments].length).toBe(5_000);
  expect(store.log.length).toBe(LOG_ENTRIES_MAX);
  expect(store.messagesRefused).toBe(6_000);
});

test.each([
  ["gap", { cause: "relay_loss", first: 5, last: 9 }, "gap (relay loss): 5 missing, 5 to 9"],
  ["gap", { cause: "checksum", first: null, last: null }, "gap (checksum)"],
  ["disconnected", { args: [1500, 6] }, "disconnected (silence), next attempt in 1.50 s"],
  ["disconnected", { args: [null, 6] }, "disconnected (silence)"],
  ["disconnected", { args: null }, "disconnected"],
  ["never_started", { args: [null, 1] }, "subscribed, yet nothing came"],
  ["book_untrusted", { args: null }, "book not proven"],
  ["resyncing", { args: [2, 0] }, "asking for a new book image, attempt 2"],
  ["resyncing", { args: [1, null] }, "asking for a new book image"],
  ["producer_attached", { args: [1, 1] }, "producer attached"],
])("%s with %o reads: %s", (name, more, text) => {
  const message = status("update", null, name, more);
  expect(message.channel === "status" && message.data[0] && describeStatus(message.data[0])).toBe(text);
});

test("the newest of a bounded series come first", () => {
  const recent = new Recent<number>(3);
  for (const item of [1, 2, 3, 4, 5]) recent.push(item);
  expect([recent.newest(), recent.newest(2), recent.newest(3), recent.length, recent.pushed]).toEqual([5, 3, undefined, 3, 5]);
});
