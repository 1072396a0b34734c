-- Makes Kubernetes Events that no other request, thread or run makes. Used by batch.lua and
-- single.lua, which give BENCH_RUN (a word of the run's own) through the environment.
local run = os.getenv("BENCH_RUN") or tostring(os.time())
local format, random = string.format, math.random

local number = 0
local prefix

function event_setup(id)
  prefix = id
  math.randomseed(os.time() + id * 7919)
end

local function hex8() return format("%08x", random(0, 2147483647)) end

-- Appends one event to `parts`; about 946 bytes.
function event_into(parts, n)
  number = number + 1
  local unique = format("%s-%d-%08x", run, prefix, number)
  local pod = "api-" .. hex8() .. "-x2x4z"
  parts[n + 1] = '{"kind":"Event","apiVersion":"v1","metadata":{"name":"'
  parts[n + 2] = pod
  parts[n + 3] = '.18b2c5d6e7","namespace":"payments","uid":"'
  parts[n + 4] = unique
  parts[n + 5] = '","resourceVersion":"'
  parts[n + 6] = format("%d%09d", prefix + 1, number)
  parts[n + 7] = '","creationTimestamp":"2026-03-14T09:20:00Z"},"involvedObject":{"kind":"Pod",'
    .. '"namespace":"payments","name":"'
  parts[n + 8] = pod
  parts[n + 9] = '","uid":"'
  parts[n + 10] = hex8() .. "-e28a-4e64-8b29-" .. hex8() .. "7196"
  parts[n + 11] = '","apiVersion":"v1","resourceVersion":"177159","fieldPath":"spec.containers{api}"},'
    .. '"reason":"Unhealthy","message":"Readiness probe failed: Get \\"http://10.42.3.17:8080/healthz\\":'
    .. ' context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    .. '; last state terminated, the kubelet will try again after its usual delay'
    .. ' (container '
  parts[n + 12] = hex8() .. hex8() .. hex8() .. hex8()
  parts[n + 13] = ')","source":{"component":"kubelet","host":"worker-1"},'
    .. '"firstTimestamp":"2026-03-14T09:20:00Z","lastTimestamp":"2026-03-14T09:26:53Z","count":42,'
    .. '"type":"Warning","eventTime":null,"reportingComponent":"kubelet","reportingInstance":"worker-1"}'
  return n + 13
end

-- One line for run.sh: requests, microseconds, other than 2xx, errors, p50 and p99 in microseconds.
function event_report(summary, latency)
  local e = summary.errors
  io.write(format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration, e.status,
    e.connect + e.read + e.write + e.timeout, latency:percentile(50), latency:percentile(99)))
end
