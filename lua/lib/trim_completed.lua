-- Drops the `excess` oldest completed jobs, one at least, with their hashes. At most 1,000 go in
-- one call, so that a lowered setting cannot block the server.
local function trim_completed(q, excess)
  excess = math.min(excess, 1000)
  local ids = redis.call('LRANGE', q.completed, -excess, '-1')
  redis.call('LTRIM', q.completed, '0', -excess - 1)
  redis.call('ZREM', q.idx_completed, unpack(ids))
  local prefix, keys = job_key(q, ''), {}
  for i = 1, #ids do
    local key = prefix .. ids[i]
    -- An id that was published again after an overwrite by a foreign client is not ours to drop.
    if redis.call('HGET', key, 'state') == 'completed' then
      keys[#keys + 1] = key
    end
  end
  delete_keys(keys)
end
