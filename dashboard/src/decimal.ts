/**
 * Decimal numbers as the text that the venue sent.
 *
 * Prices and sizes are compared, subtracted and shown as text, so what a person reads is what the venue said.
 * `forDrawing` alone makes a float of one: for pixels (candles, bars), never for a figure on the page.
 */

declare const decimal: unique symbol;

/** Text that is a plain decimal number: digits, at most one point, perhaps a minus sign. */
export type Decimal = string & { readonly [decimal]: true };

/** Longer than any 64-bit mantissa at any scale; what is longer is not a price. */
const DECIMAL_LENGTH_MAX = 48;
const PLAIN = /^-?\d+(\.\d+)?$/;

/** The text as a decimal, or null when it is none. */
export function parseDecimal(text: string): Decimal | null {
  return text.length <= DECIMAL_LENGTH_MAX && PLAIN.test(text) ? (text as Decimal) : null;
}

/** Negative when `a < b`, zero when they are the same number (`1.0` and `1.00` are), positive when `a > b`. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  if (a === b) return 0;
  const negative = a.startsWith("-");
  if (negative !== b.startsWith("-")) return isZero(a) && isZero(b) ? 0 : negative ? -1 : 1;
  const order = compareMagnitudes(negative ? a.slice(1) : a, negative ? b.slice(1) : b);
  return negative ? -order : order;
}

function compareMagnitudes(a: string, b: string): number {
  // Two levels of one book share their scale and nearly always their length: then text order is number order.
  if (a.length === b.length && a.indexOf(".") === b.indexOf(".")) return a < b ? -1 : a > b ? 1 : 0;
  const [wholeA, fractionA] = canonicalParts(a);
  const [wholeB, fractionB] = canonicalParts(b);
  if (wholeA.length !== wholeB.length) return wholeA.length - wholeB.length;
  if (wholeA !== wholeB) return wholeA < wholeB ? -1 : 1;
  // Without trailing zeros, a fraction that is a prefix of another is the smaller one, as in text order.
  return fractionA < fractionB ? -1 : fractionA > fractionB ? 1 : 0;
}

function canonicalParts(magnitude: string): [whole: string, fraction: string] {
  const [whole = "", fraction = ""] = magnitude.split(".");
  return [whole.replace(/^0+/, ""), fraction.replace(/0+$/, "")];
}

/** Whether the number is zero, however many zeros it is written with. */
export function isZero(value: Decimal): boolean {
  return !/[1-9]/.test(value);
}

/** `a - b`, exact, with the longer of the two fractions. */
export function subtractDecimals(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(fractionLength(a), fractionLength(b));
  const difference = mantissa(a, scale) - mantissa(b, scale);
  const digits = (difference < 0n ? -difference : difference).toString().padStart(scale + 1, "0");
  const point = digits.length - scale;
  const text = scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
  return (difference < 0n ? `-${text}` : text) as Decimal;
}

function mantissa(value: Decimal, scale: number): bigint {
  const missing = scale - fractionLength(value);
  return BigInt(value.replace(".", "") + "0".repeat(missing));
}

/** How many digits follow the point. */
export function fractionLength(value: Decimal): number {
  const point = value.indexOf(".");
  return point < 0 ? 0 : value.length - point - 1;
}

/** The text cut before the zeros that only pad its fraction: `62807.10` is `62807.1` and `0`, `3.00` is `3` and `.00`. */
export function splitPadding(value: Decimal): [significant: string, padding: string] {
  if (!value.includes(".")) return [value, ""];
  const significant = value.replace(/\.?0+$/, "");
  return [significant, value.slice(significant.length)];
}

/** The nearest float: for pixels only. */
export function forDrawing(value: Decimal): number {
  return Number(value);
}
