#!/usr/bin/env bash
# Runs the interop tests against mosquitto in place of this project's broker: what fails here as well is a mistake of
# the tests (or of mosquitto), not of the broker. Transports other than TCP are left out. Arguments go to the tests: `tests/interop/self_check.sh paho::v5`.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
PATH=$PATH:/usr/sbin
folder=$(mktemp -d)
plugin=$(dpkg -L mosquitto | grep mosquitto_dynamic_security.so)

# mosquitto cannot say which port it got, so a free one is looked for first.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -e "s|@PORT@|$port|" -e "s|@FOLDER@|$folder|" -e "s|@PLUGIN@|$plugin|" \
    "$here/mosquitto.conf.in" >"$folder/mosquitto.conf"
cp "$here/mosquitto-security.json" "$folder/security.json"
# mosquitto drops to a user of its own, who must be able to read this.
chmod -R a+rwX "$folder"
mosquitto -c "$folder/mosquitto.conf" &
broker=$!
trap 'kill "$broker"; wait "$broker" || true; rm -rf "$folder"' EXIT
for _ in {1..100}; do
    if mosquitto_sub -h 127.0.0.1 -p "$port" -t ready -E -W 10 2>/dev/null; then break; fi
    kill -0 "$broker"
    sleep 0.1
done

cd "$root"
export INTEROP_REFUSED_FILTER=interop-refused/a SANDERLING_INTEROP_ADDRESS=127.0.0.1:$port
cargo test --package sanderling-tests --features interop --test interop -- --skip transports "$@"
