/** The built page in a real browser against a mock bridge. */

import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { MockBridge } from "../mock_bridge/bridge";
import { INSTRUMENTS, Market } from "../mock_bridge/market";
import { DESKTOP, launchBrowser, openPage, PHONE } from "./browser";

/** Beyond any backoff of the first attempts. */
const RECONNECT_DEADLINE_MS = 20_000;
const SCREENSHOTS = "test-results";

let browser: Browser;
let bridge: MockBridge;
let market: Market;
let port: number;
const openPages: Page[] = [];

function makeBridge(token?: string): MockBridge {
  const options = { instruments: INSTRUMENTS, snapshots: market.snapshotsWithHistory.bind(market) };
  return new MockBridge(token === undefined ? options : { ...options, token });
}

async function open(path = "/", viewport = DESKTOP) {
  const opened = await openPage(browser, `http://127.0.0.1:${port}${path}`, viewport);
  openPages.push(opened.page);
  return opened;
}

/** A page whose watch list is filled. */
async function openFilled(path = "/", viewport = DESKTOP) {
  const opened = await open(path, viewport);
  await opened.page.getByTestId("watch-row-kraken:XRP/USD").waitFor({ state: "attached" });
  return opened;
}

function trade(price: string, size: string, side: "buy" | "sell" | null) {
  const now_ns = Date.now() * 1e6;
  return { price, size, side, ts_event: now_ns, ts_recv: now_ns, sequence: 1_000_000 };
}

async function text(page: Page, testId: string): Promise<string> {
  return (await page.getByTestId(testId).first().textContent()) ?? "";
}

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(() => browser.close());

beforeEach(async () => {
  market = new Market();
  bridge = makeBridge();
  port = await bridge.listen();
});

afterEach(async () => {
  await Promise.all(openPages.splice(0).map((page) => page.close()));
  await bridge.close();
});

test("venues, watch list, processes and latencies fill up without an error, under a strict security policy", async () => {
  const { page, errors } = await openFilled();
  for (const venue of ["binance", "coinbase", "kraken"]) await page.getByTestId(`venue-row-${venue}`).waitFor();
  expect(await page.locator("#watch-rows tr[data-key]").count()).toBe(INSTRUMENTS.length);
  expect(await page.getByTestId("latency-row-event_to_recv").count()).toBe(4);
  await page.getByTestId("latency-row-publish_to_bridge").waitFor();
  await page.getByTestId("process-row-relay").waitFor();
  expect(await text(page, "connection-state")).toBe("Live");
  expect(await text(page, "venue-row-kraken")).toContain("2/3");
  expect(errors).toEqual([]);
});

test("the recording shows how far journal and database are, and warns", async () => {
  const { page } = await openFilled();
  const figure = (name: string) => page.locator(`#recording-${name}`);
  await figure("state").getByText("on").waitFor();
  expect(await figure("position").textContent()).toBe("12,904,112");
  expect(await figure("disk").textContent()).toBe("3.0 GiB of 8.0 GiB");
  expect(await figure("database").textContent()).toBe("412 ms behind");
  const report = market.system();
  const database = { ...report.data.recording.database, connected: false };
  bridge.publish({ ...report, data: { ...report.data, recording: { ...report.data.recording, state: "stopped", lost: 9, database } } });
  await figure("state").getByText("disk refuses").waitFor();
  expect(await figure("lost").getAttribute("data-tone")).toBe("warning");
  expect(await figure("database").textContent()).toBe("away, 412 ms behind");
  bridge.publish({ ...report, data: { ...report.data, recording: null } });
  await figure("state").getByText("off").waitFor();
});

test("prices and sizes are shown digit for digit", async () => {
  const { page } = await openFilled("/?instrument=kraken:BTC/USD");
  const quote = { bid: "62806.90", bid_size: "0.00100000", ask: "62807.00", ask_size: null, derived: false, untrusted: false };
  const stamp = { ts_event: 1783465204585581000, ts_recv: Date.now() * 1e6, sequence: 9 };
  bridge.publish({ channel: "quotes", type: "update", venue: "kraken", symbol: "BTC/USD", data: [{ ...quote, ...stamp }] });
  const row = page.getByTestId("watch-row-kraken:BTC/USD");
  await row.getByText("62806.9").first().waitFor();
  expect(await row.locator(".bid .price").textContent()).toBe("62806.90");
  expect(await row.locator(".bid .size").textContent()).toBe("0.00100000");
  expect(await row.locator(".ask .price").textContent()).toBe("62807.00");
  expect(await row.locator(".ask .size").textContent()).toBe("–");
});

test("an empty side of a quote is a dash", async () => {
  const { page } = await openFilled("/?instrument=kraken:BTC/USD");
  const quote = { bid: null, bid_size: null, ask: "62807.00", ask_size: "0.5", derived: false, untrusted: false };
  const stamp = { ts_event: 1783465204585581000, ts_recv: Date.now() * 1e6, sequence: 9 };
  bridge.publish({ channel: "quotes", type: "update", venue: "kraken", symbol: "BTC/USD", data: [{ ...quote, ...stamp }] });
  const row = page.getByTestId("watch-row-kraken:BTC/USD");
  await page.waitForFunction(() => document.querySelector("#stage-bid")?.textContent === "–");
  expect(await row.locator(".bid").textContent()).toBe("––");
  expect(await row.locator(".ask .price").textContent()).toBe("62807.00");
});

