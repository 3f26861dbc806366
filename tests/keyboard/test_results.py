"""The sides that are compared: the network in integers and floats, 4-grams, saved keys."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("english")


def test_personas_are_not_in_the_general_text() -> None:
    from keyboard import text

    train, test = text.general()
    lines = set(text.characters(train).split("\n") + text.characters(test).split("\n"))
    for name in text.PERSONAS:
        pieces = text.cookies(text.files("fortunes")[name])
        said = {line for piece in pieces for line in piece.split("\n") if line[:2] != "--"}
        own = {line for line in said if len(line) >= 30}
        assert len(own) > 200 and not own & lines
        typed, held_out = (set(text.characters(t).split("\n")) for t in text.persona(name))
        assert not own & typed & held_out
        assert len(text.persona(name)[0]) == text.TYPED and len(text.persona(name)[1]) > 5000


def test_board_rehearses_text_that_the_network_knows() -> None:
    from keyboard import text
    from keyboard.pretrain import SAMPLE
    from keyboard.rehearsal import MODEL
    from keyboard.rehearsal import SAMPLE as FILE

    assert FILE.read_bytes() == text.general()[0][-SAMPLE:].tobytes()
    assert MODEL.stat().st_size <= 150_000


def test_ngrams_are_a_distribution_and_adapt() -> None:
    from keyboard import text
    from keyboard.ngram import Ngram

    model, codes = Ngram(), text.codes("the cat sat on the mat, the cat ran.")
    model.add(codes)
    for before in (b"", b"\x54", codes[:7].tobytes(), bytes(3)):
        found = [model.probability(before, c) for c in range(96)]
        assert math.isclose(sum(found), 1)
        assert found[model.likeliest(before)] == max(found)
    before = model.bits(text.codes("the dog"))
    model.add(text.codes("the dog"), 10)
    assert model.bits(text.codes("the dog")) < before


def test_float_and_integers_start_and_go_the_same_way() -> None:
    from keyboard import text
    from keyboard.floats import Floats
    from keyboard.rehearsal import Integers, practise

    typed, test = text.persona("perl")
    sides = Integers.pretrained(), Floats()
    before = [side.bits(test[:2000]) for side in sides]
    assert before[0] == pytest.approx(before[1], abs=0.02)
    for side in sides:
        steps = practise(side, typed[:500], (), lambda n: None)
        assert steps == 7 * (500 - 8)
    after = [side.bits(test[:2000]) for side in sides]
    assert after[0] == pytest.approx(after[1], abs=0.05)
    assert after[0] < before[0] - 0.2


def test_bits_are_those_of_the_losses_and_change_nothing() -> None:
    from keyboard import text
    from keyboard.rehearsal import Integers

    model, test = Integers.pretrained(), text.persona("law")[1][:100]
    state = model.trainer.state.copy()
    model.bits(test)
    assert (model.trainer.state == state).all()
    rows, unit = text.rows(test), model.trainer.output_scale
    said = np.array([model.trainer.predict(x)[0, y] for x, y in zip(rows, test, strict=True)])
    real = (said - model.trainer.output_zero_point) * unit  # 8 bits: only about the same
    sure = real > 0.2
    with_8_bits = -np.log2(real[sure]).sum()
    exactly = sum(model.bits(test[: i + 1]) * (i + 1) - (model.bits(test[:i]) * i if i else 0)
                  for i in np.flatnonzero(sure))  # fmt: skip
    assert sure.sum() > 10
    assert exactly == pytest.approx(with_8_bits, rel=0.1)


@pytest.mark.parametrize(("right", "saved"), [(True, 0.5), (False, 0.0)])
def test_saved_keys_are_counted_by_words(right: bool, saved: float) -> None:
    from keyboard import text
    from keyboard.rehearsal import keys_saved

    words = text.codes("abcd efg hi\n")  # 12 keys; with completions: one a word, one a gap

    class Guesser:
        def likeliest(self, before: bytes) -> int:
            place = text.padded(words).tobytes().rindex(before)
            after = place + len(before)
            codes = text.padded(words)
            code = int(codes[after]) if after < len(codes) else 0
            return code if right else 95 - code

    assert keys_saved(Guesser(), words) == saved


def test_traces_finds_what_it_looks_for() -> None:
    from keyboard import text
    from keyboard.on_pico import traces

    typed = text.codes("Resistance is futile. You will be assimilated.\n")
    empty = b"\xff" * 4096
    assert traces(empty, typed) == 0
    assert traces(empty + typed.tobytes() + empty, typed) > 0
    assert traces(empty + text.characters(typed).encode() + empty, typed) > 0


def test_tables_are_written_into_the_page(tmp_path: Path) -> None:
    from keyboard.publish import BEGIN, END, publish

    side = {
        "bits": {"0": 3.0, "3000": 2.5, "20000": 2.25},
        "saved": {"0": 0.125, "3000": 0.125, "20000": 0.125},
        "general": {"0": 2.5, "3000": 2.6, "20000": 2.7},
        "by weight": {"20000": {"30": 2.375}},
    }
    found = dict.fromkeys(("network", "without general text", "float", "4-gram"), side)
    page = tmp_path / "KEYBOARD.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    publish({"perl": found, "law": found}, tmp_path)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert (
        "| perl | 20,000 | 2.250 | 2.250 | 2.375 | 2.250 | 12.5 % | 12.5 % | 2.700 | 2.700 |"
        in text
    )
    assert (tmp_path / "keyboard.svg").read_text().startswith("<?xml")


def test_page_says_what_was_measured(examples: Path) -> None:
    from keyboard.publish import table

    docs = examples.parent / "docs"
    results = json.loads((docs / "keyboard.json").read_text())
    assert table(results) in (docs / "KEYBOARD.md").read_text()
    for name in ("startrek", "perl", "knghtbrd"):
        ours, counted = results[name]["network"]["bits"], results[name]["4-gram"]
        for stop in ("3000", "20000"):
            assert ours[stop] < counted["by weight"][stop]["30"]
            assert ours[stop] < counted["bits"][stop] + 0.02
