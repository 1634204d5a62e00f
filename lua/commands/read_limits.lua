-- read_limits: the limits of a queue as a whole; those of groups: group_status.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV: (none)
-- DERIVED: rate, concurrency
-- RETURNS: {concurrency, rate}
--   concurrency: int; jobs that may be leased at once, 0 = no limit
--   rate: text; per_s, burst, tokens and at_ms of docs/wire.md, '' = no limit
-- EFFECT: reads only
-- STATE: (none)
-- INVARIANT: (none)
-- @include queue_keys limit_key

local q = queue_keys(KEYS)
local v = redis.call('MGET', limit_key(q, 'concurrency'), limit_key(q, 'rate'))
return { v[1] or '0', v[2] or '' }
