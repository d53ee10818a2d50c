/** A headless Chromium, and pages in it that remember what went wrong. */

import { chromium, type Browser, type Page } from "playwright-core";

const EXECUTABLE = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
// Chromium must not look for hosts outside: on a machine without network every start would wait for refusals.
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS });
}

/** A page with the errors it has thrown or logged; a refused connection is what some tests ask for. */
export async function openPage(browser: Browser, url: string, viewport = DESKTOP): Promise<{ page: Page; errors: string[] }> {
  const page = await browser.newPage({ viewport });
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    const isExpected = message.text().includes("ERR_CONNECTION_REFUSED");
    if (message.type() === "error" && !isExpected) errors.push(message.text());
  });
  await page.goto(url);
  return { page, errors };
}