test("a trade comes to the tape of its instrument with side and exact price", async () => {
  const { page } = await openFilled("/?instrument=kraken:BTC/USD");
  await page.waitForFunction(() => document.title.startsWith("BTC/USD"));
  const data = [trade("62811.10", "0.50000000", "sell")];
  bridge.publish({ channel: "trades", type: "update", venue: "kraken", symbol: "BTC/USD", data });
  const newest = page.getByTestId("tape-row").first();
  await page.waitForFunction(() => document.querySelector("[data-testid=tape-row] .price")?.textContent === "62811.10");
  expect(await newest.getAttribute("data-side")).toBe("sell");
  expect(await page.locator("#stage-last").textContent()).toBe("62811.10");
});

test("the ladder follows snapshot, update and conflated snapshot of the selected book", async () => {
  const { page } = await openFilled("/?instrument=kraken:BTC/USD");
  const stamp = { ts_event: 1, ts_recv: 1, sequence: 1 };
  const publish = (type: string, bids: string[][], asks: string[][], more = {}) =>
    bridge.publish({ channel: "book", type, venue: "kraken", symbol: "BTC/USD", data: [{ trusted: true, bids, asks, ...stamp }], ...more });
  await page.waitForFunction(() => document.querySelector("[data-testid=ladder-bid] .price")?.textContent === "62806.9");
  expect(await page.getByTestId("ladder-bid").count()).toBe(15);

  publish("snapshot", [["62806.9", "1.5"], ["62806.8", "2"]], [["62807.0", "0.25"]]);
  publish("update", [["62806.9", "0.0"], ["62806.85", "3.10"]], [["62807.0", "0.75"]]);
  await page.waitForFunction(() => document.querySelector("[data-testid=ladder-bid] .price")?.textContent === "62806.85");
  expect(await page.getByTestId("ladder-bid").nth(1).locator(".price").textContent()).toBe("62806.8");
  expect(await page.getByTestId("ladder-ask").last().textContent()).toContain("0.75");
  expect(await text(page, "ladder-spread")).toContain("0.15");

  publish("snapshot", [["62800.0", "1"]], [["62801.0", "1"]], { conflated: 17 });
  await page.waitForFunction(() => document.querySelector("[data-testid=ladder-bid] .price")?.textContent === "62800.0");
  expect(await page.getByTestId("ladder-bid").nth(1).locator(".price").textContent()).toBe("");
});

test("the keyboard alone finds and selects an instrument, and moves the book subscription", async () => {
  const { page } = await openFilled("/?instrument=binance:BTCUSDT");
  await page.waitForFunction(() => document.title.startsWith("BTCUSDT"));
  await page.keyboard.press("/");
  await page.keyboard.type("usd eth");
  await page.keyboard.press("ArrowDown");
  await page.waitForFunction(() => document.activeElement?.getAttribute("data-key") === "binance:ETHUSDT");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.waitForFunction(() => document.activeElement?.getAttribute("data-key") === "kraken:ETH/USD");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.title === "ETH/USD · kraken – Tickpath");
  expect(await page.getByTestId("watch-row-kraken:ETH/USD").getAttribute("aria-selected")).toBe("true");
  expect(await page.locator("#watch-rows tr[tabindex='0']").count()).toBe(1);
  await page.waitForFunction(() => document.querySelector("[data-testid=ladder-bid] .price")?.textContent === "1748.41");
  const books = bridge.requests.filter(({ channels }) => channels.includes("book")).map(({ op, symbols }) => [op, ...(symbols ?? [])]);
  expect(books.slice(-2)).toEqual([["unsubscribe", "binance:BTCUSDT"], ["subscribe", "kraken:ETH/USD"]]);
  await page.keyboard.press("/");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.querySelectorAll("#watch-rows tr[data-key]").length === 11);
});

test("focus stays on the active row while others are scrolled out of a long list", async () => {
  await bridge.close();
  const many = Array.from({ length: 1000 }, (_, index) => ({ ...INSTRUMENTS[0], venue: "zeta", symbol: `S${String(index).padStart(4, "0")}` }));
  bridge = new MockBridge({ instruments: many, snapshots: () => [] });
  port = await bridge.listen();
  const { page } = await open();
  await page.getByTestId("watch-row-zeta:S0000").focus();
  await page.keyboard.press("End");
  await page.waitForFunction(() => document.activeElement?.getAttribute("data-key") === "zeta:S0999");
  await page.locator("#watch-scroll").evaluate((element) => element.scrollTo(0, 0));
  await page.getByTestId("watch-row-zeta:S0005").waitFor();
  expect(await page.evaluate(() => document.activeElement?.getAttribute("data-key"))).toBe("zeta:S0999");
  expect(await page.locator("#watch-rows tr").count()).toBeLessThan(100);
});

