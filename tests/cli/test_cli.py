"""The command line as a user meets it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from support.commands import tinytrain
from tinytrain.build import open_build
from tinytrain.sim.trainer import Trainer

MODEL = Path(__file__).parents[2] / "examples" / "digits" / "fashion.tflite"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "build"
    result = tinytrain("build", MODEL, "--board", "rpi_pico", "--update", "last:2", "-o", folder)
    assert result.returncode == 0, result.stderr
    return folder


def test_help_teaches_every_command():
    text = tinytrain("--help").stdout
    names = "inspect build sim deploy verify bench pull push repl"
    assert all(word in text for word in names.split())
    text = tinytrain("sim", "--help").stdout
    assert all(word in text for word in ("x_train", "--momentum", "--batch 8", "accumulate()"))
    text = tinytrain("build", "--help").stdout
    assert all(word in text for word in ("last:N", "bias:N", "--ram", "rpi_pico"))


def test_inspect_shows_every_op():
    result = tinytrain("inspect", MODEL)
    assert result.returncode == 0
    for word in ("depthwise", "dense_1", "softmax", "28x28", "add_1"):
        assert word in result.stdout


def test_build_writes_what_it_promises(folder):
    names = {p.name for p in folder.iterdir()}
    promised = "tinytrain.mpy model.ttw tinytrain.pyi main.py selftest.json"
    reports = {"report.json", "report.txt", "report.html"}
    assert names == {*promised.split(), *reports, "source"}
    report = json.loads((folder / "report.json").read_text())
    keys = "arena_bytes lower_bound_bytes state_bytes weights_bytes module_bytes macs_forward"
    assert {*keys.split(), "macs_backward", "fits"} <= set(report)
    assert report["fits"] is True
    assert report["lower_bound_bytes"] <= report["arena_bytes"]
    assert report["weights_bytes"] == (folder / "model.ttw").stat().st_size
    assert report["macs_forward"] == 141_800
    compile((folder / "tinytrain.pyi").read_text(), "tinytrain.pyi", "exec")
    compile((folder / "main.py").read_text(), "main.py", "exec")


def test_building_twice_gives_the_same_files(folder, tmp_path):
    again = tmp_path / "again"
    tinytrain("build", MODEL, "--board", "rpi_pico", "--update", "last:2", "-o", again)
    for path in folder.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(folder)).read_bytes(), path.name


@pytest.mark.parametrize("words", [("-o", "out/"), ("-o", "deeper/out"), ()])
def test_relative_folders(words, tmp_path):
    result = tinytrain("build", MODEL, "--board", "unix", *words, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    place = tmp_path / (words[1] if words else "build")
    assert (place / "tinytrain.mpy").exists()
    assert f"Written to {words[1].rstrip('/') if words else 'build'}: " in result.stdout
    np.savez(tmp_path / "d.npz", x=np.zeros((2, 28, 28, 1), np.float32), y=np.arange(2))
    result = tinytrain(
        "sim", place.name if not words else words[1], "--data", "d.npz", cwd=tmp_path,
        TINYTRAIN_CACHE="cache",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


def test_an_edited_main_is_kept(tmp_path):
    words = ("build", MODEL, "--board", "unix", "-o", tmp_path)
    tinytrain(*words, "--update", "bias:1")
    result = tinytrain(*words, "--update", "none")
    assert "Kept" not in result.stdout
    assert "trainer.step" not in (tmp_path / "main.py").read_text()  # nobody had touched it
    for _ in range(2):
        (tmp_path / "main.py").write_text("mine\n")
        result = tinytrain(*words, "--update", "bias:1")
        assert "Kept main.py" in result.stdout, result.stderr
        assert (tmp_path / "main.py").read_text() == "mine\n"


@pytest.mark.parametrize("name", ["model.ttw", "source/model.c", "source"])
def test_what_is_in_the_way_leaves_everything_as_it_was(name, tmp_path):
    place = tmp_path / "out" / name
    place.parent.mkdir(parents=True)
    if name == "source":
        place.write_text("a file")
    else:
        place.mkdir()
    before = sorted(tmp_path.rglob("*"))
    words = ("build", MODEL, "--board", "unix", "--update", "bias:1", "-o")
    result = tinytrain(*words, tmp_path / "out")
    assert result.returncode == 2
    assert str(place) in result.stderr
    assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "file").write_text("")
    assert "is a file" in tinytrain(*words, tmp_path / "file" / "deeper").stderr


def test_hostile_file_names(tmp_path):
    model = tmp_path / 'a"""\\N{x}%s.tflite'
    shutil.copyfile(MODEL, model)
    out = tmp_path / "out"
    result = tinytrain("build", model, "--board", "unix", "--update", "bias:1", "-o", out)
    assert result.returncode == 0, result.stderr
    for name in ("tinytrain.pyi", "main.py"):
        compile((out / name).read_text(), name, "exec")
    assert 'TT_MODEL_NAME "a____N_x__s"' in (out / "source" / "model.h").read_text()


