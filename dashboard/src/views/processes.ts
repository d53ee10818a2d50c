/** The processes of the pipeline: alive or not, how fast, how far behind, what they lost. */

import { formatCompact, formatRate, UNKNOWN } from "../format";
import type { ProcessReport } from "../protocol/messages";
import type { Changes, Store } from "../store/store";
import { byId, make, rowHeader, setData, setText } from "./dom";
import { KeyedRows, type Row } from "./keyed_rows";
import type { View } from "./view";

export class ProcessesView implements View {
  private readonly rows = new KeyedRows<ProcessReport>(byId("process-rows"), ({ name, pid }) => `${name} ${pid}`, makeProcessRow);

  render(store: Store, { parts }: Changes): void {
    if (parts.has("system") && store.system !== null) this.rows.show(store.system.processes);
  }
}

function makeProcessRow({ name, role, pid: number }: ProcessReport): Row<ProcessReport> {
  const lamp = make("span", "lamp");
  lamp.setAttribute("aria-hidden", "true");
  const state = make("span", "visually-hidden");
  // The heading of the pid carries the same class: it gives way where the panel is narrow, and the row's title has it.
  const [pid, rate, lag, lost] = [make("td", "figure pid"), make("td", "figure"), make("td", "figure"), make("td", "figure")] as const;
  const element = make("tr", "", rowHeader("", lamp, name, state), pid, rate, lag, lost);
  element.dataset["testid"] = `process-row-${name}`;
  element.title = number === null ? role : `${role}, pid ${number}`;
  const fill = (report: ProcessReport) => {
    setData(element, "connected", report.alive ? "yes" : "no");
    setText(state, report.alive ? ", alive" : ", dead");
    setText(pid, report.pid === null ? UNKNOWN : String(report.pid));
    setText(rate, formatRate(report.records_per_s));
    setText(lag, formatCompact(report.lag));
    setText(lost, formatCompact(report.lost));
    setData(lost, "tone", (report.lost ?? 0) > 0 ? "warning" : "");
  };
  return { element, fill };
}
