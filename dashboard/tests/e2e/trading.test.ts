/** The trading panel in a real browser against a mock bridge. */

import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { MockBridge } from "../mock_bridge/bridge";
import { INSTRUMENTS, Market } from "../mock_bridge/market";
import { engine, fill, order } from "../mock_bridge/trading";
import { DESKTOP, launchBrowser, openPage, PHONE } from "./browser";

const SCREENSHOTS = "test-results";
const KRAKEN = { venue: "kraken", symbol: "BTC/USD" };

let browser: Browser;
let bridge: MockBridge;
let page: Page;
let errors: string[];

async function open(token?: string, viewport = DESKTOP, path = "/?instrument=kraken:BTC/USD"): Promise<void> {
  const market = new Market();
  const options = { instruments: INSTRUMENTS, snapshots: market.snapshotsWithHistory.bind(market) };
  bridge = new MockBridge(token === undefined ? options : { ...options, token });
  const port = await bridge.listen();
  ({ page, errors } = await openPage(browser, `http://127.0.0.1:${port}${path}`, viewport));
  await page.getByTestId("strategy-row-0").waitFor();
}

function tell(message: object): void {
  bridge.publish({ channel: "engine", type: "update", data: [engine(message)] });
}

function showTab(name: string): Promise<void> {
  return page.locator(`#trading-tabs input[value=${name}]`).check();
}

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(() => browser.close());

afterEach(async () => {
  await page.close();
  await bridge.close();
});

test("strategies, positions, orders and fills are shown and follow the bridge", async () => {
  await open();
  const first = page.getByTestId("strategy-row-0");
  expect(await first.textContent()).toContain("avellaneda");
  expect(await first.locator(".gain").textContent()).toBe("+44.43");
  expect(await page.getByTestId("strategy-row-1").textContent()).toContain("reduce only");
  expect(await page.locator("#trading-total").textContent()).toBe("+44.43 USD · -4.12 USDT");
  await page.locator("#equity-chart canvas").first().waitFor();

  await showTab("positions");
  expect(await page.getByTestId("position-row").count()).toBe(1);
  expect(await page.getByTestId("position-row").first().textContent()).toContain("62179.5");

  await showTab("orders");
  expect(await page.getByTestId("order-row").count()).toBe(2);
  const data = [order("3-124", KRAKEN, { state: "filled", leaves: "0.00000000" }), order("3-126", KRAKEN, { state: "pending_cancel" })];
  bridge.publish({ channel: "orders", type: "update", data });
  await page.getByTestId("order-row").getByText("pending cancel").waitFor();
  expect(await page.getByTestId("order-row").count()).toBe(2);

  await showTab("fills");
  bridge.publish({ channel: "fills", type: "update", data: [fill("3-124", KRAKEN, { price: "62811.1", side: "sell" }, Date.now(), 99)] });
  await page.waitForFunction(() => document.querySelector("[data-testid=fill-row]")?.textContent?.includes("62811.1"));
  expect(await page.getByTestId("fill-row").count()).toBe(25);
  expect(errors).toEqual([]);
});

test("an engine that is halted or gone is shown as such, and none at all is not shown", async () => {
  await open();
  tell({ halted: true, halt_reason: "inconsistent" });
  await page.locator("#trading-mode").getByText("halted: inconsistent").waitFor();
  tell({ attached: false });
  await page.locator("#trading-mode").getByText("engine gone").waitFor();
  tell({ venue: null, strategies: [], positions: [], equity: [] });
  await page.locator("#trading").waitFor({ state: "hidden" });
});

test("the kill button asks for the token, says what was wrong with it, and shows the latch", async () => {
  await open("s3cret", DESKTOP, "/#token=s3cret");
  await page.locator("#kill-button").click();
  await page.getByText("Stop all trading?").waitFor();
  expect(await page.locator("#kill-token").inputValue()).toBe("s3cret");
  await page.locator("#kill-token").fill("wrong");
  await page.locator("#kill-go").click();
  await page.locator("#kill-error").getByText("a bearer token is required").waitFor();
  expect(bridge.killed).toEqual([]);
  await page.screenshot({ path: `${SCREENSHOTS}/kill.png` });
  await page.locator("#kill-token").fill("s3cret");
  await page.locator("#kill-go").click();
  await page.locator("#kill-dialog").waitFor({ state: "hidden" });
  expect(bridge.killed).toEqual(["/api/kill"]);

  tell({ kill: { state: "killed", reason: "kill", since: 1_783_465_204_585_581_000, note: "POST /api/kill", followed: true } });
  await page.locator("#kill-state").getByText("killed since 23:00:04").waitFor();
  await page.screenshot({ path: `${SCREENSHOTS}/killed.png` });
  tell({ kill: { state: "killed", reason: "kill", since: 1, note: null, followed: false } });
  await page.locator("#kill-state").getByText("killed, engine silent").waitFor();
  await page.locator("#kill-button").click();
  await page.getByText("Let orders leave again?").waitFor();
  await page.locator("#kill-cancel").click();
  await page.locator("#kill-dialog").waitFor({ state: "hidden" });
  expect(bridge.killed).toEqual(["/api/kill"]);
});

for (const [name, viewport] of Object.entries({ desktop: DESKTOP, wide: { width: 1920, height: 1080 }, tablet: { width: 900, height: 1000 }, phone: PHONE })) {
  test(`no figure of the trading is cut on a ${name}`, async () => {
    await open(undefined, viewport);
    for (const tab of ["positions", "orders", "fills", "equity"]) {
      await showTab(tab);
      const cut = await page.locator(".trading :is(td, th)").evaluateAll((cells) =>
        cells
          .filter((cell) => cell.getClientRects().length > 0)
          .filter((cell) => {
            const edge = cell.closest(".panel")?.getBoundingClientRect().right ?? 0;
            return cell.scrollWidth > cell.clientWidth + 1 || cell.getBoundingClientRect().right > edge;
          })
          .map((cell) => cell.textContent),
      );
      expect(cut, tab).toEqual([]);
      if (tab === "orders") await page.screenshot({ path: `${SCREENSHOTS}/trading-${name}-orders.png`, fullPage: viewport.width < 1200 });
    }
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${SCREENSHOTS}/trading-${name}.png`, fullPage: viewport.width < 1200 });
    const [scrolled, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    expect(scrolled).toBeLessThanOrEqual(shown ?? 0);
  });
}
