/** How long to wait before the next attempt: doubled each time, cut at a limit, spread so that many pages do not return at once. */

const FIRST_MS = 500;
const LIMIT_MS = 15_000;

/** The wait before attempt `attempt` (from 1): between half of the doubled delay and all of it. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const full_ms = Math.min(LIMIT_MS, FIRST_MS * 2 ** (attempt - 1));
  return Math.round((full_ms / 2) * (1 + random()));
}
