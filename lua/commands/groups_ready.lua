-- groups_ready: the groups that could hand out a job now, next in turn first.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   offset: int
--   limit: int
-- DERIVED: (none)
-- RETURNS: [gid, ready_ms]
--   gid: text
--   ready_ms: number; when it became ready
-- EFFECT: reads only
-- STATE: (none)
-- INVARIANT: (none)
-- @include queue_keys

local first = tonumber(ARGV[1])
return redis.call('ZRANGE', queue_keys(KEYS).groups_ready, first, first + tonumber(ARGV[2]) - 1, 'WITHSCORES')
