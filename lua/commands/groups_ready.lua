-- groups_ready: the groups that could hand out a job now, next in turn first.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV: offset, limit
-- DERIVED: (none)
-- RETURNS: flat list of gid and the time it became ready
-- STATE: (none)
-- INVARIANT: reads only
-- @include queue_keys

local first = tonumber(ARGV[1])
return redis.call('ZRANGE', queue_keys(KEYS).groups_ready, first, first + tonumber(ARGV[2]) - 1, 'WITHSCORES')
