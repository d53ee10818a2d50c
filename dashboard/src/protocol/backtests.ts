/** The list of backtests of the bridge, `/api/backtests`. */

import type { Decimal } from "../decimal";
import type { Fields } from "./fields";

/** No list of the bridge is longer. */
const REPORTS_MAX = 200;
const PARTS_MAX = 32;

/** What came of a backtest in one currency. */
export interface BacktestMoney {
  readonly currency: string;
  readonly profit: Decimal;
  readonly fees: Decimal;
  /** Null where a figure is not defined. */
  readonly sharpe: number | null;
  readonly maxDrawdown: number | null;
}

export interface Backtest {
  readonly name: string;
  readonly writtenMs: number;
  readonly strategies: readonly string[];
  readonly instruments: string;
  readonly records: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly fills: number;
  readonly trips: number;
  readonly currencies: readonly BacktestMoney[];
}

export interface BacktestList {
  /** Where the bridge looks for reports. */
  readonly dir: string;
  /** Newest first. */
  readonly reports: readonly Backtest[];
  /** Entries of that folder that are no report. */
  readonly skipped: number;
  /** Entries beyond the bridge's limits. */
  readonly leftOut: number;
}

export function readBacktests(fields: Fields): BacktestList {
  return {
    dir: fields.text("dir"),
    reports: fields.objects("reports", REPORTS_MAX, readBacktest),
    skipped: fields.number("skipped"),
    leftOut: fields.number("left_out"),
  };
}

function readBacktest(fields: Fields): Backtest {
  return {
    name: fields.text("name"),
    writtenMs: fields.number("written_ms"),
    strategies: fields.array("strategies", PARTS_MAX).map(String),
    instruments: fields.text("instruments"),
    records: fields.number("records"),
    firstMs: fields.number("first_ms"),
    lastMs: fields.number("last_ms"),
    fills: fields.number("fills"),
    trips: fields.number("trips"),
    currencies: fields.objects("currencies", PARTS_MAX, readMoney),
  };
}

function readMoney(fields: Fields): BacktestMoney {
  const metrics = fields.object("metrics");
  return {
    currency: fields.text("currency"),
    profit: fields.decimal("profit"),
    fees: fields.decimal("fees"),
    sharpe: metrics.numberOrNull("sharpe"),
    maxDrawdown: metrics.numberOrNull("max_drawdown"),
  };
}
