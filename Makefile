# Everything that is done in this checkout. `make` alone lists it. Needs Python 3.11 or newer with
# venv, git and make; the rest goes into .venv by itself, with hashes, from requirements-dev.lock.

PYTHON ?= python3
CACHE ?= $(or $(INITJECT_CACHE),$(HOME)/.cache/initject)
KUBERNETES := $(CACHE)/kubernetes-1.37.2
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := list
.PHONY: list run test lint fix unit cases cluster bench image docs lock

here := $(CURDIR)
bin := .venv/bin
ready := .venv/ready
keys := .local/certs
compile := $(bin)/uv pip compile --universal --python-version 3.11 --generate-hashes --upgrade \
	--no-header --no-annotate --quiet
policies := $(wildcard examples/*/policy.yaml)
namespaces := examples/namespaces.yaml $(wildcard examples/*/namespace.yaml)

list:
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /\1|/' | column -t -s'|' \
		|| grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST)

$(ready): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Python 3.11 or newer is needed: make PYTHON=python3.12 …' >&2; exit 1; }
	@echo 'Setting up .venv (once, half a minute) …' >&2
	@test -x $(bin)/pip || $(PYTHON) -m venv .venv \
		|| { echo 'the venv module is missing; on Debian: apt-get install python3-venv' >&2; exit 1; }
	@$(bin)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(bin)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(keys)/tls.crt: | $(ready)
	@$(bin)/initject certs --dir $(keys) >/dev/null

run: $(ready) $(keys)/tls.crt  ## serve on https://127.0.0.1:8443 with the example policies
	@printf '%s\n' '' 'Once the server says that it is ready, paste this into a second terminal:' '' \
		"    '$(here)/$(bin)/python' '$(here)/examples/send.py'" '' >&2
	@exec $(bin)/initject serve --host 127.0.0.1 --port 8443 --cert-dir $(keys) \
		$(addprefix --policies ,$(policies)) $(addprefix --namespaces ,$(namespaces))

test: lint  ## all that a change must pass; says at the end what this machine could not run
	@INITJECT_CACHE='$(CACHE)' $(bin)/python -m pytest

lint: $(ready)  ## style, types, direction of imports, shell scripts, Dockerfile
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@$(bin)/mypy
	@$(bin)/lint-imports
	@$(bin)/shellcheck .ci/run tests/cluster/build.sh tests/cluster/tools.sh \
		tests/cluster/recipes.sh
	@$(bin)/hadolint Dockerfile

fix: $(ready)  ## what of `lint` can be mended by a tool
	@$(bin)/ruff check --fix .
	@$(bin)/ruff format .

unit: $(ready)  ## the fast tests: no cluster, no network
	@$(bin)/python -m pytest tests/unit tests/properties

cases: $(ready)  ## the gallery; UPDATE=1 writes what comes out into expected.yaml
	@$(bin)/python -m pytest tests/test_cases.py $(if $(UPDATE),--update-cases)

cluster: $(ready)  ## the tests on a real Kubernetes; builds it once (8 minutes, needs Go)
	@tests/cluster/build.sh '$(KUBERNETES)' control_plane node
	@tests/cluster/tools.sh '$(CACHE)/tools'
	@tests/cluster/recipes.sh '$(CACHE)/recipes'
	@INITJECT_CACHE='$(CACHE)' $(bin)/python -m pytest tests/cluster

bench: $(ready)  ## what a review costs, as ratios; CLUSTER=1: what a pod costs on a real API server
	@$(bin)/python -m bench$(if $(CLUSTER),.cluster)

image: $(ready)  ## build the image with podman, as localhost/initject
	@podman build --tag localhost/initject $(IMAGE_FLAGS) .

docs: $(ready)  ## is everything documented, and does what the documents show work
	@$(bin)/python -m pytest tests/house

lock: $(ready)  ## write the locks again, from packages that are at least a week old
	@$(compile) --group build --output-file requirements-build.lock
	@$(compile) pyproject.toml --output-file requirements.lock
	@$(compile) pyproject.toml --group dev --constraint requirements.lock \
		--constraint requirements-build.lock --output-file requirements-dev.lock
	@$(compile) tests/cluster/python/requirements.in \
		--output-file tests/cluster/python/requirements.lock
