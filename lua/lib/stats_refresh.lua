-- Counters are never incremented: each is set to the length of what it counts, in O(1), so that
-- they are true after every operation, and heal where a foreign client left them wrong.
-- `moment` and `also` are extra time fields to stamp (last_reserve_ms, ...), or nil; `waiting` and
-- `ready` the lengths of `wait` and of groups:ready where they are known already.
local function stats_refresh(q, now, moment, also, waiting, ready)
  waiting = waiting or redis.call('LLEN', q.wait)
  local total = redis.call('ZCARD', q.idx_wait)
  redis.call('HSET', q.stats,
    'waiting', waiting,
    'group_waiting', total > waiting and total - waiting or '0',
    'waiting_total', total,
    'active', redis.call('ZCARD', q.active),
    'delayed', redis.call('ZCARD', q.delayed),
    'failed', redis.call('LLEN', q.failed),
    'completed_kept', redis.call('LLEN', q.completed),
    'groups_ready', ready or redis.call('ZCARD', q.groups_ready),
    'last_activity_ms', now,
    moment or 'last_activity_ms', now,
    also or 'last_activity_ms', now)
end
