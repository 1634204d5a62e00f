-- Removes nothing: no id is empty. At maxmemory the server refuses a script whose first write may
-- need memory, and lets it go on after one that cannot; running jobs must be settled and keep their
-- leases then.
local function allow_at_maxmemory(q)
  redis.call('ZREM', q.active, '')
end
