/** Status changes, gaps and the page's own connection, newest first. */

import { formatClockUtc } from "../format";
import type { LogEntry } from "../store/events";
import type { Changes, Store } from "../store/store";
import { byId, make, setData, setText } from "./dom";
import { NewestRows } from "./newest_rows";
import type { View } from "./view";

class LogRow {
  readonly element: HTMLTableRowElement;
  private readonly time = make("td", "dim");
  private readonly subject = make("b");
  private readonly text = make("span");

  constructor() {
    this.element = make("tr", "", this.time, make("td", "", this.subject, " ", this.text));
    this.element.dataset["testid"] = "log-row";
  }

  fill(entry: LogEntry): void {
    setText(this.time, formatClockUtc(entry.at_ms));
    setText(this.subject, entry.subject);
    setText(this.text, entry.text);
    setData(this.element, "tone", entry.severity);
  }
}

export class LogView implements View {
  private readonly rows = new NewestRows<LogEntry, LogRow>(
    byId("log-rows"),
    () => new LogRow(),
    (row, entry) => row.fill(entry),
  );

  render({ log }: Store, { parts }: Changes): void {
    if (parts.has("log")) this.rows.show(log);
  }
}
