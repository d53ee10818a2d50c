/** The headline of the selected instrument, and the page's title. */

import type { InstrumentState } from "../store/instrument_state";
import type { Changes, Store } from "../store/store";
import { byId, DecimalText, setData, setText } from "./dom";
import type { View } from "./view";

export class StageView implements View {
  private readonly symbol = byId("stage-symbol");
  private readonly venue = byId("stage-venue");
  private readonly lastElement = byId("stage-last");
  private readonly last = new DecimalText(this.lastElement);
  private readonly bid = new DecimalText(byId("stage-bid"));
  private readonly ask = new DecimalText(byId("stage-ask"));

  render({ selected }: Store, { parts }: Changes): void {
    if (selected === null) return;
    if (parts.has("selection")) this.showSelection(selected);
    if (parts.has("tape")) this.showLast(selected);
    if (parts.has("quote")) {
      this.bid.show(selected.quote?.bid ?? null);
      this.ask.show(selected.quote?.ask ?? null);
    }
  }

  private showSelection({ venue, symbol, name }: InstrumentState): void {
    setText(this.symbol, symbol);
    setText(this.venue, name === "" || name === symbol ? venue : `${venue} · ${name}`);
    document.title = `${symbol} · ${venue} – Tickpath`;
  }

  private showLast({ lastTrade }: InstrumentState): void {
    this.last.show(lastTrade?.price ?? null);
    setData(this.lastElement, "side", lastTrade?.side ?? "");
  }
}
