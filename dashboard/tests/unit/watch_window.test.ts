import { expect, test } from "vitest";
import { rowsAround, segments } from "../../src/views/watch_window";

test("rows in sight and some beyond are there", () => {
  expect(rowsAround({ scrollTop_px: 0, height_px: 360, rowHeight_px: 36 }, 1_000)).toEqual([0, 40]);
  expect(rowsAround({ scrollTop_px: 3_600, height_px: 360, rowHeight_px: 36 }, 1_000)).toEqual([70, 140]);
  expect(rowsAround({ scrollTop_px: 0, height_px: 360, rowHeight_px: 36 }, 5)).toEqual([0, 5]);
  expect(rowsAround({ scrollTop_px: 9_999_999, height_px: 360, rowHeight_px: 36 }, 50)).toEqual([50, 50]);
});

test("blanks stand for the rest, and the active row is always there", () => {
  expect(segments([10, 20], 15, 30)).toEqual([
    { kind: "blank", from: 0, to: 10 },
    { kind: "rows", from: 10, to: 20 },
    { kind: "blank", from: 20, to: 30 },
  ]);
  expect(segments([10, 20], 2, 20).map(({ kind, from, to }) => [kind, from, to])).toEqual([
    ["blank", 0, 2],
    ["rows", 2, 3],
    ["blank", 3, 10],
    ["rows", 10, 20],
  ]);
  expect(segments([0, 5], 8, 9).map(({ kind, from, to }) => [kind, from, to])).toEqual([
    ["rows", 0, 5],
    ["blank", 5, 8],
    ["rows", 8, 9],
  ]);
  expect(segments([0, 0], -1, 0)).toEqual([]);
});
