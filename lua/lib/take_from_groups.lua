-- The id at the head of the group that is next in turn, its slot taken; nil when no group is
-- ready. `budget` bounds how many stale entries one call may drop.
local function take_from_groups(q, now, budget)
  while budget.left > 0 do
    local gid = redis.call('ZRANGE', q.groups_ready, 0, 0)[1]
    if not gid then
      return nil
    end
    local inflight, limit, held = group_state(q, gid)
    redis.call('ZREM', q.groups_ready, gid)
    if not held and inflight < limit then
      local id = redis.call('LPOP', group_key(q, gid, 'wait'))
      if id then
        redis.call('ZREM', q.idx_wait, id)
        if redis.call('HGET', job_key(q, id), 'state') == 'wait' then
          redis.call('INCR', group_key(q, gid, 'inflight'))
          group_refresh(q, gid, now)
          return id
        end
        group_refresh(q, gid, now)
      end
    end
    budget.left = budget.left - 1
  end
  return nil
end
