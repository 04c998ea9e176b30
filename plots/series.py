"""The rounds of one contender, whatever it is."""

import dataclasses
import statistics

ROUND_NUMBERS = ("ops", "seconds", "ops_per_second", "bytes_per_second", "p50_ns", "p99_ns",
                 "p999_ns", "cpu_ns_per_op", "system_calls_per_op", "minor_faults_per_op",
                 "major_faults_per_op")


@dataclasses.dataclass(frozen=True)
class Series:
    """The rounds of one contender, ours or fio's, and the median of each figure."""
    rounds: tuple
    medians: dict

    def median(self, figure):
        value = self.medians.get(figure)
        if value is not None or figure not in ROUND_NUMBERS:
            return value
        values = self.values(figure)
        return statistics.median(values) if values else None

    def values(self, figure):
        return [r[figure] for r in self.rounds if r.get(figure) is not None]

    def spread(self, figure):
        """(min, max) of the rounds, or None."""
        values = self.values(figure)
        return (min(values), max(values)) if values else None
