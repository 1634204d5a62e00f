-- read_stats: the counters of a queue.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV: (none)
-- DERIVED: (none)
-- RETURNS: the list of lib/read_counters.lua
-- STATE: (none)
-- INVARIANT: reads only
-- @include queue_keys read_counters

return read_counters(queue_keys(KEYS))
