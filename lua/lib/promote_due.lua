-- Due jobs go to the tail of their lane; the failed head of a strict group goes to its head.
-- At most `limit`. Returns how many moved, and how many jobs and groups became available.
local function promote_due(q, now, limit)
  local moved, available = 0, 0
  local ids = redis.call('ZRANGEBYSCORE', q.delayed, '-inf', now, 'LIMIT', 0, limit)
  for _, id in ipairs(ids) do
    redis.call('ZREM', q.delayed, id)
    redis.call('ZREM', q.idx_delayed, id)
    local v = redis.call('HMGET', job_key(q, id), 'state', 'gid')
    if v[1] == 'delayed' then
      local at_head = v[2] and v[2] ~= '' and group_release_head(q, v[2], id)
      redis.call('HSET', job_key(q, id), 'state', 'wait', 'updated_ms', now, 'queued_ms', now)
      available = available + lane_enter(q, id, v[2], now, at_head)
      moved = moved + 1
    end
  end
  -- A group whose held head was removed or promoted by a foreign client would wait for ever.
  local held = redis.call('ZRANGEBYSCORE', q.groups_held, '-inf', now, 'LIMIT', 0, limit)
  for _, gid in ipairs(held) do
    local id = redis.call('GET', group_key(q, gid, 'held'))
    if not id or not redis.call('ZSCORE', q.delayed, id) then
      redis.call('DEL', group_key(q, gid, 'held'))
      redis.call('ZREM', q.groups_held, gid)
      available = available + group_refresh(q, gid, now)
    end
  end
  return moved, available
end
