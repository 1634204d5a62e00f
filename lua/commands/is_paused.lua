-- is_paused: tells whether a queue is paused.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV: (none)
-- DERIVED: (none)
-- RETURNS: 1 or 0
-- STATE: (none)
-- INVARIANT: reads only
-- @include queue_keys

return redis.call('EXISTS', queue_keys(KEYS).paused)
