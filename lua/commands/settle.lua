-- settle: ends leases: acknowledges, fails, retries, defers or gives back jobs.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   now_ms: int; 0 = the server's time
--   keep_completed: int; completed jobs that stay, once one is added
--   count: int
--   settlements, count times, as in lib/settle_batch.lua
-- DERIVED: job:ID, g:GID:wait, g:GID:inflight, g:GID:limit, g:GID:ordering, g:GID:held
-- RETURNS: [lib/settle_batch.lua]
-- EFFECT: writes; not repeatable
-- STATE: active -> completed|delayed|failed|wait;
--   completed -> (none) when more than keep_completed are kept
-- INVARIANT: a job is settled by the token of its lease or not at all
-- @include queue_keys job_key group_key now_ms require_commands group_state group_refresh
-- @include group_free_slot lane_enter delay_job lane_forget_active failure_json complete_job
-- @include fail_job give_back active_job settle_batch trim_completed wake_workers stats_refresh

local q = queue_keys(KEYS)
local denied = require_commands(q.stats, {
  'DECR', 'DEL', 'GET', 'HGET', 'HMGET', 'HSET', 'LLEN', 'LPUSH', 'LRANGE', 'LTRIM', 'MGET',
  'RPUSH', 'SET', 'ZADD', 'ZCARD', 'ZRANGE', 'ZREM', 'ZSCORE',
})
if denied then
  return denied
end
local now = now_ms(ARGV[1])
local results, ended, completed, available = settle_batch(q, ARGV, 4, tonumber(ARGV[3]), now)
if completed > 0 then
  trim_completed(q, tonumber(ARGV[2]))
end
wake_workers(q, available)
if ended > 0 then
  stats_refresh(q, now, 'last_finish_ms')
end
return results
