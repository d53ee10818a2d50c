/** Percentiles of each hop, per venue where the hop is measured per venue. */

import { formatCount, formatDurationNs } from "../format";
import type { LatencyReport } from "../protocol/messages";
import type { Changes, Store } from "../store/store";
import { byId, make, rowHeader, setText } from "./dom";
import { KeyedRows, type Row } from "./keyed_rows";
import type { View } from "./view";

const PERCENTILES = ["p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"] as const;

/** Hops in the order of a record's way, with what they are called on the page. */
const HOP_NAMES: Readonly<Record<string, string>> = {
  event_to_recv: "event → recv",
  recv_to_publish: "recv → publish",
  publish_to_bridge: "publish → bridge",
  recv_to_bridge: "recv → bridge",
};
const HOP_ORDER = Object.keys(HOP_NAMES);

export class LatencyView implements View {
  private readonly rows = new KeyedRows<LatencyReport>(
    byId("latency-rows"),
    ({ hop, venue }) => `${hop} ${venue ?? ""}`,
    makeLatencyRow,
  );

  render(store: Store, { parts }: Changes): void {
    if (parts.has("system") && store.system !== null) this.rows.show([...store.system.latency].sort(byWay));
  }
}

function makeLatencyRow({ hop, venue }: LatencyReport): Row<LatencyReport> {
  // The heading of p90 carries the same class: it gives way where the panel is narrow.
  const cells = PERCENTILES.map((percentile) => make("td", percentile === "p90_ns" ? "figure wide-only" : "figure"));
  const header = rowHeader("", HOP_NAMES[hop] ?? hop, make("span", "dim", venue === null ? "" : ` ${venue}`));
  const element = make("tr", "", header, ...cells);
  element.dataset["testid"] = `latency-row-${hop}`;
  const fill = (report: LatencyReport) => {
    PERCENTILES.forEach((percentile, index) => {
      const cell = cells[index];
      // Nothing was measured in the window, which is not the same as no time: a replay's events are years old.
      const duration_ns = report.count === 0 ? null : report[percentile];
      if (cell !== undefined) setText(cell, formatDurationNs(duration_ns));
    });
    element.title = `${hop}: ${formatCount(report.count)} measured`;
  };
  return { element, fill };
}

function byWay(a: LatencyReport, b: LatencyReport): number {
  const order = rank(a.hop) - rank(b.hop);
  return order !== 0 ? order : (a.venue ?? "").localeCompare(b.venue ?? "");
}

function rank(hop: string): number {
  const place = HOP_ORDER.indexOf(hop);
  return place < 0 ? HOP_ORDER.length : place;
}
