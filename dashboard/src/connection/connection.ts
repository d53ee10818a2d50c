/**
 * One WebSocket to the bridge, kept open.
 *
 * Promises: after a loss it connects again by itself, for ever, with backoff and jitter; a line that is open but silent is
 * noticed (the bridge reports once a second), asked with a ping, and given up when it does not answer.
 * Knows nothing of what the messages mean.
 */

import { backoffMs } from "./backoff";

/** The bridge sends a system report every second; five missing ones are silence. */
const SILENT_AFTER_MS = 5_000;
const GIVE_UP_AFTER_MS = 12_000;
const CONNECT_TIMEOUT_MS = 10_000;
const WATCH_INTERVAL_MS = 1_000;
/** A session that lasted this long starts the backoff anew. */
const STABLE_AFTER_MS = 10_000;

export type ConnectionState =
  | { readonly phase: "connecting" }
  | { readonly phase: "live" }
  | { readonly phase: "silent"; readonly since_ms: number }
  | { readonly phase: "waiting"; readonly retryAt_ms: number; readonly reason: string };

export interface ConnectionListener {
  /** The line is open: subscribe now. */
  onOpen(): void;
  onText(text: string): void;
  onState(state: ConnectionState): void;
}

export class Connection {
  private socket: WebSocket | null = null;
  private phase: ConnectionState["phase"] = "connecting";
  private attempt = 0;
  private openedAt_ms = 0;
  private lastHeard_ms = 0;
  private retryTimer: number | undefined;

  constructor(
    private readonly url: string,
    private readonly protocols: readonly string[],
    private readonly listener: ConnectionListener,
  ) {}

  start(): void {
    window.setInterval(() => this.watch(), WATCH_INTERVAL_MS);
    window.addEventListener("online", () => this.retryNow());
    this.connect();
  }

  /** Sends a request, or tells that the line is not open; what was asked before a loss is asked again in `onOpen`. */
  send(request: object): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(request));
    return true;
  }

  /** Ends the waiting, if any. */
  retryNow(): void {
    if (this.phase === "waiting") this.connect();
  }

  private connect(): void {
    window.clearTimeout(this.retryTimer);
    this.attempt += 1;
    this.lastHeard_ms = Date.now();
    this.enter({ phase: "connecting" });
    const socket = new WebSocket(this.url, [...this.protocols]);
    this.socket = socket;
    // A socket that was given up may still speak: only the current one is listened to.
    const current = (act: () => void) => () => {
      if (this.socket === socket) act();
    };
    socket.addEventListener("open", current(() => this.opened()));
    socket.addEventListener("close", (event) => current(() => this.lost(closeReason(event)))());
    socket.addEventListener("message", (event) => current(() => this.heard(event.data))());
  }

  private opened(): void {
    this.openedAt_ms = Date.now();
    this.lastHeard_ms = this.openedAt_ms;
    this.enter({ phase: "live" });
    this.listener.onOpen();
  }

  private heard(data: unknown): void {
    this.lastHeard_ms = Date.now();
    if (this.phase === "silent") this.enter({ phase: "live" });
    if (typeof data === "string") this.listener.onText(data);
  }

  private watch(): void {
    const quiet_ms = Date.now() - this.lastHeard_ms;
    if (this.phase === "connecting" && quiet_ms >= CONNECT_TIMEOUT_MS) return this.giveUp("no answer");
    if (this.phase === "silent" && quiet_ms >= GIVE_UP_AFTER_MS) return this.giveUp("silence");
    if (this.phase === "live" && quiet_ms >= SILENT_AFTER_MS) {
      this.enter({ phase: "silent", since_ms: this.lastHeard_ms });
      this.send({ op: "ping", id: 0 });
    }
  }

  private giveUp(reason: string): void {
    const socket = this.socket;
    this.lost(reason);
    socket?.close();
  }

  private lost(reason: string): void {
    this.socket = null;
    const wasStable = this.openedAt_ms > 0 && Date.now() - this.openedAt_ms >= STABLE_AFTER_MS;
    if (wasStable) this.attempt = 1;
    this.openedAt_ms = 0;
    const wait_ms = backoffMs(this.attempt);
    this.retryTimer = window.setTimeout(() => this.connect(), wait_ms);
    this.enter({ phase: "waiting", retryAt_ms: Date.now() + wait_ms, reason });
  }

  private enter(state: ConnectionState): void {
    this.phase = state.phase;
    this.listener.onState(state);
  }
}

function closeReason(event: CloseEvent): string {
  return event.reason === "" ? `closed with code ${event.code}` : event.reason;
}
