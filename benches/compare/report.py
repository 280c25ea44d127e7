"""What was measured: lines while it happens, the table at the end, and a file with everything."""

import json
import math
import os
import statistics
import time

REFERENCES = ("PostgreSQL 15", "DuckDB")


class Report:
    def __init__(self, names, options):
        self.names, self.options, self.start = names, options, time.monotonic()
        self.workload = ""
        self.versions = {}
        # Per metric and system: values of the rounds; what went wrong; a remark.
        self.values, self.errors, self.notes = {}, {}, {}
        # Per set of queries: for each query, the seconds of each system or what went wrong.
        self.queries = {}

    def step(self, text):
        print(f"[{time.monotonic() - self.start:6.0f} s] {self.workload}: {text}", flush=True)

    def add(self, metric, name, value, note=None):
        metric = f"{self.workload}: {metric}"
        self.values.setdefault(metric, {}).setdefault(name, []).append(value)
        if note:
            self.notes[metric, name] = note

    def fail(self, metric, name, error):
        """The system has no value of this metric, for this reason."""
        self.step(f"{name}: {metric}: {said(error)}")
        metric = f"{self.workload}: {metric}"
        self.values.setdefault(metric, {})
        self.errors[metric, name] = said(error)

    def failed(self, metric, name):
        return (f"{self.workload}: {metric}", name) in self.errors

    def median(self, metric, name):
        values = self.values[metric].get(name)
        return None if values is None or (metric, name) in self.errors else statistics.median(values)

    def cell(self, metric, name):
        if (metric, name) in self.errors:
            return "error"
        value = self.median(metric, name)
        if value is None:
            return ""
        digits = 0 if value >= 1000 else 1 if value >= 100 else 2 if value >= 1 else 3
        note = self.notes.get((metric, name))
        return f"{value:,.{digits}f}" + (f" ({note})" if note else "")

    def ratio(self, metric, name):
        ours, theirs = self.median(metric, "Aegis"), self.median(metric, name)
        return f"{ours / theirs:.2f}" if ours is not None and theirs else ""

    def table(self):
        """Medians and ratios, in Markdown."""
        heads = ["", *self.names, *(f"Aegis / {name}" for name in REFERENCES)]
        rows = [[metric, *(self.cell(metric, name) for name in self.names), *(self.ratio(metric, name) for name in REFERENCES)]
                for metric in self.values]
        lines = [f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows)]
        errors = [f"- {metric}: {name}: {error}" for (metric, name), error in self.errors.items()]
        return "\n".join([*lines, *(["", "Errors:", *errors] if errors else [])])

    def write(self, file):
        """Everything, as JSON."""
        metrics = {}
        for metric, values in self.values.items():
            for name in self.names:
                entry = {"median": self.median(metric, name), "values": values.get(name), "error": self.errors.get((metric, name)),
                         "note": self.notes.get((metric, name))}
                metrics.setdefault(metric, {})[name] = {key: value for key, value in entry.items() if value is not None}
        everything = {
            "options": self.options, "processors": os.cpu_count(), "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "versions": self.versions, "metrics": metrics, "queries": self.queries,
        }
        file.write_text(json.dumps(everything, indent=1) + "\n")


def said(error):
    """What went wrong, on one line."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def percentile(values, percent):
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))
