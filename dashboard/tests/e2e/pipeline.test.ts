/**
 * The built page in a real browser against the real pipeline: relay, bridge, simulator, collectors and engine as processes.
 *
 * Wants the binaries of a debug build (`cargo build --workspace`); `CARGO_TARGET_DIR` names another target folder.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { launchBrowser, openPage, PHONE } from "./browser";

const ROOT = resolve(import.meta.dirname, "../../..");
const TICKPATH = join(process.env["CARGO_TARGET_DIR"] ?? join(ROOT, "target"), "debug/tickpath");
const SCREENSHOTS = "test-results";
const DEADLINE_MS = 45_000;

let browser: Browser;
let folder: string;
let bridge: string;
let up: ChildProcess | undefined;

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.on("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === "object" ? done(address.port) : fail(new Error("no port"))));
    });
  });
}

/** Starts the pipeline; it is up when it prints the address of the dashboard. */
async function start(...args: string[]): Promise<void> {
  const config = join(folder, "tickpath.toml");
  const child = spawn(TICKPATH, ["up", "--config", config, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  up = child;
  await new Promise<void>((done, fail) => {
    child.stdout.on("data", (text: Buffer) => {
      if (text.toString().includes("Dashboard: http://")) done();
    });
    child.once("exit", (code) => fail(new Error(`tickpath up ended with exit code ${code}`)));
  });
}

beforeAll(async () => {
  if (!existsSync(TICKPATH)) throw new Error(`${TICKPATH} is missing: run cargo build --workspace first`);
  browser = await launchBrowser();
});

afterAll(() => browser.close());

async function configure(withToken: boolean): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), "tickpath-"));
  bridge = `127.0.0.1:${await freePort()}`;
  const simulator = `127.0.0.1:${await freePort()}`;
  // Whatever the pages of other tests show, they show it without a token.
  const token = withToken ? `token_file = "${join(folder, "token")}"\n` : "";
  writeFileSync(join(folder, "token"), "s3cret", { mode: 0o600 });
  const text = `runtime_dir = "${join(folder, "run")}"\n[log]\nlevel = "warn"\n[bridge]\nlisten = "${bridge}"\n${token}[simulator]\nlisten = "${simulator}"\n`;
  writeFileSync(join(folder, "tickpath.toml"), text);
}

afterEach(async () => {
  const child = up;
  up = undefined;
  if (child !== undefined && child.exitCode === null) {
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    await ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

test("four simulated venues move on the page", async () => {
  await configure(false);
  await start();
  const { page, errors } = await openPage(browser, `http://${bridge}/?instrument=kraken:BTC/USD`);
  for (const instrument of ["binance:BTCUSDT", "coinbase:BTC-USD", "kraken:BTC/USD", "alpaca:BTC/USD"]) {
    const bid = page.getByTestId(`watch-row-${instrument}`).locator(".bid .price");
    await expect.poll(() => bid.textContent(), { timeout: DEADLINE_MS }).toMatch(/^\d+\.\d+$/);
  }
  await expect.poll(() => page.getByTestId("ladder-bid").count(), { timeout: DEADLINE_MS }).toBeGreaterThan(5);
  await expect.poll(() => page.getByTestId("tape-row").count(), { timeout: DEADLINE_MS }).toBeGreaterThan(2);
  await expect.poll(() => page.getByTestId("latency-row-publish_to_bridge").count(), { timeout: DEADLINE_MS }).toBeGreaterThan(0);
  const best = page.getByTestId("ladder-bid").first().locator(".price");
  const before = await best.textContent();
  await expect.poll(() => best.textContent(), { timeout: DEADLINE_MS }).not.toBe(before);
  await page.screenshot({ path: `${SCREENSHOTS}/pipeline.png` });
  await page.setViewportSize(PHONE);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow).toBe(0);
  await page.screenshot({ path: `${SCREENSHOTS}/pipeline-phone.png` });
  expect(errors).toEqual([]);
}, 120_000);

test("a recorded feed is shown to the digit", async () => {
  await configure(false);
  await start("--replay", join(ROOT, "collectors/tests/captures"), "--speed", "max");
  const { page, errors } = await openPage(browser, `http://${bridge}/?instrument=kraken:BTC/USD`);
  const last = page.getByTestId("watch-row-kraken:BTC/USD").locator(".last .price");
  await expect.poll(() => last.textContent(), { timeout: DEADLINE_MS }).toMatch(/^\d+\.\d$/);
  const answer = await page.evaluate(async () => {
    const reply = await fetch("/api/book/kraken/BTC/USD?depth=1");
    return (await reply.json()) as { bids: string[][]; asks: string[][]; trusted: boolean };
  });
  expect(answer.trusted).toBe(true);
  await expect
    .poll(() => page.getByTestId("ladder-bid").first().locator(".price").textContent(), { timeout: DEADLINE_MS })
    .toBe(answer.bids[0]?.[0]);
  await expect
    .poll(() => page.getByTestId("ladder-ask").last().locator(".price").textContent(), { timeout: DEADLINE_MS })
    .toBe(answer.asks[0]?.[0]);
  expect(errors).toEqual([]);
}, 120_000);

test("strategies trade on paper, and the kill button stops them until they are armed", async () => {
  await configure(true);
  await start();
  const { page, errors } = await openPage(browser, `http://${bridge}/?instrument=kraken:BTC/USD#token=s3cret`);
  await page.getByTestId("strategy-row-0").waitFor({ timeout: DEADLINE_MS });
  expect(await page.locator("#trading-mode").textContent()).toBe("paper");
  await page.locator("#trading-tabs input[value=fills]").check();
  await expect.poll(() => page.getByTestId("fill-row").count(), { timeout: DEADLINE_MS }).toBeGreaterThan(0);
  await page.screenshot({ path: `${SCREENSHOTS}/pipeline-trading.png` });
  await page.locator("#kill-button").click();
  await page.locator("#kill-go").click();
  await page.locator("#kill-state").getByText("killed since").waitFor({ timeout: DEADLINE_MS });
  await page.locator("#trading-tabs input[value=orders]").check();
  await expect.poll(() => page.getByTestId("order-row").count(), { timeout: DEADLINE_MS }).toBe(0);
  await page.screenshot({ path: `${SCREENSHOTS}/pipeline-killed.png` });
  await page.locator("#kill-button").click();
  await page.locator("#kill-go").click();
  await page.locator("#kill-state").waitFor({ state: "hidden", timeout: DEADLINE_MS });
  expect(await page.getByTestId("log-row").filter({ hasText: "not understood" }).count()).toBe(0);
  expect(errors).toEqual([]);
}, 180_000);
