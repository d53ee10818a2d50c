/**
 * Which rows of a long list are in the document.
 *
 * Only the rows in sight, some beyond either edge, and the active row (it holds the keyboard focus) exist; blank rows of
 * the right height stand for the others, so the scroll bar is that of the whole list.
 */

/** A run of rows that are there, or of rows that a blank stands for. */
export type Segment = { readonly kind: "rows" | "blank"; readonly from: number; readonly to: number };

export interface Viewport {
  readonly scrollTop_px: number;
  readonly height_px: number;
  readonly rowHeight_px: number;
}

/** Rows beyond either edge, so that scrolling does not show blanks before the next frame. */
const OVERSCAN_ROWS = 30;

/** The rows in sight and around, as `[from, to)`. */
export function rowsAround({ scrollTop_px, height_px, rowHeight_px }: Viewport, count: number): [from: number, to: number] {
  const first = Math.floor(scrollTop_px / rowHeight_px);
  const last = Math.ceil((scrollTop_px + height_px) / rowHeight_px);
  const to = Math.min(count, last + OVERSCAN_ROWS);
  return [Math.max(0, Math.min(first - OVERSCAN_ROWS, to)), to];
}

/** The whole list as runs of rows and blanks, with row `active` among the rows. */
export function segments([from, to]: readonly [number, number], active: number, count: number): Segment[] {
  const runs: [number, number][] = [[from, to]];
  if (active >= 0 && active < from) runs.unshift([active, active + 1]);
  if (active >= to && active < count) runs.push([active, active + 1]);
  const result: Segment[] = [];
  let next = 0;
  const add = (kind: Segment["kind"], end: number) => {
    if (end > next) result.push({ kind, from: next, to: end });
    next = Math.max(next, end);
  };
  for (const [start, end] of runs) {
    add("blank", start);
    add("rows", end);
  }
  add("blank", count);
  return result;
}
