#!/usr/bin/env bash
# Installs the free emulators that `./mill bench --peers build/bench/peers` measures beside us, from
# npm, crates.io and PyPI, under the folder given (default build/bench/peers). What cannot be
# installed is left out of the table by name.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly PEERS=${1:-build/bench/peers}
mkdir -p "$PEERS"
npm install --silent --no-fund --no-audit --prefix "$PEERS" kinesis-local@0.6.2 kinesalite@3.3.3 ||
  echo "peers: no kinesis-mock and kinesalite (npm)" >&2
python3 -m venv "$PEERS/moto" && "$PEERS/moto/bin/pip" install -q --disable-pip-version-check 'moto[server]==5.2.5' ||
  echo "peers: no moto (PyPI)" >&2
cargo install --quiet --root "$PEERS/ferro" ferrokinesis@0.7.0 || echo "peers: no ferrokinesis (crates.io)" >&2
echo "peers: in $PEERS (floci: not packaged where this looks; LocalStack: no free edition)"
