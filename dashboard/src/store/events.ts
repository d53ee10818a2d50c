/** The log that a person reads: status changes, gaps, and what happened to this page's own connection. */

import { formatCount, formatDurationMs } from "../format";
import type { StatusEvent } from "../protocol/messages";

export type Severity = "good" | "info" | "warning";

export interface LogEntry {
  readonly at_ms: number;
  /** `kraken`, `kraken BTC/USD`, or `page`. */
  readonly subject: string;
  readonly text: string;
  readonly severity: Severity;
}

/** Names of gap causes by their code, as the arguments of a status carry them (`protocol/src/control.rs`). */
const CAUSE_NAMES = [
  "ring full",
  "relay loss",
  "venue sequence jumped",
  "checksum",
  "disconnect",
  "silence",
  "overflow",
  "venue shutdown",
  "crossed",
  "refused frame",
  "no snapshot yet",
];

const SEVERITIES: Readonly<Record<string, Severity>> = {
  connected: "good",
  book_trusted: "good",
  trading: "good",
  gap: "warning",
  disconnected: "warning",
  book_untrusted: "warning",
  never_started: "warning",
  halted: "warning",
  refused: "warning",
  producer_detached: "warning",
  engine_started: "good",
  strategy_error: "warning",
  trading_halted: "warning",
  reduce_only: "warning",
  kill_latched: "warning",
  kill_armed: "good",
};

/** How much a status matters. */
export function severityOf(status: string): Severity {
  return SEVERITIES[status] ?? "info";
}

/** A status as a sentence without its subject. */
export function describeStatus(event: StatusEvent): string {
  const [first, second] = event.args ?? [null, null];
  switch (event.status) {
    case "gap":
      return describeGap(event);
    case "connecting":
      return `connecting${attempt(first)}`;
    case "disconnected":
      return `disconnected${because(second)}${first === null ? "" : `, next attempt in ${formatDurationMs(first)}`}`;
    case "book_trusted":
      return "book proven in sync";
    case "book_untrusted":
      return `book not proven${because(first)}`;
    case "resyncing":
      return `asking for a new book image${attempt(first)}`;
    case "never_started":
      return `subscribed, yet nothing came${first === null ? "" : ` in ${formatDurationMs(first)}`}`;
    case "refused":
      return "subscription refused";
    default:
      return event.status.replaceAll("_", " ");
  }
}

/** The first attempt is nothing to speak of. */
function attempt(count: number | null): string {
  return count !== null && count > 1 ? `, attempt ${formatCount(count)}` : "";
}

function because(code: number | null): string {
  const name = code === null ? undefined : CAUSE_NAMES[code - 1];
  return name === undefined ? "" : ` (${name})`;
}

function describeGap({ cause, first, last }: StatusEvent): string {
  const name = cause === null ? "" : ` (${cause.replaceAll("_", " ")})`;
  if (first === null || last === null) return `gap${name}`;
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last)) return `gap${name}`;
  const count = last - first + 1;
  return `gap${name}: ${formatCount(count)} missing, ${first} to ${last}`;
}
