-- A job becomes available: at the tail of `wait` or of its group's list, or at the head where
-- `at_head` (a job given back, or the failed head of a strict group). The caller writes the hash.
-- Returns how many jobs or groups a worker can newly take because of it (0 or 1).
local function lane_enter(q, id, gid, now, at_head)
  local push = at_head and 'LPUSH' or 'RPUSH'
  redis.call('ZADD', q.idx_wait, now, id)
  if gid and gid ~= '' then
    redis.call(push, group_key(q, gid, 'wait'), id)
    redis.call('SET', q.has_groups, '1')
    return group_refresh(q, gid, now)
  end
  redis.call(push, q.wait, id)
  return 1
end
