/** The equity over time: a line for each currency, gains less fees, without any capital. */

import { ColorType, createChart, LineSeries, type IChartApi, type ISeriesApi, type UTCTimestamp } from "lightweight-charts";
import { forDrawing } from "../decimal";
import type { EquityPoint } from "../protocol/trading";
import type { Changes, Store } from "../store/store";
import { chartColors as colors } from "./chart_colors";
import { byId } from "./dom";
import type { View } from "./view";

const LINE_COLORS = [colors.accent, colors.warning, colors.mid, colors.text];

interface Line {
  readonly series: ISeriesApi<"Line">;
  /** The newest point that is drawn, seconds since 1970. */
  time: number;
  /** The curve it was drawn of: another one is drawn whole. */
  points: readonly EquityPoint[];
}

export class EquityView implements View {
  private readonly chart: IChartApi;
  private readonly lines = new Map<string, Line>();

  constructor() {
    const element = byId("equity-chart");
    this.chart = createChart(element, {
      autoSize: true,
      layout: {
        background: { type: ColorType.Solid, color: "transparent" },
        textColor: colors.text,
        fontSize: 11,
        fontFamily: getComputedStyle(document.body).fontFamily,
        attributionLogo: false,
      },
      grid: { vertLines: { color: colors.grid }, horzLines: { color: colors.grid } },
      rightPriceScale: { borderColor: colors.border, scaleMargins: { top: 0.12, bottom: 0.12 } },
      timeScale: { borderColor: colors.border, timeVisible: true, secondsVisible: true, barSpacing: 2, minBarSpacing: 0.2 },
      handleScroll: { vertTouchDrag: false },
    });
  }

  render({ trading }: Store, { parts }: Changes): void {
    if (!parts.has("engine")) return;
    for (const [currency, points] of trading.curves) this.show(this.line(currency), points);
  }

  private show(line: Line, points: readonly EquityPoint[]): void {
    const fresh = line.points === points ? points.slice(firstSince(points, line.time)) : points;
    const drawn = toLine(fresh);
    if (line.points !== points) line.series.setData(drawn);
    else for (const point of drawn) line.series.update(point);
    line.points = points;
    line.time = drawn.at(-1)?.time ?? 0;
  }

  private line(currency: string): Line {
    const known = this.lines.get(currency);
    if (known !== undefined) return known;
    const color = LINE_COLORS[this.lines.size % LINE_COLORS.length] ?? colors.text;
    const options = { color, lineWidth: 2, title: currency, priceLineVisible: false, priceFormat: { type: "price", precision: 2, minMove: 0.01 } } as const;
    const line: Line = { series: this.chart.addSeries(LineSeries, options), time: 0, points: [] };
    this.lines.set(currency, line);
    return line;
  }
}

/** Curves are short and what is new stands at the end. */
function firstSince(points: readonly EquityPoint[], time: number): number {
  let first = points.length;
  while (first > 0 && secondOf(points[first - 1]) >= time) first -= 1;
  return first;
}

function secondOf(point: EquityPoint | undefined): number {
  return Math.floor((point?.at_ms ?? 0) / 1000);
}

/** A point a second, the last of each: the chart wants rising times. */
function toLine(points: readonly EquityPoint[]) {
  const bySecond = new Map(points.map((point) => [secondOf(point), forDrawing(point.total)]));
  return [...bySecond].sort(([a], [b]) => a - b).map(([time, value]) => ({ time: time as UTCTimestamp, value }));
}
