-- The gid of the group that is next in turn: those of groups:ready, by pages, and behind them those
-- that have had their turn in this call; nil when there is none. A group that is met for the first
-- time is read into `taking.groups`.
local function next_group(q, taking, now)
  if taking.more_ready and taking.ready_at > #taking.ready then
    local from = #taking.touched
    taking.ready = redis.call('ZRANGE', q.groups_ready, from, from + taking.size - 1)
    taking.more_ready = #taking.ready == taking.size
    taking.ready_at = 1
  end
  local gid = taking.ready[taking.ready_at]
  if gid then
    taking.ready_at = taking.ready_at + 1
    taking.touched[#taking.touched + 1] = gid
    local inflight, limit, held, _, rate = group_state(q, gid)
    taking.groups[gid] = { inflight = inflight, limit = limit, held = held, granted = 0,
      bucket = read_bucket(rate, now) }
    return gid
  end
  gid = taking.turned[taking.turned_at]
  if gid then
    taking.turned_at = taking.turned_at + 1
  end
  return gid
end
