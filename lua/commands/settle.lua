-- settle: ends leases: acknowledges, fails, retries, defers or gives back jobs.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   now_ms: int; 0 = the server's time
--   check: '0'|'1'; 1: answer NOPERM before anything changes where the user's rights fall short
--   keep_completed: int; completed jobs that stay, once one is added
--   count: int
--   settlements, count times, as in lib/settle_batch.lua
-- DERIVED: job:ID, g:GID:wait, g:GID:inflight, g:GID:limit, g:GID:ordering, g:GID:held,
--   g:GID:rate, rate, concurrency
-- RETURNS: [lib/settle_batch.lua]
-- EFFECT: writes; not repeatable
-- STATE: active -> completed|delayed|failed|wait;
--   completed -> (none) when more than keep_completed are kept
-- INVARIANT: a job is settled by the token of its lease or not at all
-- @include queue_keys job_key now_ms require_commands allow_at_maxmemory lease_error delete_keys
-- @include index_add index_remove list_push_heads trim_completed complete_jobs settle_batch
-- @include stats_refresh wake_workers limit_key wakes_by_slots

local q = queue_keys(KEYS)
local denied = ARGV[2] ~= '0' and require_commands(q.stats, {
  'DEL', 'EXISTS', 'GET', 'HGET', 'HMGET', 'HSET', 'LLEN', 'LPUSH', 'LRANGE', 'LTRIM',
  'MGET', 'RPUSH', 'SET', 'ZADD', 'ZCARD', 'ZRANGE', 'ZREM', 'ZSCORE',
})
if denied then
  return denied
end
local now = now_ms(ARGV[1])
allow_at_maxmemory(q)
local rows, ended, available =
  settle_batch(q, ARGV, 5, tonumber(ARGV[4]), tonumber(ARGV[3]), now)
wake_workers(q, math.max(available, wakes_by_slots(q, ended)))
if ended > 0 then
  stats_refresh(q, now, 'last_finish_ms', nil)
end
return rows
