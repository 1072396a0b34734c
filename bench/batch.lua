-- wrk script: batches of 100 events.
local kEvents = 100
dofile((os.getenv("BENCH_LUA") or "bench") .. "/event.lua")

local threads = 0
function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end

local path = os.getenv("BENCH_PATH") or "/v1/events"
local headers = { ["Content-Type"] = "application/json" }
function init() event_setup(id) end

function request()
  local parts, n = {}, 0
  if kEvents > 1 then n = 1; parts[1] = "[" end
  for i = 1, kEvents do
    if i > 1 then n = n + 1; parts[n] = "," end
    n = event_into(parts, n)
  end
  if kEvents > 1 then parts[n + 1] = "]" end
  return wrk.format("POST", path, headers, table.concat(parts))
end

function done(summary, latency) event_report(summary, latency) end
