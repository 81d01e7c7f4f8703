#!/bin/sh
# Builds the wheel, installs it into a fresh environment and runs the command from outside the checkout.
set -eu
cd "$(dirname "$0")/.."
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
.venv/bin/python -m build -q --wheel --outdir "$place" .
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check "$place"/*.whl
cd "$place"
venv/bin/wirelaw --help >/dev/null
venv/bin/wirelaw generate --check
venv/bin/wirelaw draw tcp -o tcp.dot
test -s tcp.dot
venv/bin/wirelaw ping --device memory -c 1 10.0.2.2
echo "the wheel works outside the checkout"
