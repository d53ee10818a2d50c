/** Fills and signals of one instrument as marks in its price chart. */

import type { SeriesMarker, UTCTimestamp } from "lightweight-charts";
import type { InstrumentKey } from "../protocol/messages";
import type { Fill, Signal } from "../protocol/trading";
import type { Recent } from "../store/recent";
import type { TradingState } from "../store/trading";
import { chartColors as colors } from "./chart_colors";

/** Marks since `from` (seconds since 1970), in order of time, each at the bucket of `seconds` that it falls in. */
export function marksOf(trading: TradingState, key: InstrumentKey, seconds: number, from: number): SeriesMarker<UTCTimestamp>[] {
  const at = (recv_ms: number) => (Math.floor(recv_ms / 1000 / seconds) * seconds) as UTCTimestamp;
  const ours = <Item extends Fill | Signal>(items: Recent<Item>) =>
    Array.from({ length: items.length }, (_, age) => items.newest(age)).filter(
      (item) => item !== undefined && item.instrument === key && at(item.recv_ms) >= from,
    ) as Item[];
  const signals = ours(trading.signals).map(({ side, recv_ms }) => ({
    time: at(recv_ms),
    position: side === "sell" ? ("aboveBar" as const) : ("belowBar" as const),
    shape: "circle" as const,
    color: colors.signal,
    size: 0.5,
  }));
  const fills = ours(trading.fills).map(({ side, recv_ms }) => ({
    time: at(recv_ms),
    position: side === "sell" ? ("aboveBar" as const) : ("belowBar" as const),
    shape: side === "sell" ? ("arrowDown" as const) : ("arrowUp" as const),
    color: side === "sell" ? colors.sell : colors.buy,
  }));
  return [...signals, ...fills].sort((a, b) => a.time - b.time);
}
