#!/usr/bin/env bash
# Builds the wheel and runs its tests in a fresh virtual environment. Needs Python 3.9 or newer with venv, and PyPI.
set -euo pipefail
cd "$(dirname "$0")"

place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "maturin>=1.8,<2"
"$place/venv/bin/maturin" build --release --locked --out "$place" --interpreter "$place/venv/bin/python"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "$(echo "$place"/micse-*.whl)[test]"
# From here, `import micse` finds the installed package, not the sources.
"$place/venv/bin/pytest" -p no:cacheprovider "$@"
