# SPDX-License-Identifier: GPL-2.0-or-later
"""Medians and their confidence intervals."""

import math
import statistics
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass
class Estimate:
    """A median and the interval that holds the true one with 95 % confidence."""

    median: float
    low: float
    high: float
    samples: int

    def text(self, digits):
        return f"{self.median:.{digits}f} [{self.low:.{digits}f} {self.high:.{digits}f}]"


def rank_of_interval(n):
    """How many of n ordered values, at each end, the interval of the median leaves out.

    Of n values, the number below the true median is binomial with p = 1/2, whatever they are
    distributed like. So values k and n-1-k (from 0) enclose it with probability
    1 - 2 P(B <= k), which is held at CONFIDENCE or above; with fewer than six values not even
    the smallest and largest do, and they are taken all the same.
    """
    outside, left_out = 0.0, 0
    for k in range(n // 2):
        outside += 2 * math.comb(n, k) / 2**n
        if outside > 1 - CONFIDENCE:
            break
        left_out = k
    return left_out


def estimate(values):
    ordered = sorted(values)
    k = rank_of_interval(len(ordered))
    return Estimate(statistics.median(ordered), ordered[k], ordered[-1 - k], len(ordered))
