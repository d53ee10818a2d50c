/** Whether the stream is kept: how far the journal is on the disk, how much room is left, how far the database is. */

import { formatAgeMs, formatBytes, formatCompact, formatCount, formatDurationMs, UNKNOWN } from "../format";
import type { RecordingReport } from "../protocol/messages";
import type { Changes, Store } from "../store/store";
import { byId, setData, setText } from "./dom";
import type { View } from "./view";

/** A sync is due many times a second: one that is older than this is late. */
const SYNC_AGE_WARNING_MS = 2_000;
/** A database that is further behind is shown as a warning. */
const DATABASE_BEHIND_WARNING_MS = 10_000;
/** Less room than this is shown as a warning. */
const FREE_BYTES_WARNING = 2 ** 30;

interface Figure {
  readonly text: string;
  readonly isWarning?: boolean;
  /** What the figure is made of, for the pointer. */
  readonly title?: string;
}

const FIGURES: Readonly<Record<string, (report: RecordingReport) => Figure>> = {
  position: ({ position, recorded }) => ({
    text: formatCount(position),
    title: `${formatCount(recorded)} records in the journal`,
  }),
  lag: ({ lag_records }) => ({ text: formatCompact(lag_records) }),
  disk,
  sync: ({ state, sync_age_ms }) => ({
    text: sync_age_ms === null ? UNKNOWN : `${formatAgeMs(sync_age_ms)} ago`,
    isWarning: state === "dead" || (sync_age_ms ?? 0) > SYNC_AGE_WARNING_MS,
  }),
  lost: ({ lost, laps }) => ({
    text: formatCompact(lost),
    isWarning: (lost ?? 0) > 0,
    title: `${formatCount(laps)} times overtaken by the relay`,
  }),
  database: ({ database }) => {
    if (database === null) return { text: "none" };
    const behind = (database.behind_records ?? 0) > 0 ? `${formatDurationMs(database.behind_ms)} behind` : "up to date";
    return {
      text: database.connected ? behind : `away, ${behind}`,
      isWarning: !database.connected || (database.behind_ms ?? 0) > DATABASE_BEHIND_WARNING_MS,
      title: `${formatCount(database.behind_records)} records behind, ${formatCount(database.rows)} rows sent`,
    };
  },
};

const STATES: Readonly<Record<RecordingReport["state"], readonly [text: string, tone: string]>> = {
  recording: ["on", "good"],
  stopped: ["disk refuses", "warning"],
  dead: ["recorder gone", "warning"],
};

export class RecordingView implements View {
  private readonly state = byId("recording-state");
  private readonly cells = Object.keys(FIGURES).map((name) => [name, byId(`recording-${name}`)] as const);

  render(store: Store, { parts }: Changes): void {
    if (!parts.has("system") || store.system === null) return;
    const report = store.system.recording;
    const [text, tone] = report === null ? ["off", ""] : STATES[report.state];
    setText(this.state, text);
    setData(this.state, "tone", tone);
    for (const [name, cell] of this.cells) {
      const figure = report === null ? undefined : FIGURES[name]?.(report);
      setText(cell, figure?.text ?? UNKNOWN);
      setData(cell, "tone", figure?.isWarning === true ? "warning" : "");
      if (cell.title !== (figure?.title ?? "")) cell.title = figure?.title ?? "";
    }
  }
}

function disk({ journal_bytes, journal_bytes_max, free_bytes }: RecordingReport): Figure {
  const limit = journal_bytes_max === null || journal_bytes_max === 0 ? "" : ` of ${formatBytes(journal_bytes_max)}`;
  return {
    text: `${formatBytes(journal_bytes)}${limit}`,
    isWarning: free_bytes !== null && free_bytes < FREE_BYTES_WARNING,
    title: `${formatBytes(free_bytes)} free on the disk`,
  };
}
