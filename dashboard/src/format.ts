/** How counts, rates, times and durations are written. Prices and sizes are not here: they are shown as they came. */

/** What stands where a figure is unknown. */
export const UNKNOWN = "–";

const THOUSANDS = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** `1234567` as `1,234,567`. */
export function formatCount(count: number | null): string {
  return count === null ? UNKNOWN : THOUSANDS.format(count);
}

const COMPACT_STEPS = [
  { from: 999_950_000, unit: 1e9, suffix: "G" },
  { from: 999_950, unit: 1e6, suffix: "M" },
  { from: 9_999.5, unit: 1e3, suffix: "k" },
];

/** A count in at most five characters: `9,999`, `12.3k`, `4.5M`. */
export function formatCompact(count: number | null): string {
  if (count === null) return UNKNOWN;
  const step = COMPACT_STEPS.find(({ from }) => Math.abs(count) >= from);
  return step === undefined ? THOUSANDS.format(count) : (count / step.unit).toFixed(1) + step.suffix;
}

const BYTE_STEPS = [
  { from: 1023.95 * 2 ** 20, unit: 2 ** 30, suffix: "GiB" },
  { from: 1023.5 * 2 ** 10, unit: 2 ** 20, suffix: "MiB" },
  { from: 0, unit: 2 ** 10, suffix: "KiB" },
];

/** A size on disk: `512 KiB`, `24 MiB`, `1.5 GiB`. */
export function formatBytes(bytes: number | null): string {
  const step = bytes === null ? undefined : BYTE_STEPS.find(({ from }) => bytes >= from);
  if (bytes === null || step === undefined) return UNKNOWN;
  const value = bytes / step.unit;
  return `${value.toFixed(step.suffix === "GiB" && value < 99.95 ? 1 : 0)} ${step.suffix}`;
}

/** A rate per second: a decimal below ten, compact above. */
export function formatRate(perSecond: number | null): string {
  if (perSecond === null) return UNKNOWN;
  return perSecond < 9.95 && perSecond > 0 ? perSecond.toFixed(1) : formatCompact(perSecond);
}

const DURATION_UNITS = [
  { ns: 86_400e9, name: "d" },
  { ns: 3_600e9, name: "h" },
  { ns: 60e9, name: "min" },
  { ns: 1e9, name: "s" },
  { ns: 1e6, name: "ms" },
  { ns: 1e3, name: "µs" },
];

/** A duration with three significant digits in the unit that fits: `850 ns`, `12.3 µs`, `4.56 ms`. */
export function formatDurationNs(duration_ns: number | null): string {
  if (duration_ns === null) return UNKNOWN;
  // 0.9995 of a unit would be written as 1,000 of the smaller one.
  const unit = DURATION_UNITS.find(({ ns }) => Math.abs(duration_ns) >= ns * 0.9995);
  if (unit === undefined) return `${Math.round(duration_ns)} ns`;
  return `${threeDigits(duration_ns / unit.ns)} ${unit.name}`;
}

/** `formatDurationNs` for milliseconds. */
export function formatDurationMs(duration_ms: number | null): string {
  return duration_ms === null ? UNKNOWN : formatDurationNs(duration_ms * 1e6);
}

/** The age of something that is measured in whole milliseconds: `38 ms`, `2.41 s`. */
export function formatAgeMs(age_ms: number | null): string {
  return age_ms !== null && age_ms < 1_000 ? `${Math.round(age_ms)} ms` : formatDurationMs(age_ms);
}

function threeDigits(value: number): string {
  const magnitude = Math.abs(value);
  return value.toFixed(magnitude < 9.995 ? 2 : magnitude < 99.95 ? 1 : 0);
}

/** The time of day in UTC, to the millisecond: `17:04:05.123`. */
export function formatTimeUtc(unix_ms: number): string {
  const date = new Date(unix_ms);
  return Number.isNaN(date.getTime()) ? UNKNOWN : date.toISOString().slice(11, 23);
}

/** The time of day in UTC, to the second. */
export function formatClockUtc(unix_ms: number): string {
  const time = formatTimeUtc(unix_ms);
  return time === UNKNOWN ? UNKNOWN : time.slice(0, 8);
}
