-- set_group_limit: changes how many jobs of a group may be leased at once.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   now_ms: int; 0 = the server's time
--   check: '0'|'1'; 1: answer NOPERM before anything changes where the user's rights fall short
--   gid: text
--   limit: int; at least 1
-- DERIVED: g:GID:wait, g:GID:inflight, g:GID:limit, g:GID:ordering, g:GID:held,
--   g:GID:rate
-- RETURNS: {'OK'} | {'ERR', 'STRICT_GROUP'}
-- EFFECT: writes; repeatable
-- STATE: (none)
-- INVARIANT: a lowered limit stops no running job; the group waits until it has a free slot
-- @include queue_keys group_key now_ms require_commands group_state index_add groups_enter
-- @include group_place group_refresh wake_workers stats_refresh

local q = queue_keys(KEYS)
local denied = ARGV[2] ~= '0' and require_commands(q.stats, {
  'HSET', 'LLEN', 'LPUSH', 'MGET', 'SET', 'ZADD', 'ZCARD', 'ZRANGE', 'ZREM', 'ZSCORE',
})
if denied then
  return denied
end
local now, gid = now_ms(ARGV[1]), ARGV[3]
local _, _, _, strict = group_state(q, gid)
if strict and tonumber(ARGV[4]) > 1 then
  return { 'ERR', 'STRICT_GROUP' }
end
redis.call('SET', group_key(q, gid, 'limit'), ARGV[4])
wake_workers(q, group_refresh(q, gid, now))
stats_refresh(q, now, nil, nil)
return { 'OK' }
