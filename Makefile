# make demo   prune real data, train on what is left, draw a figure (in demo-output/)
# make test   run the tests
# make lint   check style;  make types   check types
#
# Each makes a virtual environment in .venv first, with everything it needs. To use an environment
# that has torch already:   make demo PYTHON=/path/to/its/python

.PHONY: demo test lint types clean own-demo own-dev

TORCH ?= torch==2.13.0# what a new .venv gets; any from 2.6 on works
DEMO_FLAGS ?=

ifeq ($(origin PYTHON),undefined)
PYTHON := .venv/bin/python
READY_DEMO := .venv/demo.ready
READY_DEV := .venv/dev.ready
else
READY_DEMO := own-demo
READY_DEV := own-dev
endif

demo: $(READY_DEMO)
	$(PYTHON) -m d2pyg.demo $(DEMO_FLAGS)

test: $(READY_DEV)
	$(PYTHON) -m pytest

lint: $(READY_DEV)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types: $(READY_DEV)
	$(PYTHON) -m mypy

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis demo-output

.venv/%.ready: pyproject.toml
	test -x .venv/bin/python || python3 -m venv .venv
	.venv/bin/python -c 'import torch' 2>/dev/null || .venv/bin/python -m pip install -q '$(TORCH)'
	.venv/bin/python -m pip install -q -e '.[$*]'
	touch $@

own-demo:
	$(PYTHON) -c 'import d2pyg, matplotlib, sklearn' || $(PYTHON) -m pip install -q -e '.[demo]'

own-dev:
	$(PYTHON) -c 'import d2pyg, faiss, hypothesis, mypy, pyarrow, pytest, ruff, safetensors, sklearn' \
		|| $(PYTHON) -m pip install -q -e '.[dev]'
