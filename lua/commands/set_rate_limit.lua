-- set_rate_limit: changes how many jobs of a queue, or of one of its groups, may start per second.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   now_ms: int; 0 = the server's time
--   check: '0'|'1'; 1: answer NOPERM before anything changes where the user's rights fall short
--   gid: text; '' = the whole queue
--   per_s: number; 0 = no limit
--   burst: int; jobs that may start at once, at least 1, after a time in which none did
-- DERIVED: rate, g:GID:wait, g:GID:inflight, g:GID:limit, g:GID:ordering, g:GID:held, g:GID:rate
-- RETURNS: 'OK'
-- EFFECT: writes; repeatable
-- STATE: (none)
-- INVARIANT: a limit that is changed gives no tokens, but for those that had gathered
-- @include queue_keys group_key now_ms require_commands limit_key read_bucket stats_refresh
-- @include index_add groups_enter group_place group_state group_refresh unthrottle_group
-- @include wake_workers write_bucket

local q = queue_keys(KEYS)
local denied = ARGV[2] ~= '0' and require_commands(q.stats, {
  'DEL', 'GET', 'HSET', 'LLEN', 'LPUSH', 'MGET', 'SET', 'ZADD', 'ZCARD', 'ZRANGE', 'ZREM',
  'ZSCORE',
})
if denied then
  return denied
end
local now, gid = now_ms(ARGV[1]), ARGV[3]
local per_s, burst = tonumber(ARGV[4]), tonumber(ARGV[5])
local key = gid == '' and limit_key(q, 'rate') or group_key(q, gid, 'rate')
if per_s <= 0 then
  redis.call('DEL', key)
else
  local before = read_bucket(redis.call('GET', key), now)
  local tokens = before and math.min(before.tokens, burst) or burst
  write_bucket(key, { per_s = per_s, burst = burst, tokens = tokens, since = now }, now)
end
if gid == '' then
  wake_workers(q, redis.call('LLEN', q.wait) + redis.call('ZCARD', q.groups_ready))
else
  wake_workers(q, unthrottle_group(q, gid, now))
  stats_refresh(q, now, nil, nil)
end
return 'OK'
