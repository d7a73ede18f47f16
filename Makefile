# `make` lists the targets. Everything goes into .venv and build; nothing is installed elsewhere.

VENV := .venv
BIN := $(VENV)/bin/python
READY := $(VENV)/.ready
BOOK_READY := $(VENV)/.book-ready

# The first Python 3.11 with venv; `make PYTHON=/path/to/python` names another.
PYTHON ?= $(shell for python in python3.11 python3; do \
    "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, 11))' \
        2>/dev/null && echo "$$python" && break; done)

# What outsiders' Python settings could change.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP

.DEFAULT_GOAL := help
.PHONY: help figures test test-gpu gpu-check portable torture lint lab book lock clean

# Tests and notebooks run so many at a time, with one thread each.
JOBS ?= 2
RUN_TESTS = $(BIN) -m pytest -q -n $(JOBS) --dist worksteal
RUN_NOTEBOOKS = $(BIN) -m pytest -q --nbval notebooks -n $(JOBS) --dist loadfile

help:
	@echo 'make figures   run every notebook, write figures/ (first run: sets up .venv, minutes)'
	@echo '               SCALE=smoke|toy|full  ONLY="01 09"  RECOMPUTE=1'
	@echo '               STORE=1 puts the outputs into notebooks/, to be committed'
	@echo 'make test      run the tests, then every notebook against its committed outputs'
	@echo '               FAST=1 leaves out the notebooks and the slow tests'
	@echo 'make test-gpu  the tests of tensors on a CUDA device'
	@echo 'make gpu-check these and what is timed on one, in 8 minutes; STORE=1 keeps the numbers'
	@echo 'make portable  tests and notebooks under other instruction sets and threads (an hour)'
	@echo 'make torture   kills, full disks, two at once, 10,000 damaged files (ten minutes); STORE=1'
	@echo 'make lint      check the style of code and notebooks, and who imports whom'
	@echo 'make lab       open JupyterLab'
	@echo 'make book      build/book/index.html: notebooks, figures and docstrings as one site'
	@echo 'make lock      resolve requirements.lock and its like anew from pyproject.toml'
	@echo 'make clean     remove .venv, build and caches; figures and results stay'

figures: $(READY)
	@$(BIN) -m evis reproduce $(if $(SCALE),--scale $(SCALE)) $(if $(ONLY),--only $(ONLY)) \
	    $(if $(filter-out 0,$(RECOMPUTE)),--recompute) $(if $(filter-out 0,$(STORE)),--store)

ifeq "$(filter-out 0,$(FAST))" ""
test: $(READY)
	@status=0; \
	$(RUN_TESTS) || status=$$?; \
	$(RUN_NOTEBOOKS) || status=$$?; \
	exit $$status
else
test: $(READY)
	@$(RUN_TESTS) -m 'not slow'
endif

# What CUDA changes: losses, matching, models, metrics, a training step, trackers, prediction.
GPU_TESTS := tests/losses tests/criterion tests/test_matching.py tests/models tests/metrics \
    tests/training/test_devices.py tests/training/test_batches.py tests/companion/test_fit.py \
    tests/papers/eigencluster/test_loss.py tests/papers/eigencluster/test_clip_terms.py \
    tests/trackers tests/inference/test_one_video.py tests/inference/test_instances.py
test-gpu: $(READY)
	@$(BIN) -m pytest -q -m 'not slow' --device cuda $(GPU_TESTS)

# Parity with the CPU, times, launches and waits, three stages at full size: at most 8 minutes.
gpu-check: $(READY)
	@$(BIN) benchmarks/gpu_check.py --tests $(GPU_TESTS) $(if $(filter-out 0,$(STORE)),--store)

# Everything again under other instruction sets and numbers of threads: an hour on two cores.
portable: $(READY)
	@mkdir -p build/portable; status=0; \
	for threads in 1 2; do \
	    for isa in native 'ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2' \
	            'ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41'; do \
	        name="$$(echo "$$isa" | sed 's/.*ISA=//')-$$threads"; \
	        set -- OMP_NUM_THREADS=$$threads; \
	        if [ "$$isa" != native ]; then set -- "$$@" $$isa; fi; \
	        for part in tests notebooks; do \
	            if [ $$part = tests ]; then run='$(RUN_TESTS)'; else run='$(RUN_NOTEBOOKS)'; fi; \
	            env "$$@" $$run > "build/portable/$$name-$$part.log" 2>&1 || status=1; \
	            echo "$$name, $$part: $$(tail -n 1 "build/portable/$$name-$$part.log")"; \
	        done; \
	    done; \
	done; exit $$status

# Runs that are killed, or have no disk, or company; files that are damaged. Nothing may break.
torture: $(READY)
	@$(BIN) benchmarks/torture.py --jobs $(JOBS) $(if $(filter-out 0,$(STORE)),--store)

lint: $(READY)
	@$(BIN) -m ruff check .
	@$(BIN) -m ruff format --check -q evis tests benchmarks book conftest.py
	@$(BIN) -m pytest -q tests/test_imports.py

lab: $(READY)
	@$(BIN) -m jupyterlab

# The notebooks as they are committed; it opens without a server and without a network.
book: $(BOOK_READY)
	@rm -rf build/book build/book-doctrees
	@$(BIN) book/pages.py build/book-source
	@$(BIN) -m sphinx -q -j $(JOBS) -c book -d build/book-doctrees build/book-source build/book
	@echo 'Open build/book/index.html'

# The stamp is written last and holds the place it was made in. Without it, or in a checkout that
# was copied or moved with its .venv, the environment is made afresh.
ifneq "$(shell cat $(READY) 2>/dev/null)" "$(CURDIR)"
.PHONY: $(READY)
endif

$(READY): requirements.lock pyproject.toml
	@set -eu; start=$$(date +%s); \
	if [ "$$(cat $(READY) 2>/dev/null)" != "$(CURDIR)" ]; then \
	    $(call require_python); \
	    echo "Setting up $(VENV) with $$($(PYTHON) --version): 2 to 5 minutes, once."; \
	    rm -f $(READY); \
	    "$(PYTHON)" -m venv --clear $(VENV); \
	fi; \
	rm -f $(READY); \
	echo "Installing the $$(grep -c == requirements.lock) packages of requirements.lock ..."; \
	$(BIN) -m pip install -qq --requirement requirements.lock; \
	echo "Installing evis ..."; \
	$(BIN) -m pip install -qq --no-deps --no-build-isolation --editable .; \
	echo "$(CURDIR)" > $(READY).new; mv $(READY).new $(READY); \
	echo "Set up in $$(($$(date +%s) - start)) s."

$(BOOK_READY): requirements-book.lock $(READY)
	@echo "Installing the $$(grep -c == requirements-book.lock) packages of requirements-book.lock ..."
	@$(BIN) -m pip install -qq --no-deps --requirement requirements-book.lock
	@touch $(BOOK_READY)

lock:
	@set -eu; $(call require_python); \
	echo 'Resolving in a clean environment: 2 to 5 minutes.'; \
	"$(PYTHON)" -m venv --clear build/lock; \
	build/lock/bin/python -m pip install -qq torch==2.13.0 '.[all]'; \
	{ echo '# Exact versions of everything evis runs on (Python 3.11, Linux).' \
	    'Made by `make lock`; do not edit.'; \
	  build/lock/bin/python -m pip freeze --all --exclude pip --exclude evis -qq \
	    | sed 's/+[^ ]*$$//'; } > build/requirements.lock; \
	build/lock/bin/python -m pip install -qq --constraint build/requirements.lock '.[book]'; \
	{ echo '# What the site needs beside requirements.lock. Made by `make lock`; do not edit.'; \
	  build/lock/bin/python -m pip freeze --all --exclude pip --exclude evis -qq \
	    | sed 's/+[^ ]*$$//' | grep -vxFf build/requirements.lock; } > build/requirements-book.lock; \
	mv build/requirements.lock build/requirements-book.lock .; rm -rf build/lock

clean:
	rm -rf $(VENV) build .pytest_cache .ruff_cache .hypothesis evis.egg-info
	find evis tests notebooks benchmarks book -name __pycache__ -prune -exec rm -rf {} +

define require_python
"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null \
|| { echo 'evis needs Python 3.11 with its venv module, and found none as python3.11 or python3.' >&2; \
     echo 'Install it, or name it: make PYTHON=/path/to/python3.11' >&2; exit 1; }
endef
