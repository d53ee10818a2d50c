/** The committed `dist/` is what a fresh build makes: the page that ships is the page in the source. */

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
let fresh: string;

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();
}

beforeAll(async () => {
  fresh = await mkdtemp(join(tmpdir(), "tickpath-dist-"));
  // Vitest sets NODE_ENV to `test`; the page is built for production.
  process.env["NODE_ENV"] = "production";
  await build({ root: ROOT, mode: "production", logLevel: "error", build: { outDir: fresh } });
}, 60_000);

afterAll(() => rm(fresh, { recursive: true, force: true }));

test("dist/ equals a fresh build, file by file (if not: npm run build)", async () => {
  const shipped = join(ROOT, "dist");
  expect(await filesOf(shipped)).toEqual(await filesOf(fresh));
  for (const file of await filesOf(fresh)) {
    const [ours, built] = await Promise.all([readFile(join(shipped, file)), readFile(join(fresh, file))]);
    expect(ours.equals(built), `${file} differs`).toBe(true);
  }
});

test("the page asks nothing of other hosts", async () => {
  const page = await readFile(join(ROOT, "dist/index.html"), "utf8");
  const loaded = [...page.matchAll(/<(?:script|link|img)[^>]*(?:src|href)="([^"]*)"/g)].map(([, target]) => target);
  expect(loaded.length).toBeGreaterThan(2);
  for (const target of loaded) expect(target).toMatch(/^\.\/assets\//);
});
