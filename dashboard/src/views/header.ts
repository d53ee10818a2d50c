/** The line at the top: whether the figures are live, which run they belong to, how the bridge fares. */

import type { ConnectionState } from "../connection/connection";
import { formatClockUtc, formatCompact } from "../format";
import type { Changes, Store } from "../store/store";
import { byId, setData, setText } from "./dom";
import type { View } from "./view";

const TICK_MS = 1_000;

const PHASE_TEXT: Readonly<Record<ConnectionState["phase"], string>> = {
  connecting: "Connecting",
  live: "Live",
  silent: "Bridge silent",
  waiting: "Disconnected",
};

export class HeaderView implements View {
  private readonly connection = byId("connection");
  private readonly state = byId("connection-state");
  private readonly detail = byId("connection-detail");
  private readonly clock = byId("clock");
  private readonly run = byId("run-id");
  private readonly clients = byId("bridge-clients");
  private readonly messages = byId("bridge-messages");
  private readonly conflated = byId("bridge-conflated");
  private readonly missing = byId("bridge-missing");
  private current: ConnectionState = { phase: "connecting" };

  constructor() {
    window.setInterval(() => this.tick(), TICK_MS);
    this.tick();
  }

  render(store: Store, { parts }: Changes): void {
    if (parts.has("connection")) this.showConnection(store.connection);
    if (parts.has("system") && store.system !== null) {
      const { run_id, bridge } = store.system;
      setText(this.run, run_id);
      setText(this.clients, formatCompact(bridge.clients));
      setText(this.messages, formatCompact(bridge.messages));
      setText(this.conflated, formatCompact(bridge.conflated));
      setText(this.missing, formatCompact(bridge.missing));
      setData(this.missing, "tone", (bridge.missing ?? 0) > 0 ? "warning" : "");
    }
  }

  private showConnection(state: ConnectionState): void {
    this.current = state;
    setText(this.state, PHASE_TEXT[state.phase]);
    setData(this.connection, "phase", state.phase);
    // Figures that no longer move must not look alive.
    setData(document.body, "stale", state.phase === "live" ? "" : "yes");
    this.tick();
  }

  /** The countdown stands outside the live region, so that it is not read aloud every second. */
  private tick(): void {
    setText(this.clock, formatClockUtc(Date.now()));
    setText(this.detail, detailOf(this.current, Date.now()));
  }
}

function detailOf(state: ConnectionState, now_ms: number): string {
  switch (state.phase) {
    case "waiting":
      return `next attempt in ${Math.max(1, Math.ceil((state.retryAt_ms - now_ms) / 1000))} s`;
    case "silent":
      return `for ${Math.floor((now_ms - state.since_ms) / 1000)} s`;
    default:
      return "";
  }
}
