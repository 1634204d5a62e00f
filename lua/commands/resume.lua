-- resume: jobs of the queue are leased again.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV: (none)
-- DERIVED: (none)
-- RETURNS: resumed
--   resumed: int; 1 = the queue was paused, else 0
-- EFFECT: writes; not repeatable
-- STATE: (none)
-- INVARIANT: idle workers wake when there is something to take
-- @include queue_keys wake_workers

local q = queue_keys(KEYS)
local resumed = redis.call('DEL', q.paused)
if resumed == 1 then
  -- At least one: a worker that was idle through the pause does not know when the next job falls due.
  wake_workers(q, math.max(1, redis.call('LLEN', q.wait) + redis.call('ZCARD', q.groups_ready)))
end
return resumed
