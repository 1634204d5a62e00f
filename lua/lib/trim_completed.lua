-- Drops the `excess` oldest completed jobs with their hashes. At most 1,000 go in one call, so that
-- a lowered setting cannot block the server.
local function trim_completed(q, excess)
  if excess <= 0 then
    return
  end
  excess = math.min(excess, 1000)
  local ids = redis.call('LRANGE', q.completed, -excess, -1)
  redis.call('LTRIM', q.completed, 0, -excess - 1)
  redis.call('ZREM', q.idx_completed, unpack(ids))
  local keys = {}
  for i = 1, #ids do
    local key = job_key(q, ids[i])
    -- An id that was published again after an overwrite by a foreign client is not ours to drop.
    if redis.call('HGET', key, 'state') == 'completed' then
      keys[#keys + 1] = key
    end
  end
  delete_keys(keys)
end
