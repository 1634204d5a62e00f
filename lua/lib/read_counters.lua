-- The true lengths of the lanes and the times of the last activity.
-- ROW: {paused, waiting, waiting_total, active, delayed, failed, completed_kept, groups_ready,
--     last_activity_ms, last_enqueue_ms, last_reserve_ms, last_finish_ms}
--   paused: int; 1 or 0
--   waiting: int; jobs without a group
--   waiting_total: int; with those of groups
--   active, delayed, failed, completed_kept, groups_ready: int
--   last_activity_ms, last_enqueue_ms, last_reserve_ms, last_finish_ms: int
local function read_counters(q)
  local times = redis.call('HMGET', q.stats, 'last_activity_ms', 'last_enqueue_ms', 'last_reserve_ms',
    'last_finish_ms')
  return { redis.call('EXISTS', q.paused), redis.call('LLEN', q.wait), redis.call('ZCARD', q.idx_wait),
    redis.call('ZCARD', q.active), redis.call('ZCARD', q.delayed), redis.call('LLEN', q.failed),
    redis.call('LLEN', q.completed), redis.call('ZCARD', q.groups_ready),
    times[1] or '', times[2] or '', times[3] or '', times[4] or '' }
end
