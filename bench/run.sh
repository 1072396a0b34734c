#!/usr/bin/env bash
# Runs the benchmarks on what `./dev bench` built. See README.md in this folder.
#   run.sh [all|journal|http|ingest|file|fairness|memory|cpu|latency|decode|kafka|nats|fetch|growth [EVENTS]]
# SPOOL_BENCH_BIN   where the programs are            (build/release/bin)
# SPOOL_BENCH_DIR   a directory on the disk to test   (TMPDIR or /tmp)
# SPOOL_BENCH_SECONDS  for each load over HTTP        (8)
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-all}
bin=${SPOOL_BENCH_BIN:-build/release/bin}
base=${SPOOL_BENCH_DIR:-${TMPDIR:-/tmp}}
seconds=${SPOOL_BENCH_SECONDS:-8}
ingest=127.0.0.1:18480
admin=127.0.0.1:18481
bare=
limit=  # requests a second that the same client and server reach when nothing is made of a body
dir=
pid=

die() { printf 'bench: %s\n' "$*" >&2; exit 1; }

stop_spoold() {
  [[ -n $pid ]] || return 0
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  pid=
}
# Only what this run started and made.
clean() {
  stop_spoold
  if [[ -n $dir ]]; then rm -rf -- "$dir"; fi
}
trap clean EXIT
trap 'exit 130' INT TERM

# journal ROUNDS: prints the table and keeps the bare loop's median.
journal() {
  local out
  out=$("$bin/bench_journal" --dir "$base" --rounds "$1")
  printf '%s\n\n' "$out"
  bare=$(awk '/^median: bare/ { print $3 }' <<<"$out")
}

# stored RESULT: events with that result so far, from the metrics.
stored() {
  curl -fsS "http://$admin/metrics" |
    awk -v want="result=\"$1\"" '/^spool_ingest_events_total/ && index($0, want) { n += $NF }
      END { printf "%d\n", n }'
}

# The same requests to a path that is not there: read whole, and answered 404. Sets $limit.
measure_limit() {
  local out
  out=$(BENCH_LUA=$PWD/bench BENCH_RUN=limit-$$ BENCH_PATH=/nothing wrk -t1 -c"$2" -d3s \
    --timeout 10s -s "bench/$1.lua" "http://$ingest") || die "wrk failed: $out"
  limit=$(awk '/^RESULT / { print $2 / ($3 / 1e6) }' <<<"$out")
}

# load SCRIPT EVENTS_A_REQUEST CONNECTIONS
load() {
  local out before after repeats line
  before=$(stored stored)
  repeats=$(stored duplicate)
  # One thread: wrk shares the machine with spoold, and each thread makes its own events.
  out=$(BENCH_LUA=$PWD/bench BENCH_RUN=$1-$$ wrk -t1 -c"$3" -d"${seconds}s" --timeout 10s \
    -s "bench/$1.lua" "http://$ingest") || die "wrk failed: $out"
  after=$(stored stored)
  repeats=$(($(stored duplicate) - repeats))
  line=$(grep '^RESULT ' <<<"$out") || die "wrk said nothing: $out"
  # Events are those that spoold says it stored, not those that wrk sent.
  awk -v name="$1" -v events=$((after - before)) -v bare="$bare" -v c="$3" \
    -v limit="$limit" '{
    of_http = limit > 0 ? sprintf("%.3f", $2 / ($3 / 1e6) / limit) : "-"
    s = $3 / 1e6
    printf "%-8s %5d %10.0f %12.0f %9.2f %9.2f %8.3f %8s\n", name, c, events / s, $2 / s,
      $6 / 1e3, $7 / 1e3, events / s / bare, of_http
  }' <<<"$line"
  read -r _ _ _ bad errors _ <<<"$line"
  ((bad == 0 && errors == 0)) || printf '  %d answers other than 2xx, %d errors\n' "$bad" "$errors"
  ((repeats == 0)) || printf '  %d repeats: the generator is wrong\n' "$repeats"
  ((after > before)) || die "nothing was stored"
}

