"""The comparison with last:N and bias:N runs, and compares what is equal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinytrain.search.cache import Cache
from tinytrain.search.pool import Serial

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

pytest.importorskip("sklearn")
pytest.importorskip("torch")


@pytest.mark.slow
def test_one_seed_of_digits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from schemes import benchmark, report, run

    monkeypatch.setattr(benchmark, "SHOWN", 40)
    monkeypatch.setattr(benchmark, "RATES", (0.1,))
    monkeypatch.setattr(benchmark, "PLANS", 20)
    case = benchmark.Case("digits", 10 * 1024, epochs=1)
    found = benchmark.compare(case, 0, Serial(), Cache(), lambda *_: None)
    assert set(found) <= set(benchmark.METHODS)
    assert {"before", "last:N", "tinytrain plan", "tinytrain plan --cheap"} <= set(found)
    for name, outcome in found.items():
        assert outcome.ram <= case.ram, name
    assert found["tinytrain plan"].accuracy > found["before"].accuracy + 0.3
    results = {case: [dict(found)]}
    assert "tinytrain plan" in report.table(results)
    assert "minus last:N" in report.difference_table(results)
    run._publish(results, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"schemes.svg", "schemes.json"}