test("after the bridge returns, the page reconnects, subscribes again and goes on", async () => {
  const { page } = await openFilled("/?instrument=kraken:BTC/USD");
  await page.waitForFunction(() => document.title.startsWith("BTC/USD"));
  await bridge.close();
  await page.waitForFunction(() => document.querySelector("[data-testid=connection-state]")?.textContent !== "Live");
  expect(await page.locator("body").getAttribute("data-stale")).toBe("yes");
  expect(await page.getByTestId("ladder-bid").first().locator(".price").textContent()).toBe("");

  bridge = makeBridge();
  await bridge.listen(port);
  const isLive = () => document.querySelector("[data-testid=connection-state]")?.textContent === "Live";
  await page.waitForFunction(isLive, undefined, { timeout: RECONNECT_DEADLINE_MS });
  await page.waitForFunction(() => document.querySelector("[data-testid=ladder-bid] .price")?.textContent === "62806.9");
  expect(bridge.requests.map(({ op, channels, symbols }) => [op, channels.join(), symbols?.join()])).toEqual([
    ["subscribe", "quotes,trades,status,system", "*"],
    ["subscribe", "orders,fills,signals,engine", undefined],
    ["subscribe", "book", "kraken:BTC/USD"],
  ]);
});

test("a bridge that falls silent is noticed, asked, given up and connected to anew", async () => {
  const { page } = await openFilled();
  bridge.muteOpenLines();
  const says = (text: string) => page.getByTestId("connection-state").getByText(text).waitFor({ timeout: RECONNECT_DEADLINE_MS });
  await says("Bridge silent");
  const subscriptions = () => bridge.requests.filter(({ id }) => id === 1).length;
  await expect.poll(subscriptions, { timeout: RECONNECT_DEADLINE_MS }).toBe(2);
  await says("Live");
});

test("frames that make no sense are counted and told, and the page goes on", async () => {
  const { page, errors } = await openFilled("/?instrument=kraken:BTC/USD");
  bridge.sendRaw("{");
  bridge.sendRaw('{"channel":"weather"}');
  bridge.sendRaw('{"channel":"trades","type":"update","venue":"kraken","symbol":"BTC/USD","data":[{"price":"1e5"}]}');
  bridge.sendRaw('{"channel":"trades","type":"update","venue":"<img src=x onerror=alert(1)>","symbol":"<b>","data":[]}');
  await page.getByTestId("log-row").filter({ hasText: "not understood" }).first().waitFor();
  await page.locator("[data-key^='<img']").waitFor();
  const data = [trade("62999.9", "1", "buy")];
  bridge.publish({ channel: "trades", type: "update", venue: "kraken", symbol: "BTC/USD", data });
  await page.waitForFunction(() => document.querySelector("#stage-last")?.textContent === "62999.9");
  expect(errors).toEqual([]);
});

test("a token in the address reaches the bridge as a subprotocol and a header", async () => {
  await bridge.close();
  bridge = makeBridge("s3cret");
  port = await bridge.listen();
  const { page } = await openFilled("/#token=s3cret");
  expect(bridge.offeredProtocols).toEqual(["tickpath, bearer.s3cret"]);
  expect(bridge.authorizations).toEqual(["Bearer s3cret"]);
  expect(await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie])).toEqual([0, 0, ""]);
});

test("the chart draws, and other intervals can be chosen", async () => {
  const { page, errors } = await openFilled("/?instrument=kraken:BTC/USD");
  await page.getByLabel("5s").check();
  await page.locator("#chart canvas").first().waitFor();
  await page.getByLabel("1m").check();
  expect(await page.getByLabel("1m").isChecked()).toBe(true);
  expect(await page.getByRole("link", { name: "Charts by TradingView" }).isVisible()).toBe(true);
  expect(errors).toEqual([]);
});

for (const [name, viewport] of Object.entries({ desktop: DESKTOP, tablet: { width: 900, height: 1000 }, phone: PHONE })) {
  test(`nothing overflows sideways on a ${name}`, async () => {
    const { page } = await openFilled("/?instrument=binance:BTCUSDT", viewport);
      await page.waitForFunction(() => document.querySelectorAll("[data-testid=tape-row]").length === 60);
    await page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: name !== "desktop" });
    const [scrolled, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    expect(scrolled).toBeLessThanOrEqual(shown ?? 0);
    const figures = "#watch-rows :is(.price, .size), .ladder td, .tape td, .venues td, .latency td, .processes td";
    const cut = await page.locator(figures).evaluateAll((cells) =>
      cells
        .filter((cell) => {
          const edge = cell.closest(".panel")?.getBoundingClientRect().right ?? 0;
          return cell.scrollWidth > cell.clientWidth + 1 || cell.getBoundingClientRect().right > edge;
        })
        .map((cell) => cell.textContent),
    );
    expect(cut).toEqual([]);
  });
}
