-- promote_delayed: moves due jobs to the tail of their lane.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   now_ms: int; 0 = the server's time
--   check: '0'|'1'; 1: answer NOPERM before anything changes where the user's rights fall short
--   limit: int
-- DERIVED: job:ID, g:GID:wait, g:GID:inflight, g:GID:limit, g:GID:ordering, g:GID:held,
--   g:GID:rate
-- RETURNS: moved
--   moved: int
-- EFFECT: writes; repeatable
-- STATE: delayed -> wait
-- INVARIANT: the failed head of a strictly ordered group returns to the group's head
-- @include queue_keys job_key group_key now_ms require_commands index_add groups_enter group_place
-- @include group_state group_refresh group_release_head lane_enter promote_due wake_workers
-- @include stats_refresh

local q = queue_keys(KEYS)
local denied = ARGV[2] ~= '0' and require_commands(q.stats, {
  'DEL', 'GET', 'HMGET', 'HSET', 'LLEN', 'LPUSH', 'MGET', 'RPUSH', 'SET', 'ZADD', 'ZCARD',
  'ZRANGE', 'ZRANGEBYSCORE', 'ZREM', 'ZSCORE',
})
if denied then
  return denied
end
local now = now_ms(ARGV[1])
local moved, available = promote_due(q, now, tonumber(ARGV[3]))
wake_workers(q, available)
stats_refresh(q, now, nil, nil)
return moved
