/** Trades of the selected instrument, newest first. */

import { formatCount, formatTimeUtc } from "../format";
import type { Trade } from "../protocol/messages";
import { Recent } from "../store/recent";
import type { Changes, Store } from "../store/store";
import { byId, DecimalText, make, setData, setText } from "./dom";
import { NewestRows } from "./newest_rows";
import type { View } from "./view";

const NO_TRADES = new Recent<Trade>(1);

class TapeRow {
  readonly element: HTMLTableRowElement;
  private readonly time = make("span");
  private readonly fraction = make("span", "fraction");
  private readonly side = make("span", "visually-hidden");
  private readonly size: DecimalText;
  private readonly price: DecimalText;

  constructor() {
    const size = make("td", "figure");
    const price = make("td", "figure price");
    const time = make("td", "dim", this.time, this.fraction);
    this.element = make("tr", "", time, make("td", "side", this.side), size, price);
    this.element.dataset["testid"] = "tape-row";
    this.size = new DecimalText(size);
    this.price = new DecimalText(price);
  }

  fill(trade: Trade): void {
    const time = formatTimeUtc(trade.event_ms);
    setText(this.time, time.slice(0, 8));
    setText(this.fraction, time.slice(8));
    setText(this.side, trade.side ?? "unknown");
    this.size.show(trade.size);
    this.price.show(trade.price);
    setData(this.element, "side", trade.side ?? "");
  }
}

export class TapeView implements View {
  private readonly skipped = byId("tape-skipped");
  private readonly rows = new NewestRows<Trade, TapeRow>(
    byId("tape-rows"),
    () => new TapeRow(),
    (row, trade) => row.fill(trade),
  );

  render({ selected }: Store, { parts }: Changes): void {
    if (!parts.has("tape")) return;
    this.rows.show(selected?.tape ?? NO_TRADES);
    const count = selected?.tradesSkipped ?? 0;
    setText(this.skipped, count > 0 ? `${formatCount(count)} skipped` : "");
  }
}