# serve NAME TARGETS: starts spoold in $dir with those targets, a YAML mapping on one line.
serve() {
  [[ -x $bin/spoold ]] || die "no $bin/spoold"
  dir=$(mktemp -d "$base/spool-bench-$1-XXXXXX")
  cat >"$dir/spool.yaml" <<END
version: 1
data_dir: $dir/data
log: { level: warn }
journal: { disk_reserve: 64MiB }
admin: { address: "$admin" }
sources:
  web: { type: http, address: "$ingest" }
targets: $2
END
  "$bin/spoold" --config "$dir/spool.yaml" >"$dir/out" 2>&1 &
  pid=$!
  local deadline=$((SECONDS + 30))
  until curl -fsS -o /dev/null --max-time 2 "http://$ingest/ready" 2>/dev/null; do
    if ! kill -0 "$pid" 2>/dev/null || ((SECONDS >= deadline)); then
      cat "$dir/out" >&2
      die "spoold does not get ready"
    fi
    sleep 0.1
  done
  kill -0 "$pid" 2>/dev/null || die "another process has $ingest"
}
end_serve() {
  stop_spoold
  rm -rf -- "$dir"
  dir=
}
head_of_loads() {
  printf '%-8s %5s %10s %12s %9s %9s %8s %8s\n' "$1" conns events/s requests/s 'p50 ms' 'p99 ms' \
    'of bare' 'of http'
}

http() {
  command -v wrk >/dev/null || die "needs wrk"
  [[ -n $bare ]] || journal 3
  serve http '{ nothing: { type: "null" } }'
  head_of_loads http
  measure_limit batch 16
  load batch 100 16
  measure_limit single 64
  load single 1 64
  limit=
  end_serve
  printf '\n'
}

# The most memory the process ever had, with ten targets that write what they get.
memory() {
  command -v wrk >/dev/null || die "needs wrk"
  [[ -n $bare ]] || journal 3
  local targets='' i
  for i in 0 1 2 3 4 5 6 7; do targets+="n$i: { type: \"null\" }, "; done
  for i in 0 1; do targets+="f$i: { type: file, path: \"/dev/shm/spool-bench-$$-$i\" }, "; done
  serve memory "{ ${targets%, } }"
  head_of_loads memory
  load batch 100 16
  load single 1 64
  awk '/^VmHWM/ { printf "memory: at most %.0f MiB resident with ten targets, 192 MiB is the budget\n\n", $2 / 1024 }' \
    "/proc/$pid/status"
  end_serve
  rm -f "/dev/shm/spool-bench-$$-0" "/dev/shm/spool-bench-$$-1"
}

# Where the processor's time goes, by the folder of the code that was running.
cpu() {
  command -v perf >/dev/null || die "needs perf (Debian's linux-perf)"
  [[ -n $bare ]] || journal 3
  serve cpu '{ nothing: { type: "null" } }'
  head_of_loads cpu
  local before after kind per
  for kind in batch single; do
    before=$(stored stored)
    per=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
    perf record -q -e cpu-clock -F 499 -p "$pid" -o "$dir/perf" >/dev/null 2>&1 &
    local recorder=$!
    if [[ $kind == batch ]]; then load batch 100 16; else load single 1 64; fi
    kill -INT "$recorder" && wait "$recorder" || true
    per=$(($(awk '{ print $14 + $15 }' "/proc/$pid/stat") - per))
    after=$(stored stored)
    python3 bench/cpu.py "$dir/perf" "$bin/spoold" "$per" $((after - before)) ||
      echo '  no profile: this machine does not let perf sample'
  done
  end_serve
}

decode() {
  if [[ -x $bin/bench_decode ]]; then "$bin/bench_decode" --benchmark_min_time=1; fi
}

kafka() {
  [[ -x $bin/bench_kafka ]] || die "no $bin/bench_kafka"
  "$bin/bench_kafka"
}

nats() { "$bin/bench_nats"; printf '\n'; }
ingest() { "$bin/bench_ingest" --dir "$base"; printf '\n'; }
file() { "$bin/bench_file" --dir "$base"; printf '\n'; }
fetch() { "$bin/bench_fetch" --dir "$base"; printf '\n'; }
fairness() { "$bin/bench_fairness" --dir "$base"; printf '\n'; }
latency() { "$bin/bench_latency" --dir "$base"; printf '\n'; }
growth() { "$bin/bench_growth" --dir "$base" --events "${1:-50000000}"; printf '\n'; }

case $what in
  all) journal 3; http; ingest; file; fairness; memory; cpu; latency; decode; kafka; nats; fetch; growth ;;
  journal) journal 3 ;;
  http) http ;;
  ingest) ingest ;;
  file) file ;;
  fairness) fairness ;;
  decode) decode ;;
  memory) memory ;;
  cpu) cpu ;;
  latency) latency ;;
  kafka) kafka ;;
  nats) nats ;;
  fetch) fetch ;;
  growth) growth "${2:-}" ;;
  *) die "no benchmark '$what'; see the first lines of bench/run.sh" ;;
esac
