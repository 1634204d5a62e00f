-- New jobs enter their groups: `jobs` is flat, id, kind, id, kind, ... with the kinds of enqueue.
-- The first job of a kind brings limit and order of its group. Returns how many groups became
-- ready.
local function enter_groups(q, jobs, now)
  -- Groups of which nothing has changed since they were put into groups:ready, or were found full.
  local placed, available, some_wait = {}, 0, false
  for i = 1, #jobs, 2 do
    local kind = jobs[i + 1]
    local gid, waits = kind.gid, kind.state == 'wait'
    if not kind.is_set then
      kind.is_set, placed[gid] = true, nil
      if kind.ordering == 'strict' then
        redis.call('SET', group_key(q, gid, 'ordering'), 'strict')
        redis.call('SET', group_key(q, gid, 'limit'), '1')
      elseif tonumber(kind.limit) > 0 then
        redis.call('SET', group_key(q, gid, 'limit'), kind.limit, 'NX')
      end
    end
    if waits then
      redis.call('RPUSH', group_key(q, gid, 'wait'), jobs[i])
      some_wait = true
    end
    -- Also where the job is delayed: it may have brought another limit or order.
    if not placed[gid] then
      available = available + group_refresh(q, gid, now)
      placed[gid] = waits
    end
  end
  if some_wait then
    redis.call('SET', q.has_groups, '1')
  end
  return available
end
