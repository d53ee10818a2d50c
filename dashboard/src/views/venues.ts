/** One line a venue: whether it is connected, how much it sends, what went wrong, which books are proven. */

import { formatAgeMs, formatCompact, formatRate, UNKNOWN } from "../format";
import type { VenueReport } from "../protocol/messages";
import type { Changes, Store } from "../store/store";
import { byId, make, rowHeader, setData, setText } from "./dom";
import { KeyedRows, type Row } from "./keyed_rows";
import type { View } from "./view";

/** Data older than this is shown as a warning while the venue counts as connected. */
const AGE_WARNING_MS = 10_000;

interface Column {
  readonly text: (report: VenueReport) => string;
  readonly isWarning?: (report: VenueReport) => boolean;
  /** Left out where the panel is narrow; the heading in `index.html` carries the same class. */
  readonly className?: "wide-only" | "wider-only";
}

const COLUMNS: readonly Column[] = [
  { text: (report) => formatRate(report.records_per_s) },
  { text: (report) => formatRate(report.frames_per_s), className: "wider-only" },
  { text: (report) => formatCompact(report.gaps), isWarning: (report) => isPositive(report.gaps) },
  { text: (report) => formatCompact(report.resyncs), isWarning: (report) => isPositive(report.resyncs) },
  { text: (report) => formatCompact(report.reconnects), isWarning: (report) => isPositive(report.reconnects) },
  { text: (report) => formatCompact(report.refused), isWarning: (report) => isPositive(report.refused), className: "wide-only" },
  { text: bookTrust, isWarning: (report) => (report.books_trusted ?? 0) < (report.books_total ?? 0) },
  { text: checksums, isWarning: (report) => isPositive(report.checksums_bad) },
  { text: (report) => formatAgeMs(report.last_recv_age_ms), isWarning: (report) => (report.last_recv_age_ms ?? 0) > AGE_WARNING_MS },
];

export class VenuesView implements View {
  private readonly rows = new KeyedRows<VenueReport>(byId("venue-rows"), (report) => report.venue, makeVenueRow);

  render(store: Store, { parts }: Changes): void {
    if (parts.has("system") && store.system !== null) this.rows.show(store.system.venues);
  }
}

function makeVenueRow({ venue }: VenueReport): Row<VenueReport> {
  const lamp = make("span", "lamp");
  lamp.setAttribute("aria-hidden", "true");
  const state = make("span", "visually-hidden");
  const cells = COLUMNS.map((column) => make("td", `figure ${column.className ?? ""}`));
  const element = make("tr", "", rowHeader("", lamp, venue, state), ...cells);
  element.dataset["testid"] = `venue-row-${venue}`;
  const fill = (report: VenueReport) => {
    setData(element, "connected", report.connected ? "yes" : "no");
    setText(state, report.connected ? ", connected" : ", not connected");
    COLUMNS.forEach((column, index) => {
      const cell = cells[index];
      if (cell === undefined) return;
      setText(cell, column.text(report));
      setData(cell, "tone", column.isWarning?.(report) === true ? "warning" : "");
    });
  };
  return { element, fill };
}

function bookTrust({ books_trusted, books_total }: VenueReport): string {
  return books_total === null ? UNKNOWN : `${formatCompact(books_trusted)}/${formatCompact(books_total)}`;
}

function checksums({ checksums_ok, checksums_bad }: VenueReport): string {
  if (isPositive(checksums_bad)) return `${formatCompact(checksums_bad)} bad`;
  // A venue without checksums has nothing to count.
  return isPositive(checksums_ok) ? `${formatCompact(checksums_ok)} ✓` : UNKNOWN;
}

function isPositive(count: number | null): boolean {
  return count !== null && count > 0;
}
