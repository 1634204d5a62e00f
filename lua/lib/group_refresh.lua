-- Puts a group into groups:ready, or takes it out, by the one rule: it has waiting jobs, a free
-- slot, and no failed head to wait for. Returns 1 when the group became ready by this call.
-- A group enters behind every other: scores are ms, and the fraction keeps the order of groups
-- that enter within one ms.
local function group_refresh(q, gid, now)
  local inflight, limit, held = group_state(q, gid)
  if held or inflight >= limit or redis.call('LLEN', group_key(q, gid, 'wait')) == 0 then
    redis.call('ZREM', q.groups_ready, gid)
    return 0
  end
  if redis.call('ZSCORE', q.groups_ready, gid) then
    return 0
  end
  local score = tonumber(now)
  local last = redis.call('ZRANGE', q.groups_ready, -1, -1, 'WITHSCORES')
  if last[2] and tonumber(last[2]) >= score then
    score = tonumber(last[2]) + 0.001
  end
  redis.call('ZADD', q.groups_ready, string.format('%.3f', score), gid)
  return 1
end
