-- The counters that change where jobs are published, as stats_refresh sets all of them: publishing
-- one job costs less than counting every lane. `waiting`: the length of `wait`.
local function stats_entered(q, now, waiting, with_groups, with_delayed)
  local total = redis.call('ZCARD', q.idx_wait)
  redis.call('HSET', q.stats, 'waiting', waiting, 'waiting_total', total,
    'group_waiting', total > waiting and total - waiting or '0',
    'last_activity_ms', now, 'last_enqueue_ms', now)
  if with_groups then
    redis.call('HSET', q.stats, 'groups_ready', redis.call('ZCARD', q.groups_ready))
  end
  if with_delayed then
    redis.call('HSET', q.stats, 'delayed', redis.call('ZCARD', q.delayed))
  end
end
