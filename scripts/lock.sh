#!/bin/sh
# Resolve requirements.lock and requirements-dev.lock: names, versions and hashes, no
# addresses; one lock for Python 3.11 to 3.13 on Linux and macOS.
set -eu
compile() {
    uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
        --no-annotate --no-config "$@"
}
compile --extra demo -o requirements.lock
compile --extra demo --extra all --group dev -o requirements-dev.lock
