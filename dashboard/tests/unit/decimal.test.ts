import { expect, test } from "vitest";
import { compareDecimals, isZero, parseDecimal, splitPadding, subtractDecimals, type Decimal } from "../../src/decimal";

function decimal(text: string): Decimal {
  const parsed = parseDecimal(text);
  if (parsed === null) throw new Error(`${text} is no decimal`);
  return parsed;
}

test.each(["0", "62807.0", "0.00100000", "-1.5", "9223372036854775807", "0.000000000000001"])("%s is a decimal", (text) => {
  expect(parseDecimal(text)).toBe(text);
});

test.each(["", ".", "1.", ".5", "1e5", "+1", " 1", "1,000", "NaN", "Infinity", "0x10", "--1", "1.2.3", "9".repeat(49)])("%j is none", (text) => {
  expect(parseDecimal(text)).toBeNull();
});

test.each([
  ["1", "2", -1],
  ["10", "9", 1],
  ["1.0", "1.00", 0],
  ["1.05", "1.5", -1],
  ["62807.01", "62807.0", 1],
  ["0.10", "0.1", 0],
  ["007", "7", 0],
  ["-1", "1", -1],
  ["-2", "-1", -1],
  ["-0.0", "0", 0],
  ["99.9", "100.0", -1],
  ["9007199254740993", "9007199254740992", 1],
  ["0.000000000000000000001", "0", 1],
])("%s against %s is %i", (a, b, order) => {
  expect(Math.sign(compareDecimals(decimal(a), decimal(b)))).toBe(order);
  expect(Math.sign(compareDecimals(decimal(b), decimal(a)))).toBe(order === 0 ? 0 : -order);
});

test.each([
  ["62807.02", "62807.01", "0.01"],
  ["62807.0", "62806.85", "0.15"],
  ["1", "0.99999999", "0.00000001"],
  ["62806.9", "62807.0", "-0.1"],
  ["5", "5", "0"],
  ["0.3", "0.1", "0.2"],
  ["10", "7", "3"],
])("%s minus %s is exactly %s", (a, b, difference) => {
  expect(subtractDecimals(decimal(a), decimal(b))).toBe(difference);
});

test.each([
  ["62807.01000000", "62807.01", "000000"],
  ["62807.0", "62807", ".0"],
  ["100", "100", ""],
  ["0.00000000", "0", ".00000000"],
  ["0.5", "0.5", ""],
])("%s is %s padded with %j", (text, significant, padding) => {
  expect(splitPadding(decimal(text))).toEqual([significant, padding]);
});

test("zero is zero however it is written", () => {
  expect(["0", "0.000", "-0.0"].map((text) => isZero(decimal(text)))).toEqual([true, true, true]);
  expect(isZero(decimal("0.001"))).toBe(false);
});
