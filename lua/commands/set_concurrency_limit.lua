-- set_concurrency_limit: changes how many jobs of a queue may be leased at once.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   limit: int; 0 = no limit
--   check: '0'|'1'; 1: answer NOPERM before anything changes where the user's rights fall short
-- DERIVED: concurrency
-- RETURNS: 'OK'
-- EFFECT: writes; repeatable
-- STATE: (none)
-- INVARIANT: a lowered limit stops no running job; the queue waits until it has a free slot
-- @include queue_keys require_commands limit_key wake_workers

local q = queue_keys(KEYS)
local denied = ARGV[2] ~= '0' and require_commands(q.stats, {
  'DEL', 'LLEN', 'LPUSH', 'SET', 'ZCARD',
})
if denied then
  return denied
end
if tonumber(ARGV[1]) <= 0 then
  redis.call('DEL', limit_key(q, 'concurrency'))
else
  redis.call('SET', limit_key(q, 'concurrency'), ARGV[1])
end
wake_workers(q, redis.call('LLEN', q.wait) + redis.call('ZCARD', q.groups_ready))
return 'OK'
