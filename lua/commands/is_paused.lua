-- is_paused: tells whether a queue is paused.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV: (none)
-- DERIVED: (none)
-- RETURNS: paused
--   paused: int; 1 or 0
-- EFFECT: reads only
-- STATE: (none)
-- INVARIANT: (none)
-- @include queue_keys

return redis.call('EXISTS', queue_keys(KEYS).paused)
