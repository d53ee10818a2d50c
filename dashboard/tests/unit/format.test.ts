import { expect, test } from "vitest";
import { formatAgeMs, formatBytes, formatCompact, formatDurationNs, formatRate, formatTimeUtc } from "../../src/format";

test.each([
  [0, "0 ns"],
  [850, "850 ns"],
  [999.6, "1.00 µs"],
  [12_345, "12.3 µs"],
  [999_700, "1.00 ms"],
  [4_560_000, "4.56 ms"],
  [1_330_000_000, "1.33 s"],
  [90e9, "1.50 min"],
  [-2_500, "-2.50 µs"],
  [412 * 86_400e9, "412 d"],
  [null, "–"],
])("%s ns is %s", (duration_ns, text) => {
  expect(formatDurationNs(duration_ns)).toBe(text);
});

test.each([
  [0, "0"],
  [9_999, "9,999"],
  [10_000, "10.0k"],
  [999_949, "999.9k"],
  [999_950, "1.0M"],
  [4_500_000, "4.5M"],
  [null, "–"],
])("count %s is %s", (count, text) => {
  expect(formatCompact(count)).toBe(text);
});

test("rates below ten keep a decimal", () => {
  expect([0, 0.5, 9.94, 9.96, 1_201.4].map(formatRate)).toEqual(["0", "0.5", "9.9", "10", "1,201"]);
});

test("ages are whole milliseconds below a second", () => {
  expect([0, 38, 999, 2_410].map(formatAgeMs)).toEqual(["0 ms", "38 ms", "999 ms", "2.41 s"]);
});

test("times are in UTC, and a time out of range is unknown", () => {
  expect(formatTimeUtc(1_783_465_204_585)).toBe("23:00:04.585");
  expect(formatTimeUtc(Number.MAX_VALUE)).toBe("–");
});

test.each([
  [0, "0 KiB"],
  [1_048_063, "1023 KiB"],
  [1_048_064, "1 MiB"],
  [25_165_824, "24 MiB"],
  [1_073_700_000, "1.0 GiB"],
  [8_589_934_592, "8.0 GiB"],
  [270_000_000_000, "251 GiB"],
  [null, "–"],
])("%s bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
