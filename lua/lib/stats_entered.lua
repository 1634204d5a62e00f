-- The counters that change where jobs are published, as stats_refresh sets all of them: publishing
-- one job costs less than counting every lane. `waiting`: the length of `wait`.
local function stats_entered(q, now, waiting, with_groups, with_delayed)
  local total = redis.call('ZCARD', q.idx_wait)
  local fields = { 'waiting', waiting, 'waiting_total', total, 'group_waiting',
    math.max(total - waiting, 0), 'last_activity_ms', now, 'last_enqueue_ms', now }
  if with_groups then
    fields[#fields + 1] = 'groups_ready'
    fields[#fields + 1] = redis.call('ZCARD', q.groups_ready)
  end
  if with_delayed then
    fields[#fields + 1] = 'delayed'
    fields[#fields + 1] = redis.call('ZCARD', q.delayed)
  end
  redis.call('HSET', q.stats, unpack(fields))
end
