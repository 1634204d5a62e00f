-- read_stats: the counters of a queue.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV: (none)
-- DERIVED: (none)
-- RETURNS: lib/read_counters.lua
-- EFFECT: reads only
-- STATE: (none)
-- INVARIANT: (none)
-- @include queue_keys read_counters

return read_counters(queue_keys(KEYS))
