/** Reports of backtests, as the bridge lists and serves them. */

import type { BacktestList } from "../protocol/backtests";
import { parseBacktests, type Parsed } from "../protocol/parse";
import { reasonOf } from "./kill_switch";

const TIMEOUT_MS = 10_000;

export class Backtests {
  /** `base` is the page's address; `headers` hold the token if there is one. */
  constructor(
    private readonly base: string,
    private readonly headers: Readonly<Record<string, string>>,
  ) {}

  /** Whether a report can only be had with a token, which no link can carry. */
  get needsToken(): boolean {
    return Object.keys(this.headers).length > 0;
  }

  async list(): Promise<Parsed<BacktestList>> {
    const answer = await this.get(new URL("api/backtests", this.base).href);
    return answer.ok ? parseBacktests(answer.value) : answer;
  }

  urlOf(name: string): string {
    return new URL(`backtests/${encodeURIComponent(name)}/report.html`, this.base).href;
  }

  /** The page of a report. */
  page(name: string): Promise<Parsed<string>> {
    return this.get(this.urlOf(name));
  }

  private async get(url: string): Promise<Parsed<string>> {
    try {
      const response = await fetch(url, { headers: this.headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
      const body = await response.text();
      return response.ok ? { ok: true, value: body } : { ok: false, reason: reasonOf(response.status, body) };
    } catch (error) {
      return { ok: false, reason: `no answer from the bridge: ${error instanceof Error ? error.message : String(error)}` };
    }
  }
}
