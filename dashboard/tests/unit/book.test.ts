import { expect, test } from "vitest";
import { compareDecimals } from "../../src/decimal";
import { Book } from "../../src/store/book";
import { bookEvent, decimal, levels } from "./fixtures";

test("a snapshot in any order gives the best levels first", () => {
  const book = new Book();
  book.apply("snapshot", bookEvent(levels(["9.5", "1"], ["10", "2"], ["9.75", "3"]), levels(["11", "1"], ["10.5", "4"])));
  expect(book.bids(2)).toEqual(levels(["10", "2"], ["9.75", "3"]));
  expect(book.asks(9)).toEqual(levels(["10.5", "4"], ["11", "1"]));
  expect(book.depth).toBe(5);
});

test("updates add, change and remove; removing what is not there changes nothing", () => {
  const book = new Book();
  book.apply("snapshot", bookEvent(levels(["10.0", "2"], ["9.0", "1"]), levels(["11.0", "1"])));
  book.apply("update", bookEvent(levels(["10.0", "0.000"], ["9.5", "7"], ["9.0", "4"], ["3", "0"]), levels(["10.9", "5"])));
  expect(book.bids(9)).toEqual(levels(["9.5", "7"], ["9.0", "4"]));
  expect(book.asks(1)).toEqual(levels(["10.9", "5"]));
});

test("a price is the same level with more zeros", () => {
  const book = new Book();
  book.apply("snapshot", bookEvent(levels(["10.0", "2"]), []));
  book.apply("update", bookEvent(levels(["10.00", "3"]), []));
  expect(book.bids(9)).toEqual(levels(["10.00", "3"]));
});

test("updates before the first snapshot are ignored", () => {
  const book = new Book();
  book.apply("update", bookEvent(levels(["10", "2"]), []));
  expect([book.hasSnapshot, book.depth]).toEqual([false, 0]);
});

test("a later snapshot replaces everything, and trust follows each event", () => {
  const book = new Book();
  book.apply("snapshot", bookEvent(levels(["10", "2"]), levels(["11", "1"])));
  book.apply("update", bookEvent([], [], false));
  expect(book.trusted).toBe(false);
  book.apply("snapshot", bookEvent(levels(["7", "1"]), []));
  expect([book.bids(9), book.asks(9), book.trusted]).toEqual([levels(["7", "1"]), [], true]);
});

test("ten thousand random updates keep a side the same as a plain map", () => {
  const book = new Book();
  book.apply("snapshot", bookEvent([], []));
  const plain = new Map<string, string>();
  let random = 7;
  const next = (below: number) => (random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0) % below;
  for (let count = 0; count < 10_000; count += 1) {
    const price = (9_900 + next(300)).toString().replace(/(\d\d)$/, ".$1");
    const size = String(next(4));
    book.apply("update", bookEvent(levels([price, size]), []));
    if (size === "0") plain.delete(price);
    else plain.set(price, size);
  }
  const expected = [...plain].sort(([a], [b]) => compareDecimals(decimal(b), decimal(a)));
  expect(book.bids(1_000)).toEqual(expected);
});
