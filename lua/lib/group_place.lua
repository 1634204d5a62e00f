-- Puts a group into groups:ready, or takes it out, by the one rule: it has waiting jobs, a free
-- slot, and no failed head to wait for. Returns 1 when the group became ready by this call.
local function group_place(q, gid, inflight, limit, held, now)
  if held or inflight >= limit or redis.call('LLEN', group_key(q, gid, 'wait')) == 0 then
    redis.call('ZREM', q.groups_ready, gid)
    return 0
  end
  if redis.call('ZSCORE', q.groups_ready, gid) then
    return 0
  end
  groups_enter(q, { gid }, now)
  return 1
end
