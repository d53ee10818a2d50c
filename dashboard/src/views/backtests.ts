/** Reports of backtests: what there is, what came of each, and the way to its page. */

import type { Backtests } from "../connection/backtests";
import { formatCount, formatDurationMs, UNKNOWN } from "../format";
import type { Backtest, BacktestList } from "../protocol/backtests";
import { byId, make, rowHeader, setData, setText } from "./dom";
import { KeyedRows, type Row } from "./keyed_rows";

export class BacktestsView {
  private readonly card = byId("backtests") as HTMLDetailsElement;
  private readonly count = byId("backtests-count");
  private readonly note = byId("backtests-note");
  private readonly table = byId("backtests-table");
  private readonly rows = new KeyedRows<Backtest>(byId("backtest-rows"), ({ name }) => name, () => this.makeRow());

  constructor(private readonly source: Backtests) {
    // Whoever opens the card wants to see what was made meanwhile.
    this.card.addEventListener("toggle", () => {
      if (this.card.open) void this.load();
    });
  }

  async load(): Promise<void> {
    const list = await this.source.list();
    if (list.ok) return this.show(list.value);
    this.fail(list.reason);
  }

  private show({ dir, reports, skipped, leftOut }: BacktestList): void {
    this.rows.show(reports);
    this.table.hidden = reports.length === 0;
    setText(this.count, `${reports.length}`);
    const asides = [
      skipped > 0 ? `${formatCount(skipped)} entries of ${dir} are no report` : "",
      leftOut > 0 ? `${formatCount(leftOut)} older ones are not listed` : "",
    ].filter((text) => text !== "");
    if (reports.length > 0) return this.say(...asides.map((text) => `${text}. `));
    const command = `tickpath backtest --strategy sma --data CAPTURE --out ${dir}/NAME`;
    this.say("No backtest yet. Make one with ", make("code", "", command), " and it is listed here. ", ...asides);
  }

  private say(...parts: (Node | string)[]): void {
    this.note.replaceChildren(...parts);
    this.note.hidden = parts.length === 0;
    setData(this.note, "tone", "");
  }

  private fail(reason: string): void {
    this.say(`The list of backtests cannot be had: ${reason}.`);
    setData(this.note, "tone", "warning");
  }

  private makeRow(): Row<Backtest> {
    const link = make("a");
    link.rel = "noopener noreferrer";
    link.target = "_blank";
    const [strategy, written, span, trips, profit, sharpe, drawdown] = [
      make("td"),
      make("td", "wide-only"),
      make("td", "figure wide-only"),
      make("td", "figure wide-only"),
      make("td", "figure"),
      make("td", "figure wider-only"),
      make("td", "figure wider-only"),
    ] as const;
    const element = make("tr", "", rowHeader("", link), strategy, written, span, trips, profit, sharpe, drawdown);
    element.dataset["testid"] = "backtest-row";
    return {
      element,
      fill: (report) => {
        const first = report.currencies[0];
        setText(link, report.name);
        link.href = this.source.urlOf(report.name);
        if (this.source.needsToken) link.onclick = (event) => this.fetchInstead(event, report.name);
        setText(strategy, report.strategies.join(", "));
        strategy.title = report.instruments;
        setText(written, new Date(report.writtenMs).toISOString().slice(0, 16).replace("T", " "));
        setText(span, formatDurationMs(report.lastMs - report.firstMs));
        span.title = `${formatCount(report.records)} records`;
        setText(trips, formatCount(report.trips));
        setText(profit, report.currencies.map((money) => `${money.profit} ${money.currency}`).join(" · "));
        setData(profit, "tone", first === undefined ? "" : first.profit.startsWith("-") ? "loss" : "gain");
        setText(sharpe, figure(first?.sharpe, (value) => value.toFixed(2)));
        setText(drawdown, figure(first?.maxDrawdown, (value) => `${(value * 100).toFixed(2)} %`));
      },
    };
  }

  /** A link carries no token: the page is fetched with it and handed over as a file. It is never opened here, where it could act as this page. */
  private fetchInstead(event: Event, name: string): void {
    event.preventDefault();
    void this.source.page(name).then((page) => {
      if (!page.ok) return this.fail(page.reason);
      const url = URL.createObjectURL(new Blob([page.value], { type: "application/octet-stream" }));
      const link = make("a");
      link.href = url;
      link.download = `${name}.html`;
      link.click();
      URL.revokeObjectURL(url);
    });
  }
}

function figure(value: number | null | undefined, text: (value: number) => string): string {
  return value === null || value === undefined ? UNKNOWN : text(value);
}