def shades() -> tuple[np.ndarray, np.ndarray]:
    """60 noisy images of three shades of grey."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = np.clip(rng.normal(0.5, 0.1, (60, 28, 28, 1)) + (y / 4 - 0.25)[:, None, None, None], 0, 1)
    return x.astype(np.float32), y


def test_sim_fine_tunes_and_evaluates(folder, tmp_path):
    x, y = shades()
    np.savez(tmp_path / "data.npz", x=x, y=y)
    result = tinytrain("sim", folder, "--data", tmp_path / "data.npz", "--epochs", 3, "--lr", 0.05)
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if line.startswith("epoch")]
    losses = [float(line.split("mean loss ")[1].split(",")[0]) for line in lines]
    assert len(losses) == 3
    assert losses[-1] < losses[0]


def test_sim_takes_momentum_decay_and_batches(tmp_path):
    x, y = shades()
    np.savez(tmp_path / "data.npz", x=x, y=y)
    folder = tmp_path / "build"
    options = ("--momentum", "--weight-decay", "--batch", "--master", 12)
    built = tinytrain(
        "build", MODEL, "--board", "unix", "--update", "last:1", *options, "-o", folder
    )
    assert built.returncode == 0, built.stderr
    words = ("--lr", 0.05, "--momentum", 0.5, "--weight-decay", 0.01, "--batch", 8, "--epochs", 2)
    result = tinytrain("sim", folder, "--data", tmp_path / "data.npz", *words)
    assert result.returncode == 0, result.stderr
    said = [line for line in result.stdout.splitlines() if line.startswith("epoch")]

    trainer = Trainer(open_build(folder))
    trainer.lr, trainer.momentum, trainer.weight_decay = 0.05, 0.5, 0.01
    samples = trainer.quantize(x)
    for line in said:
        losses = []
        for first in range(0, 60, 8):  # the last batch has 4
            pairs = zip(samples[first : first + 8], y[first : first + 8], strict=True)
            losses += [trainer.accumulate(a, int(b)) for a, b in pairs]
            trainer.apply()
        assert f"mean loss {np.mean(losses):.4f}" in line
    assert len(said) == 2


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--momentum", 0.9), "--momentum"),
        (("--weight-decay", 0.1), "--weight-decay"),
        (("--batch", 4), "--batch"),
    ],
)
def test_sim_says_what_the_build_lacks(folder, tmp_path, words, option):
    x, y = shades()
    np.savez(tmp_path / "data.npz", x=x, y=y)
    result = tinytrain("sim", folder, "--data", tmp_path / "data.npz", *words)
    assert result.returncode == 2
    assert f"not in this build; build with {option}" in result.stderr
    assert not result.stdout and "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("inspect", "nowhere.tflite"), "nowhere.tflite"),
        (("inspect", __file__), "test_cli.py"),
        (("build", MODEL, "--board", "toaster"), "rpi_pico"),
        (("build", MODEL, "--board", "unix", "--update", "last:99"), "10 layers"),
        (("build", MODEL, "--board", "unix", "--update", "some"), "last:N"),
        (("build", MODEL, "--board", "unix", "--update", "last:²"), "last:N"),
        (("build", MODEL, "--board", "unix", "--ram", "inf"), "no size"),
        (("build", MODEL, "--board", "unix", "--ram=-1"), "no size"),
        (("build", MODEL, "--board", "unix", "--ram", "2K"), "allowed by --ram"),
        (("sim", "nowhere", "--data", "x.npz"), "tinytrain build"),
        (("deploy", "nowhere"), "tinytrain build"),
        (("verify", "nowhere"), "tinytrain build"),
        (("bench", "nowhere"), "tinytrain build"),
        (("pull", "nowhere"), "tinytrain build"),
        (("push", "nowhere"), "tinytrain build"),
        (("repl", "--port", "socket://localhost:1"), "takes a serial port"),
    ],
)
def test_errors_are_explained_without_a_traceback(words, expected, tmp_path):
    if words[0] == "build":
        words = (*words, "-o", tmp_path / "out")
    result = tinytrain(*words)
    assert result.returncode == 2
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_unreadable_data_is_explained(folder, tmp_path):
    x = np.zeros((4, 28, 28, 1), np.float32)
    np.save(tmp_path / "single.npy", x)
    np.savez(tmp_path / "good.npz", x=x, y=np.arange(4))
    (tmp_path / "half.npz").write_bytes((tmp_path / "good.npz").read_bytes()[:999])
    (tmp_path / "empty.npz").write_bytes(b"")
    np.savez(tmp_path / "label.npz", x=x, y=np.full(4, 99))
    np.savez(tmp_path / "nan.npz", x=x * np.nan, y=np.arange(4))
    for name in ("single.npy", "half.npz", "empty.npz", "label.npz", "nan.npz"):
        result = tinytrain("sim", folder, "--data", tmp_path / name)
        assert result.returncode == 2, name
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize("shape", [(4, 5), (4, 1, 784), (4, 14, 56), (4, 28, 28, 2)])
def test_bad_data_is_explained(folder, tmp_path, shape):
    np.savez(tmp_path / "bad.npz", x=np.zeros(shape, np.float32), y=np.zeros(4, int))
    result = tinytrain("sim", folder, "--data", tmp_path / "bad.npz")
    assert result.returncode == 2
    assert f"samples of shape {shape[1:]}, the model takes (28, 28, 1)" in result.stderr
