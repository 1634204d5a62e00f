-- heartbeat: renews leases, each to now + the job's timeout.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   now_ms: int; 0 = the server's time
--   check: '0'|'1'; 1: answer NOPERM before anything changes where the user's rights fall short
--   count: int
--   leases, count times:
--     id: text
--     token: text
-- DERIVED: job:ID
-- RETURNS: [{id, 'OK', lock_until_ms} | {id, 'ERR', code}]
--   id: text; one entry per lease, in the order of the arguments
--   lock_until_ms: int
--   code: 'TOKEN_REQUIRED'|'TOKEN_MISMATCH'|'NOT_ACTIVE'
-- EFFECT: writes; repeatable
-- STATE: active -> active
-- INVARIANT: a lease never ends later than now + timeout_ms
-- @include queue_keys job_key now_ms require_commands lease_error active_job lease_end
-- @include allow_at_maxmemory

local q = queue_keys(KEYS)
local denied = ARGV[2] ~= '0' and require_commands(q.stats, { 'HMGET', 'HSET', 'ZADD', 'ZREM' })
if denied then
  return denied
end
local now = now_ms(ARGV[1])
local results = {}
allow_at_maxmemory(q)
for i = 1, tonumber(ARGV[3]) do
  local id, token = ARGV[2 + i * 2], ARGV[3 + i * 2]
  local job, err = active_job(q, id, token)
  if err then
    results[i] = { id, 'ERR', err }
  else
    local until_ms = lease_end(now, job.timeout_ms)
    redis.call('HSET', job_key(q, id), 'lock_until_ms', until_ms, 'updated_ms', now)
    redis.call('ZADD', q.active, until_ms, id)
    results[i] = { id, 'OK', tostring(until_ms) }
  end
end
return results
