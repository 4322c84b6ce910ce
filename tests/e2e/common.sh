# What the tests of serving share: a daemon in a folder of its own, and how to
# ask it. Sourced, with the folder of the programs as the first argument.
set -euo pipefail

build=$1
work=$(mktemp -d /tmp/predictd-e2e-XXXXXX)
pid=""
helpers=""
trap 'kill -9 $pid $helpers 2>/dev/null || true; rm -rf "$work"' EXIT

fail() {
	echo "FAILED: $*" >&2
	tail -n 20 "$work/log" >&2
	exit 1
}

# start OPTIONS...: a daemon on a free port
start() {
	rm -f "$work/port"
	"$build/predictd" --state-dir "$work/state" \
		--model-repository "$work/models" --port "${port:-0}" \
		--port-file "$work/port" "$@" >>"$work/log" 2>&1 &
	pid=$!
	for _ in $(seq 1000); do
		[ -s "$work/port" ] && break
		kill -0 "$pid" 2>/dev/null || fail "predictd ended at start"
		sleep 0.02
	done
	[ -s "$work/port" ] || fail "no port"
	port=$(cat "$work/port")
	url="http://127.0.0.1:$port"
}

stop() {
	kill -TERM "$pid"
	wait "$pid" || fail "SIGTERM: exit status $?"
}

ask() { curl -s --max-time 20 "$@"; }
# Bytes of memory that are the daemon's own: not its files'.
resident() { awk '/^RssAnon/ {print $2 * 1024}' "/proc/$pid/status"; }
# put MODEL VERSION WIDTH LAYERS SEED: appears whole, as a publication does
put() {
	mkdir -p "$work/models/$1" "$work/new"
	"$build/e2e_make_model" "$work/new/model.onnx" "$3" "$4" "$5"
	mv "$work/new" "$work/models/$1/$2"
}
# row WIDTH: a body for /predict/MODEL
row() {
	awk -v n="$1" 'BEGIN { printf "{\"inputs\":{\"x\":[["
		for (i = 0; i < n; i++) printf "%s%d", i ? "," : "", i % 7
		print "]]}}" }'
}
