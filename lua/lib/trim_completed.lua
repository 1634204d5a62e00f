-- Keeps the newest `keep` completed jobs; the hashes of the others are deleted. At most 1,000 go
-- in one call, so that a lowered setting cannot block the server.
local function trim_completed(q, keep)
  local excess = redis.call('LLEN', q.completed) - keep
  if excess <= 0 then
    return
  end
  excess = math.min(excess, 1000)
  local ids = redis.call('LRANGE', q.completed, -excess, -1)
  redis.call('LTRIM', q.completed, 0, -excess - 1)
  redis.call('ZREM', q.idx_completed, unpack(ids))
  for i = 1, #ids do
    -- An id that was published again after an overwrite by a foreign client is not ours to drop.
    if redis.call('HGET', job_key(q, ids[i]), 'state') == 'completed' then
      redis.call('DEL', job_key(q, ids[i]))
    end
  end
end
