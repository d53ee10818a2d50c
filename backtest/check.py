"""Computes the figures of a backtest again, from its own tables and by the formulas of docs/backtest.md, and compares them with result.json.

    python backtest/check.py RESULTS…

Round trips are made again of the fills, exactly; figures of the equity curve and the round trips, in floating point. Nothing here is shared with the
program that wrote them. Needs DuckDB, to read Parquet (analysis/requirements.txt).
"""

import json
import math
import statistics
import sys
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import duckdb

MONEY = 10 ** 8
DAY_NS = 86_400 * 10 ** 9
YEAR_NS = 365 * DAY_NS
TOLERANCE = 1e-9


def rows(folder, table, columns):
    """Rows of a table in the order of the file."""
    path = str(folder / f"{table}.parquet").replace("'", "''")
    return duckdb.sql(f"SELECT {columns} FROM read_parquet('{path}')").fetchall()


def money(decimal):
    """A decimal as a whole number of units of 1e-8."""
    return int(decimal * MONEY)


def floor_money(amount):
    """A fraction rounded down to units of 1e-8."""
    return math.floor(amount * MONEY)


def trips_of(fills):
    """Round trips of fills: a list of (closed, currency, gross, fees, net)."""
    open_trips, closed = {}, []
    for ts, strategy, venue, symbol, side, price, quantity, price_decimals, quantity_decimals, fee, currency in fills:
        key = (strategy, venue, symbol)
        unit = Fraction(1, 10 ** (price_decimals + quantity_decimals))
        signed = quantity if side == "buy" else -quantity
        fee = money(fee)
        trip = open_trips.get(key)
        held = trip["position"] if trip else 0
        closing = min(quantity, abs(held)) if held * signed < 0 else 0
        # Rounded up: the ending part of a split fee.
        closing_fee = -((-fee * closing) // quantity)
        if closing:
            trip["position"] += closing if side == "buy" else -closing
            trip["cash"] += (-closing if side == "buy" else closing) * price * unit
            trip["fees"] += closing_fee
            if trip["position"] == 0:
                gross = floor_money(trip["cash"])
                closed.append((ts, currency, gross, trip["fees"], gross - trip["fees"]))
                del open_trips[key]
        if quantity > closing:
            trip = open_trips.setdefault(key, {"position": 0, "cash": Fraction(0), "fees": 0})
            entering = quantity - closing
            trip["position"] += entering if side == "buy" else -entering
            trip["cash"] += (-entering if side == "buy" else entering) * price * unit
            trip["fees"] += fee - closing_fee
    return closed


def total_return(curve):
    return float(Fraction(curve[-1] - curve[0], curve[0])) if len(curve) > 1 and curve[0] > 0 else None


def cagr(times, curve):
    span = times[-1] - times[0] if times else 0
    if span < DAY_NS or curve[-1] <= 0 or curve[0] <= 0:
        return None
    growth = 1 + (curve[-1] - curve[0]) / curve[0]
    return math.exp(math.log(growth) * YEAR_NS / span) - 1


def returns_of(curve):
    if any(equity <= 0 for equity in curve[:-1]):
        return None
    return [float(Fraction(after - before, before)) for before, after in zip(curve, curve[1:])]


def sharpe(returns, period):
    if returns is None or len(returns) < 2 or len(set(returns)) == 1:
        return None
    return statistics.fmean(returns) / statistics.stdev(returns) * math.sqrt(YEAR_NS / period)


def sortino(returns, period):
    if not returns or min(returns) >= 0:
        return None
    downside = math.sqrt(math.fsum(min(r, 0.0) ** 2 for r in returns) / len(returns))
    return statistics.fmean(returns) / downside * math.sqrt(YEAR_NS / period)


def max_drawdown(curve):
    if not curve or curve[0] <= 0:
        return None
    peak, worst = curve[0], Fraction(0)
    for equity in curve:
        peak = max(peak, equity)
        worst = max(worst, Fraction(peak - equity, peak))
    return worst


def win_rate(net):
    return sum(value > 0 for value in net) / len(net) if net else None


def profit_factor(net):
    earned, lost = sum(v for v in net if v > 0), -sum(v for v in net if v < 0)
    return earned / lost if lost else None


def turnover(curve, traded):
    return float(Fraction(traded * len(curve), sum(curve))) if curve and sum(curve) > 0 else None


def at_risk(returns):
    """Value at risk and conditional value at risk at 95 %, the latter as the mean of the worst twentieth, its last return in part."""
    if returns is None or len(returns) < 20:
        return None, None
    losses = sorted((-r for r in returns), reverse=True)
    tail = Fraction(len(losses), 20)
    whole = math.floor(tail)
    weighted = math.fsum(losses[:whole]) + float(tail - whole) * losses[whole]
    return losses[whole], weighted / float(tail)


def figures(times, curve, period, net, traded):
    returns = returns_of(curve)
    var, cvar = at_risk(returns)
    return {
        "total_return": total_return(curve),
        "cagr": cagr(times, curve),
        "sharpe": sharpe(returns, period),
        "sortino": sortino(returns, period),
        "max_drawdown": max_drawdown(curve),
        "win_rate": win_rate(net),
        "profit_factor": profit_factor(net),
        "turnover": turnover(curve, traded),
        "var_95": var,
        "cvar_95": cvar,
    }


def differs(expected, found):
    if expected is None or found is None:
        return expected is not found
    return not math.isclose(float(expected), float(found), rel_tol=TOLERANCE, abs_tol=1e-15)


def check(folder):
    result = json.loads((folder / "result.json").read_text())
    fills = rows(
        folder,
        "fills",
        "ts, strategy, venue, symbol, side, price_mantissa, quantity_mantissa, price_decimals, quantity_decimals, fee, currency",
    )
    trades = [
        (ts, currency, money(gross), money(fees), money(net))
        for ts, currency, gross, fees, net in rows(folder, "trades", "closed, currency, gross, fees, net")
    ]
    problems = []
    if trips_of(fills) != trades:
        problems.append("round trips differ from those that the fills make")
    curves, nets, traded, paid = defaultdict(list), defaultdict(list), defaultdict(int), defaultdict(int)
    for ns, currency, equity in rows(folder, "equity", "epoch_ns(ts), currency, equity"):
        curves[currency].append((ns, money(equity)))
    for _, currency, _, _, net in trades:
        nets[currency].append(net)
    for _, _, _, _, _, price, quantity, price_decimals, quantity_decimals, fee, currency in fills:
        traded[currency] += floor_money(Fraction(price * quantity, 10 ** (price_decimals + quantity_decimals)))
        paid[currency] += money(fee)
    for currency in result["currencies"]:
        name = currency["currency"]
        times, curve = [ns for ns, _ in curves[name]], [equity for _, equity in curves[name]]
        if any(after - before != result["period_ns"] for before, after in zip(times, times[1:])):
            problems.append(f"{name}: points are not {result['period_ns']} ns apart")
        exact = {"capital": curve[0], "equity": curve[-1], "profit": curve[-1] - curve[0], "traded": traded[name], "fees": paid[name]}
        for key, amount in exact.items():
            if Fraction(currency[key]) * MONEY != amount:
                problems.append(f"{name}: {key} is {currency[key]}, and {amount} / 1e8 by its tables")
        for key, value in figures(times, curve, result["period_ns"], nets[name], traded[name]).items():
            if differs(value, currency["metrics"][key]):
                problems.append(f"{name}: {key} is {currency['metrics'][key]}, and {value} by its tables")
        print(f"{folder}: {name}: 10 figures of {len(curve)} points, {len(nets[name])} round trips")
    return problems


def main():
    folders = [Path(argument) for argument in sys.argv[1:]]
    if not folders:
        raise SystemExit(__doc__)
    problems = [f"{folder}: {problem}" for folder in folders for problem in check(folder)]
    for problem in problems:
        print(problem)
    if problems:
        raise SystemExit(f"{len(problems)} differences")
    print("no difference")


if __name__ == "__main__":
    main()
