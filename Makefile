# make demo   prunes real data, trains on the coreset, draws a figure (in demo-output/)
# make test   runs the tests;  make test-extensions   runs those that need extra packages
# make test-processors   runs the numerical tests as other processors would
# make lint   checks style;  make types   checks types;  make docs   builds the site, in docs/_build
# make packages   builds wheel and sdist, and tries each in a clean environment
# make notebooks   runs the notebooks in a small form
# make accuracy-small   trains on coresets of digits; fails if D2's are clearly worse than random ones
# make gpu    on a machine with CUDA: runs the CUDA tests and speed benchmarks, results in $D2PYG_RESULTS
#
# Each target first makes a virtual environment in .venv with everything it needs. To use an
# environment that already has torch:   make demo PYTHON=/path/to/its/python

.PHONY: demo test test-processors test-extensions accuracy-small gpu packages notebooks lint types docs clean own-demo own-dev own-docs own-notebooks

TORCH ?= torch==2.13.0# what a new .venv gets; any from 2.6 on works
DEMO_FLAGS ?=
FORCE_ONLY_CPU ?= 1# 0: torch-cluster and torch-scatter are built for CUDA too, where nvcc is

ifeq ($(origin PYTHON),undefined)
PYTHON := .venv/bin/python
READY_DEMO := .venv/demo.ready
READY_DEV := .venv/dev.ready
READY_DOCS := .venv/docs.ready
READY_NOTEBOOKS := .venv/notebooks.ready
else
READY_DEMO := own-demo
READY_DEV := own-dev
READY_DOCS := own-docs
READY_NOTEBOOKS := own-notebooks
endif

demo: $(READY_DEMO)
	$(PYTHON) -m d2pyg.demo $(DEMO_FLAGS)

# Two processes on one thread each are faster than one on two: most tests are small.
test: $(READY_DEV)
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n 2 --dist worksteal

# With other instructions, other numbers of threads, and products off by one unit in the last place.
test-processors: $(READY_DEV)
	$(PYTHON) tests/processors.py

# torch-cluster and torch-scatter come as source, and need torch at hand where they are built.
test-extensions: $(READY_DEV)
	$(PYTHON) -c 'import torch_cluster, torch_scatter' 2>/dev/null || { \
		$(PYTHON) -m pip install -q setuptools wheel && \
		DIST_EXTRA_CONFIG=$(CURDIR)/.ci/compile-two.cfg CFLAGS=-g0 FORCE_ONLY_CPU=$(FORCE_ONLY_CPU) \
		$(PYTHON) -m pip install --no-build-isolation --no-binary torch-cluster,torch-scatter \
			torch-cluster torch-scatter; }
	$(PYTHON) -c 'import pynndescent' 2>/dev/null || $(PYTHON) -m pip install -q -e '.[ann]'
	$(PYTHON) -c 'import apricot' 2>/dev/null || $(PYTHON) -m pip install -q apricot-select
	$(PYTHON) -c 'import datasets, pandas, polars' 2>/dev/null || $(PYTHON) -m pip install -q datasets pandas polars
	$(PYTHON) -c 'import lance' 2>/dev/null || $(PYTHON) -m pip install -q -e '.[lance]'
	$(PYTHON) -c 'import accelerate, transformers' 2>/dev/null || $(PYTHON) -m pip install -q accelerate transformers
	$(PYTHON) -c 'import webdataset, zstandard' 2>/dev/null || $(PYTHON) -m pip install -q webdataset zstandard
	$(PYTHON) -m pytest -m extensions

# From nothing each time, so that it shows the code as it is.
accuracy-small: export D2PYG_CACHE = accuracy-output
accuracy-small: $(READY_DEV)
	rm -rf accuracy-output
	$(PYTHON) -m benchmarks.accuracy digits --methods everything random hardest ccs d2 \
		--prune 50 70 90 --seeds 5 --out accuracy-output/digits --paired d2 random --require d2 random

# Installs nothing: what it needs is torch, torch-geometric, numba, scipy, pytest and hypothesis.
D2PYG_RESULTS ?= gpu-results
gpu: export PYTHONPATH = $(CURDIR)
gpu:
	mkdir -p $(D2PYG_RESULTS)
	$(PYTHON) -m pytest -W default -k cuda tests > $(D2PYG_RESULTS)/tests.txt \
		|| { tail -50 $(D2PYG_RESULTS)/tests.txt; exit 1; }
	$(PYTHON) benchmarks/select_speed.py --device cuda --nodes 50000 1280000 --k 10 \
		--out $(D2PYG_RESULTS)/select-cuda
	$(PYTHON) benchmarks/knn_speed.py --device cuda --repeats 1 --out $(D2PYG_RESULTS)/knn-cuda

packages: $(READY_DEV)
	$(PYTHON) tests/packages.py --torch '$(TORCH)'

lint: $(READY_DEV)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types: $(READY_DEV)
	$(PYTHON) -m mypy

notebooks: $(READY_DEV) $(READY_NOTEBOOKS)
	$(PYTHON) -m pytest tests/test_notebooks.py

docs: $(READY_DOCS)
	$(PYTHON) -m sphinx -q -W --keep-going -n docs docs/_build

clean:
	rm -rf .venv build docs/_build docs/notebooks docs/jupyter_execute dist gpu-results *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis demo-output accuracy-output

.venv/%.ready: pyproject.toml
	test -x .venv/bin/python || python3 -m venv .venv
	.venv/bin/python -c 'import torch' 2>/dev/null || .venv/bin/python -m pip install -q '$(TORCH)'
	.venv/bin/python -m pip install -q -e '.[$*]'
	touch $@

own-demo:
	$(PYTHON) -c 'import d2pyg, matplotlib, sklearn' || $(PYTHON) -m pip install -q -e '.[demo]'

own-dev:
	$(PYTHON) -c 'import build, d2pyg, faiss, hypothesis, mypy, pyarrow, pytest, ruff, safetensors, sklearn, twine, xdist' \
		|| $(PYTHON) -m pip install -q -e '.[dev]'

own-docs:
	$(PYTHON) -c 'import d2pyg, furo, myst_nb, sphinx, sphinx_copybutton, sphinxcontrib.programoutput; __import__("sphinx-mathjax-offline")' \
		|| $(PYTHON) -m pip install -q -e '.[docs]'

own-notebooks:
	$(PYTHON) -c 'import ipykernel, ipywidgets, nbclient, nbformat' || $(PYTHON) -m pip install -q -e '.[notebooks]'
