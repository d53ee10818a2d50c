/** Latches the engine's kill switch, or takes it back. */

/** What the bridge answered. */
export type KillAnswer = { readonly ok: true } | { readonly ok: false; readonly reason: string };

const TIMEOUT_MS = 10_000;

export class KillSwitch {
  /** `base` is the page's address. The token of that address is offered to whoever asks for one. */
  constructor(
    private readonly base: string,
    readonly token: string,
  ) {}

  async send(action: "kill" | "arm", token: string): Promise<KillAnswer> {
    try {
      const response = await fetch(new URL(`api/${action}`, this.base).href, {
        method: "POST",
        headers: { Authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      return response.ok ? { ok: true } : { ok: false, reason: reasonOf(response.status, await response.text()) };
    } catch (error) {
      return { ok: false, reason: `no answer from the bridge: ${error instanceof Error ? error.message : String(error)}` };
    }
  }
}

/** The bridge's own words, if it is one that answered. */
export function reasonOf(status: number, body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: { message?: unknown } };
    if (typeof error?.message === "string") return error.message;
  } catch {
    // Not the bridge's JSON: the status has to do.
  }
  return `answer ${status}`;
}
