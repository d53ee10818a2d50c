/** How the engine's figures and names are written. */

import { fractionLength, isZero, type Decimal } from "../decimal";

/** Digits after the point that a sum of money is shown with; the engine counts in eight. */
const MONEY_DIGITS = 2;

/** A sum of money cut to two digits towards zero, with a sign: `+12.34`, `-0.05`, `0.00`. The exact text stays in the records. */
export function moneyOf(value: Decimal): string {
  const surplus = Math.max(0, fractionLength(value) - MONEY_DIGITS);
  const cut = (surplus === 0 ? value : value.slice(0, value.length - surplus)) as Decimal;
  if (isZero(cut)) return cut.replace("-", "");
  const [whole = "", fraction] = cut.replace("-", "").split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return `${cut.startsWith("-") ? "-" : "+"}${grouped}${fraction === undefined ? "" : `.${fraction}`}`;
}

/** `buy` where money was made, `sell` where it was lost: the colours of up and down; empty where currencies differ or nothing was. */
export function gainOf(equity: readonly { readonly total: Decimal }[]): "buy" | "sell" | "" {
  const signs = new Set(equity.filter(({ total }) => !isZero(total)).map(({ total }) => (total.startsWith("-") ? "sell" : "buy")));
  const [sign] = signs;
  return signs.size === 1 && sign !== undefined ? sign : "";
}

/** A name of the protocol in words: `pending_cancel` as `pending cancel`. */
export function wordsOf(name: string): string {
  return name.replaceAll("_", " ");
}
