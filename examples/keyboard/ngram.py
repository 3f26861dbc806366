"""The yardstick: a Witten-Bell 4-gram model, trained on general text and adapted by counting on."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import keyrows

from keyboard.text import Codes

ORDER = 4


class Ngram:
    """Counts of characters after up to ORDER - 1 others.

    A context mixes what was counted after it with the shorter context by the number of different
    characters that were seen there (Witten and Bell 1991, method C).
    """

    def __init__(self, order: int = ORDER) -> None:
        self.order = order
        self.counts: list[defaultdict[bytes, Counter[int]]] = [
            defaultdict(Counter) for _ in range(order)
        ]
        self.totals: list[Counter[bytes]] = [Counter() for _ in range(order)]

    def add(self, text: Codes, weight: int = 1) -> None:
        """Count a text, each character `weight` times."""
        data = text.tobytes()
        for k, (counts, totals) in enumerate(zip(self.counts, self.totals, strict=True)):
            for i in range(k, len(data)):
                context = data[i - k : i]
                counts[context][data[i]] += weight
                totals[context] += weight

    def probability(self, before: bytes, code: int) -> float:
        """Of a code after at least ORDER - 1 others, if that many are there."""
        p = 1 / keyrows.CODES
        for k in range(min(self.order, len(before) + 1)):
            context = before[len(before) - k :]
            total = self.totals[k].get(context, 0)
            if total:
                seen = self.counts[k][context]
                p = (seen.get(code, 0) + len(seen) * p) / (total + len(seen))
        return p

    def bits(self, text: Codes) -> float:
        """Bits per character of a text."""
        data, k = text.tobytes(), self.order - 1
        told = (self.probability(data[max(0, i - k) : i], c) for i, c in enumerate(data))
        return -sum(math.log2(p) for p in told) / len(data)

    def likeliest(self, before: bytes) -> int:
        """The code that is likeliest to follow; the first of equal ones."""
        p = [1 / keyrows.CODES] * keyrows.CODES
        for k in range(min(self.order, len(before) + 1)):
            context = before[len(before) - k :]
            total = self.totals[k].get(context, 0)
            if total:
                seen = self.counts[k][context]
                p = [q * len(seen) / (total + len(seen)) for q in p]
                for code, count in seen.items():
                    p[code] += count / (total + len(seen))
        return p.index(max(p))
