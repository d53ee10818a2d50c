/** The card of backtests in a real browser against a mock bridge. */

import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { MockBridge, NO_BACKTESTS, type MockBridgeOptions } from "../mock_bridge/bridge";
import { INSTRUMENTS, Market } from "../mock_bridge/market";
import { DESKTOP, launchBrowser, openPage, PHONE } from "./browser";

const HOSTILE = '<img src=x onerror="document.title=1">';

let browser: Browser;
let bridge: MockBridge;
let page: Page;
let errors: string[];

function report(name: string, profit: string): object {
  const metrics = { sharpe: 1.25, max_drawdown: 0.0123 };
  return {
    name,
    written_ms: 1_783_465_204_585,
    strategies: ["sma"],
    instruments: "kraken:BTC/USD",
    records: 123_456,
    first_ms: 0,
    last_ms: 3_600_000,
    fills: 8,
    trips: 4,
    currencies: [{ currency: "USD", profit, fees: "1.20", metrics }],
  };
}

async function open(options: Partial<MockBridgeOptions> = {}, viewport = DESKTOP, path = "/"): Promise<void> {
  const market = new Market();
  bridge = new MockBridge({ instruments: INSTRUMENTS, snapshots: market.snapshotsWithHistory.bind(market), ...options });
  const port = await bridge.listen();
  ({ page, errors } = await openPage(browser, `http://127.0.0.1:${port}${path}`, viewport));
}

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(() => browser.close());

afterEach(async () => {
  for (const open of page.context().pages()) await open.close();
  await bridge.close();
});

test("an empty folder says how a backtest is made", async () => {
  await open();
  await page.getByTestId("backtests-count").getByText("0").waitFor();
  await page.locator("#backtests summary").click();
  const note = page.getByTestId("backtests-note");
  await note.waitFor();
  expect(await note.textContent()).toContain("tickpath backtest --strategy sma --data CAPTURE --out /srv/backtests/NAME");
  expect(await page.locator("#backtests-table").isVisible()).toBe(false);
  expect(errors).toEqual([]);
});

for (const [name, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
  test(`reports are listed with what came of them, and open in a page of their own, on a ${name}`, async () => {
    const list = { ...NO_BACKTESTS, reports: [report("my run", "12.34"), report(HOSTILE, "-3.20")], skipped: 2 };
    const pages = { "my run": '<h1>Report</h1><script>document.title = "ran"</script>' };
    await open({ backtests: { list, pages } }, viewport);
    await page.getByTestId("backtests-count").getByText("2").waitFor();
    await page.locator("#backtests summary").click();
    const rows = page.getByTestId("backtest-row");
    await rows.first().waitFor();
    expect(await rows.first().textContent()).toContain("12.34 USD");
    expect(await rows.nth(1).getByRole("link").textContent()).toBe(HOSTILE);
    expect(await page.getByTestId("backtests-note").textContent()).toContain("2 entries of /srv/backtests are no report");
    await page.screenshot({ path: `test-results/backtests-${name}.png`, fullPage: viewport.width < 1200 });
    const [scrolled, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    expect(scrolled).toBeLessThanOrEqual(shown ?? 0);
    const [opened] = await Promise.all([page.context().waitForEvent("page"), rows.first().getByRole("link").click()]);
    await opened.getByText("Report").waitFor();
    expect(opened.url()).toContain("/backtests/my%20run/report.html");
    expect(await opened.title()).not.toBe("ran");
    expect(errors).toEqual([]);
  });
}

test("with a token a report is fetched and handed over as a file", async () => {
  const backtests = { list: { ...NO_BACKTESTS, reports: [report("my run", "12.34")] }, pages: { "my run": "<h1>Report</h1>" } };
  await open({ backtests, token: "s3cret" }, DESKTOP, "/#token=s3cret");
  await page.getByTestId("backtests-count").getByText("1").waitFor();
  await page.locator("#backtests summary").click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByTestId("backtest-row").getByRole("link").click()]);
  expect(download.suggestedFilename()).toBe("my run.html");
  expect(errors).toEqual([]);
});
