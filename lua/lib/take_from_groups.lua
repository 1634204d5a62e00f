-- The job at the head of the group that is next in turn, its slot and its token taken, as id, key
-- and fields; nil when no group is ready. Of each group the state is read once; what is taken is
-- written at the end, by `groups_taken`. `taking.budget` bounds how many stale entries one call may
-- drop.
local function take_from_groups(q, taking, now)
  while taking.budget > 0 do
    local gid = next_group(q, taking, now)
    if not gid then
      return nil
    end
    local group = taking.groups[gid]
    local bucket = group.bucket
    if bucket and whole_tokens(bucket) == 0 then
      taking.throttled[#taking.throttled + 1] = gid
    elseif not group.held and group.inflight + group.granted < group.limit then
      local lane = group_key(q, gid, 'wait')
      local id = redis.call('LPOP', lane)
      local key = id and job_key(q, id)
      local v = id and read_waiting(key)
      if v then
        group.granted = group.granted + 1
        if bucket then
          bucket.tokens = bucket.tokens - 1
        end
      end
      if id then
        taking.gone[#taking.gone + 1] = id
        if group.inflight + group.granted < group.limit and redis.call('LLEN', lane) > 0 then
          local list = bucket and whole_tokens(bucket) == 0 and taking.throttled or taking.turned
          list[#list + 1] = gid
        end
      end
      if v then
        return id, key, v
      end
    end
    taking.budget = taking.budget - 1
  end
  return nil
end
