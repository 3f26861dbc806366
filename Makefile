# tinytrain: 'make help' lists the targets. Each does the set-up it needs; what is there already is not done again.
# What is downloaded and built goes to $TINYTRAIN_CACHE (default ~/.cache/tinytrain) and .venv.

VENV   := .venv
PY     := $(VENV)/bin/python
BED    := PY=$(abspath $(PY)) tests/bed/bed.sh
TARGET ?= pico
# extra words for pytest, e.g. make test ARGS='-k planner -x'
ARGS   ?=

C_SOURCES  = $(wildcard c_kernels/*/*.[ch] c_kernels/*.[ch] mpy_module/*.[ch])
SH_SOURCES = .ci/run tools/apt-install.sh tests/bed/bed.sh $(wildcard tests/bed/lib/*.sh tests/bed/xtensa/compiler/*.sh)
# two processes: the emulators are single-threaded, and more would not fit a small machine's memory
PYTEST     = $(PY) -m pytest -n 2 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-camera camera demo-keyboard keyboard mcunet accuracy schemes test check gradients memory bench size stack cycles lint types format serve dist clean

## Show this help
help:
	@awk '/^## / { text = substr($$0, 4); next } \
	     /^[a-z-]+:/ && text { split($$0, t, ":"); printf "  make %-13s %s\n", t[1], text } \
	     { text = "" }' $(MAKEFILE_LIST)

## Install and build what everything needs: Debian packages, .venv, MicroPython, emulated boards
setup: $(VENV)/installed
	@tools/apt-install.sh dataset-fashion-mnist chromium fortunes fortunes-min miscfiles
	@$(BED) setup
	@$(MAKE) --no-print-directory $(VENV)/compiled

## Fine-tune a quantized CNN on an emulated Raspberry Pi Pico, and compare with the simulator
demo: setup
	@$(PY) examples/digits/demo.py

## A camera on an emulated Pico learns to recognise people, then things (ARGS='--shots 20')
demo-camera: $(VENV)/installed
	@tools/apt-install.sh dataset-fashion-mnist
	@$(BED) setup pico
	@$(PY) examples/camera/on_pico.py $(ARGS)

## Measure what the camera learns, by shots and by time; writes docs/CAMERA.md (ARGS='--seeds 10')
camera: $(VENV)/installed
	@tools/apt-install.sh dataset-fashion-mnist
	@$(BED) setup pico
	@$(PY) examples/camera/run.py $(ARGS)

## A keyboard on an emulated Pico learns what is typed (ARGS='--persona perl --characters 200')
demo-keyboard: $(VENV)/installed
	@tools/apt-install.sh fortunes fortunes-min miscfiles
	@$(BED) setup pico
	@$(PY) examples/keyboard/on_pico.py $(ARGS)

## What the keyboard learns from four people, against 4-grams and float32 (ARGS='--persona perl')
keyboard: $(VENV)/installed
	@tools/apt-install.sh fortunes fortunes-min miscfiles
	@$(PY) examples/keyboard/results.py $(ARGS)

## Train MCUNet with a sparse update on an emulated Pico, weights in flash (ARGS='--update FILE')
mcunet: $(VENV)/installed
	@$(BED) setup pico
	@$(PY) examples/mcunet/on_pico.py $(ARGS)

## Compare training in integers with training in float on real data (ARGS='--task faces10')
accuracy: $(VENV)/installed
	@tools/apt-install.sh dataset-fashion-mnist espeak-ng
	@$(PY) examples/accuracy/run.py $(ARGS)

## Compare searched update schemes with last:N and bias:N at equal memory (ARGS='--task keywords')
schemes: $(VENV)/installed
	@tools/apt-install.sh dataset-fashion-mnist espeak-ng
	@$(PY) examples/schemes/run.py $(ARGS)

## Run the tests, without the long ones (ARGS='-k name' goes to pytest)
test: setup
	@$(PYTEST) -m "not slow" $(ARGS)

## Everything that must pass before a commit: lint, types and all tests
check: setup lint types
	@$(PYTEST) $(ARGS)

## Compare every parameter's gradient with float64 autograd, int16 and int8 (ARGS=--json FILE)
gradients: $(VENV)/installed
	@$(PY) tests/gradient_table.py $(ARGS)

## Plan every model with every scheme: bytes against targets and lower bounds (docs/MEMORY.md)
memory: $(VENV)/installed
	@$(PY) tests/memory_table.py $(ARGS)

## Count what kernels and whole models cost on emulated boards (ARGS='shapes --only W1'; --keep)
bench: setup
	@PYTHONPATH=tests/bed:tests $(PY) -m bench $(ARGS)

## Bytes of modules by part, for each target, beside the last ones (ARGS='--only mcunet --keep')
size: $(VENV)/installed
	@$(BED) setup pico
	@PYTHONPATH=tests/bed:tests $(PY) -m bench.sizes $(ARGS)

## Deepest stack of modules' own code, for each target, beside the last figures
stack: $(VENV)/installed
	@$(BED) setup pico
	@PYTHONPATH=tests/bed:tests $(PY) -m bench.sizes --stack $(ARGS)

## Measure every kernel on the emulated Pico, for the cycles that reports estimate (ARGS=--dry-run)
cycles: $(VENV)/installed
	@$(BED) setup pico
	@$(PY) tests/kernel_cycles.py $(ARGS)

## Check style: ruff, clang-format, shell syntax
lint: $(VENV)/installed
	$(PY) -m ruff check --quiet .
	$(PY) -m ruff format --quiet --check .
	$(if $(C_SOURCES),$(VENV)/bin/clang-format --dry-run -Werror $(C_SOURCES))
	@for file in $(SH_SOURCES); do bash -n $$file || exit 1; done

## Check types: mypy, strict
types: $(VENV)/installed
	$(PY) -m mypy

## Bring Python and C sources into shape
format: $(VENV)/installed
	$(PY) -m ruff check --quiet --fix .
	$(PY) -m ruff format --quiet .
	$(if $(C_SOURCES),$(VENV)/bin/clang-format -i $(C_SOURCES))

## Serve an emulated board to mpremote until Ctrl-C (TARGET=pico, m0, esp32 ..., see tests/bed)
serve: $(VENV)/installed
	@$(BED) setup $(TARGET)
	@$(BED) serve $(TARGET)

## Build the demo module for every target, for mpremote mip install: dist/<target>/package.json
dist: setup
	@$(PY) tools/dist.py dist

## Remove what was made in the tree: .venv and tool caches (the cache outside the tree stays)
clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/installed: requirements.txt pyproject.toml hatch_build.py
	@tools/apt-install.sh gcc libc6-dev make python3 python3-dev python3-venv
	@echo "installing Python packages in $(VENV)"
	@test -x $(PY) || python3 -m venv $(VENV)
	@$(PY) -m pip install --disable-pip-version-check --progress-bar off -q -r requirements.txt
	@$(PY) -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	@touch $@

# The kernels of every target, so that the first build of a model finds them; for compilers of the test bed.
$(VENV)/compiled: $(VENV)/installed
	@echo "compiling the kernels for every target"
	@$(PY) tools/dist.py $(VENV)/dist >/dev/null
	@touch $@
