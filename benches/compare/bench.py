"""How things are measured: in turns, after a warm-up, with answers compared."""

import math
import re
import statistics

from report import geometric_mean, said
from systems import TimedOut

# A question that takes longer, in seconds, is asked once.
ONCE_IS_ENOUGH = 5
# Who is right, if answers differ: the first of these that has one.
JUDGES = ("PostgreSQL 15", "DuckDB")


class Bench:
    """A workload's systems, its folder, the options, and where results go."""

    def __init__(self, systems, folder, options, report):
        self.systems, self.folder, self.options, self.report = systems, folder, options, report
        self.servers = [system for system in systems if system.name != "DuckDB"]

    def measure(self, metrics, work, systems=None, once=False):
        """Records what `work(system)` returns, a value for each of the metrics. The systems take turns; the first round warms up and does not count,
        save for what is done `once`. What raises ends the metrics of that system."""
        systems = systems or self.systems
        for round_ in range(1 if once else self.options.rounds + 1):
            for system in in_turn(systems, round_):
                if self.report.failed(metrics[0], system.name):
                    continue
                try:
                    values = work(system)
                except Exception as error:  # noqa: BLE001: the run goes on, and the table says so.
                    for metric in metrics:
                        self.report.fail(metric, system.name, error)
                    continue
                if round_ or once:
                    for metric, value in zip(metrics, values):
                        self.report.add(metric, system.name, value)
                figures = ", ".join(f"{metric} {value:,.3f}" for metric, value in zip(metrics, values))
                self.report.step(f"{system.name}: {figures}{'' if round_ or once else ' (warm-up)'}")

    def ask_all(self, label, queries, ordered=True):
        """Asks every system every query and records totals and geometric means; returns each query's seconds, or what went wrong, by system."""
        outcomes = []
        for number, query in enumerate(queries, 1):
            outcomes.append(self.ask(query, ordered))
            figures = ", ".join(f"{name} {f'{outcome * 1e3:,.1f} ms' if isinstance(outcome, float) else said(outcome)}"
                                for name, outcome in outcomes[-1].items())
            self.report.step(f"{label}, query {number}: {figures}")
        self.report.queries[f"{self.report.workload}: {label}"] = [
            {name: outcome if isinstance(outcome, float) else said(outcome) for name, outcome in by_system.items()} for by_system in outcomes]
        for system in self.systems:
            self.sum_up(label, system.name, [by_system[system.name] for by_system in outcomes])
        by_all = [by_system for by_system in outcomes if all(isinstance(outcome, float) for outcome in by_system.values())]
        if 0 < len(by_all) < len(queries):
            for system in self.systems:
                mean = geometric_mean([by_system[system.name] for by_system in by_all])
                self.report.add(f"{label}, the {len(by_all)} that all answered, geometric mean (ms)", system.name, mean * 1e3)
        return outcomes

    def sum_up(self, label, name, outcomes):
        """Records a system's total and geometric mean, if it has answered everything. What is cut off at the limit counts as the limit."""
        total, mean = f"{label}, total (s)", f"{label}, geometric mean (ms)"
        wrong = [f"query {number}: {said(outcome)}" for number, outcome in enumerate(outcomes, 1) if not isinstance(outcome, (float, TimedOut))]
        if wrong:
            for metric in (total, mean):
                self.report.fail(metric, name, f"{len(outcomes) - len(wrong)} of {len(outcomes)} answered; {wrong[0]}")
            return
        limit = self.options.query_limit
        late = sum(isinstance(outcome, TimedOut) for outcome in outcomes)
        note = f"{late} cut off at {limit} s" if late else None
        seconds = [outcome if isinstance(outcome, float) else float(limit) for outcome in outcomes]
        self.report.add(total, name, sum(seconds), note)
        self.report.add(mean, name, geometric_mean(seconds) * 1e3, note)

    def ask(self, query, ordered):
        """Per system the median of its seconds, or what went wrong."""
        times, answers, wrong = {system.name: [] for system in self.systems}, {}, {}
        for round_ in range(self.options.rounds + 1):
            for system in in_turn(self.systems, round_):
                if system.name in wrong or any(seconds > ONCE_IS_ENOUGH for seconds in times[system.name]):
                    continue
                try:
                    seconds, answers[system.name] = system.ask(query, self.options.query_limit)
                    times[system.name].append(seconds)
                except Exception as error:  # noqa: BLE001: it is this system's outcome.
                    wrong[system.name] = error
            judge = next((name for name in JUDGES if name in answers and name not in wrong), None)
            for name in answers.keys() - wrong.keys() - {judge}:
                if judge and (difference := differs(answers[name], answers[judge], ordered)):
                    wrong[name] = RuntimeError(f"not {judge}'s answer: {difference}")
        return {name: wrong.get(name) or statistics.median(times[name][1:] or times[name]) for name in times}


def in_turn(systems, round_):
    """The systems in another order each round."""
    first = round_ % len(systems)
    return systems[first:] + systems[:first]


def differs(answer, other, ordered):
    """Says how two answers differ, if they do."""
    if len(answer) != len(other):
        return f"{len(answer)} rows, not {len(other)}"
    if not ordered:
        answer, other = sorted(answer, key=sort_key), sorted(other, key=sort_key)
    for number, (row, wanted) in enumerate(zip(answer, other), 1):
        if len(row) != len(wanted) or not all(map(alike, row, wanted)):
            return f"row {number} is {row}, not {wanted}"
    return None


def number(cell):
    try:
        return float(cell)
    except ValueError:
        return None


def alike(cell, other):
    """Whole numbers and texts must be equal, others only to eight digits."""
    if cell == other:
        return True
    if cell is None or other is None or all(re.fullmatch(r"-?\d+", c) for c in (cell, other)):
        return False
    ours, theirs = number(cell), number(other)
    return ours is not None and theirs is not None and math.isclose(ours, theirs, rel_tol=1e-8, abs_tol=1e-9)


def sort_key(row):
    """Brings the rows of any system into one order, though their fractions are written otherwise."""
    return [(0, 0.0, "") if cell is None else (1, float(f"{number(cell):.6g}"), "") if number(cell) is not None else (2, 0.0, cell) for cell in row]


def chosen(key, of, which=0):
    """SQL for one row of `of`, at random but the same in every system: by a hash of its key, which is a whole number."""
    return f"({key}) * 2654435761 % 4294967291 % {of} = {which}"


def queries_of(script):
    """The queries of a script, each of which ends with a semicolon and holds no other."""
    return [query.strip() for query in script.split(";") if query.strip()]
