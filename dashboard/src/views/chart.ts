/** Candles of the selected instrument's trades, with a line for the mid where trades are rare. */

import {
  CandlestickSeries,
  ColorType,
  createChart,
  createSeriesMarkers,
  CrosshairMode,
  HistogramSeries,
  LineSeries,
  type IChartApi,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import { fractionLength, splitPadding, type Decimal } from "../decimal";
import { INTERVALS, type Candle, type IntervalName, type Mid } from "../store/candles";
import type { InstrumentState } from "../store/instrument_state";
import type { Changes, Store } from "../store/store";
import { byId, make } from "./dom";
import { chartColors as colors } from "./chart_colors";
import { marksOf } from "./chart_marks";
import type { View } from "./view";

/** Decimals of the price axis when the instrument's tick is not known. */
const DECIMALS_UNKNOWN = 2;
const DECIMALS_MAX = 10;

/** What is drawn, and up to which bucket. */
interface Shown {
  readonly instrument: InstrumentState;
  readonly interval: IntervalName;
  candleTime: number;
  midTime: number;
}

export class ChartView implements View {
  private readonly element = byId("chart");
  private readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly volumes: ISeriesApi<"Histogram">;
  private readonly mids: ISeriesApi<"Line">;
  private readonly marks: ISeriesMarkersPluginApi<Time>;
  private interval: IntervalName = "1s";
  private shown: Shown | null = null;

  /** `onInterval` is told when another interval was chosen, to ask for a frame. */
  constructor(private readonly onInterval: () => void) {
    this.chart = makeChart(this.element);
    this.volumes = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.86, bottom: 0 } });
    this.mids = this.chart.addSeries(LineSeries, {
      color: colors.mid,
      lineWidth: 1,
      lastValueVisible: false,
      priceLineVisible: false,
      crosshairMarkerVisible: false,
    });
    this.candles = this.chart.addSeries(CandlestickSeries, {
      upColor: colors.buy,
      downColor: colors.sell,
      wickUpColor: colors.buy,
      wickDownColor: colors.sell,
      borderVisible: false,
    });
    this.marks = createSeriesMarkers(this.candles, []);
    this.makeIntervalChoice();
  }

  render({ selected, trading }: Store, { parts }: Changes): void {
    if (selected === null) return;
    const isOther = this.shown?.instrument !== selected || this.shown.interval !== this.interval;
    if (parts.has("selection")) this.describe(selected);
    const { shown } = this;
    if (shown?.instrument !== selected || shown.interval !== this.interval) this.showAll(selected);
    else if (parts.has("tape") || parts.has("quote")) this.showNews(shown);
    if (isOther || parts.has("fills") || parts.has("signals")) {
      // Marks of before the first candle would all stand at it.
      const from = selected.history.of(this.interval).candles[0]?.time ?? Infinity;
      this.marks.setMarkers(marksOf(trading, selected.key, secondsOf(this.interval), from));
    }
  }

  private describe({ venue, symbol, tick }: InstrumentState): void {
    this.element.setAttribute("aria-label", `Price chart of ${symbol} at ${venue}`);
    const decimals = decimalsOf(tick);
    const priceFormat = { type: "price", precision: decimals, minMove: 10 ** -decimals } as const;
    this.candles.applyOptions({ priceFormat });
    this.mids.applyOptions({ priceFormat });
  }

  private showAll(instrument: InstrumentState): void {
    const history = instrument.history.of(this.interval);
    this.candles.setData(history.candles.map(toBar));
    this.volumes.setData(history.candles.map(toVolume));
    this.mids.setData(history.mids.map(toPoint));
    this.chart.timeScale().resetTimeScale();
    this.shown = { instrument, interval: this.interval, candleTime: lastTime(history.candles), midTime: lastTime(history.mids) };
  }

  /** Draws the buckets since the newest drawn one, which may have changed. */
  private showNews(shown: Shown): void {
    const history = shown.instrument.history.of(shown.interval);
    for (const candle of since(history.candles, shown.candleTime)) {
      this.candles.update(toBar(candle));
      this.volumes.update(toVolume(candle));
    }
    for (const mid of since(history.mids, shown.midTime)) this.mids.update(toPoint(mid));
    shown.candleTime = lastTime(history.candles);
    shown.midTime = lastTime(history.mids);
  }

  private makeIntervalChoice(): void {
    const choices = INTERVALS.map(({ name }) => {
      const input = make("input");
      input.type = "radio";
      input.name = "interval";
      input.value = name;
      input.checked = name === this.interval;
      input.addEventListener("change", () => {
        this.interval = name;
        this.onInterval();
      });
      return make("label", "", input, make("span", "", name));
    });
    byId("intervals").append(...choices);
  }
}

function makeChart(element: HTMLElement): IChartApi {
  return createChart(element, {
    autoSize: true,
    layout: {
      background: { type: ColorType.Solid, color: "transparent" },
      textColor: colors.text,
      fontSize: 11,
      fontFamily: getComputedStyle(document.body).fontFamily,
      // The library's logo needs an inline style sheet, which the page's security policy refuses; the page links instead.
      attributionLogo: false,
    },
    grid: { vertLines: { color: colors.grid }, horzLines: { color: colors.grid } },
    rightPriceScale: { borderColor: colors.border, scaleMargins: { top: 0.08, bottom: 0.18 } },
    timeScale: { borderColor: colors.border, timeVisible: true, secondsVisible: true, rightOffset: 3, barSpacing: 7 },
    crosshair: { mode: CrosshairMode.Normal },
    // The wheel scrolls the page until the chart is asked for: on a phone the chart fills the width.
    handleScroll: { vertTouchDrag: false },
  });
}

function secondsOf(interval: IntervalName): number {
  return INTERVALS.find(({ name }) => name === interval)?.seconds ?? 1;
}

function decimalsOf(tick: Decimal | null): number {
  if (tick === null) return DECIMALS_UNKNOWN;
  const [significant] = splitPadding(tick);
  return Math.min(DECIMALS_MAX, fractionLength(significant as Decimal));
}

/** The buckets from the one at `time` on; buckets are few and the answer is at the end. */
function since<Bucket extends { readonly time: number }>(buckets: readonly Bucket[], time: number): readonly Bucket[] {
  let first = buckets.length;
  while (first > 0 && (buckets[first - 1]?.time ?? 0) >= time) first -= 1;
  return buckets.slice(first);
}

function lastTime(buckets: readonly { readonly time: number }[]): number {
  return buckets.at(-1)?.time ?? 0;
}

function toBar({ time, open, high, low, close }: Candle) {
  return { time: time as UTCTimestamp, open, high, low, close };
}

function toVolume({ time, open, close, volume }: Candle) {
  return { time: time as UTCTimestamp, value: volume, color: close < open ? colors.sellVolume : colors.buyVolume };
}

function toPoint({ time, value }: Mid) {
  return { time: time as UTCTimestamp, value };
}
