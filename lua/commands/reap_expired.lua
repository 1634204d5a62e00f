-- reap_expired: treats active jobs whose lease has ended as failed attempts, or gives them back.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   now_ms: int; 0 = the server's time
--   check: '0'|'1'; 1: answer NOPERM before anything changes where the user's rights fall short
--   limit: int
-- DERIVED: job:ID, g:GID:wait, g:GID:inflight, g:GID:limit, g:GID:ordering, g:GID:held,
--   g:GID:rate, concurrency
-- RETURNS: reaped
--   reaped: int
-- EFFECT: writes; repeatable
-- STATE: active -> delayed|failed|wait
-- INVARIANT: the reason is on the job, the slot of its group is free, and attempts are capped
-- @include queue_keys job_key group_key now_ms require_commands delay_job failure_json index_add
-- @include groups_enter group_place group_state group_free_slots lane_forget_active fail_job
-- @include group_refresh lane_enter give_back reap_leases wake_workers stats_refresh limit_key
-- @include wakes_by_slots

local q = queue_keys(KEYS)
local denied = ARGV[2] ~= '0' and require_commands(q.stats, {
  'DEL', 'EXISTS', 'HMGET', 'HSET', 'LLEN', 'LPUSH', 'MGET', 'RPUSH', 'SET', 'ZADD',
  'ZCARD', 'ZRANGE', 'ZRANGEBYSCORE', 'ZREM', 'ZSCORE',
})
if denied then
  return denied
end
local now = now_ms(ARGV[1])
local reaped, available = reap_leases(q, now, tonumber(ARGV[3]))
wake_workers(q, math.max(available, wakes_by_slots(q, reaped)))
stats_refresh(q, now, nil, nil)
return reaped
