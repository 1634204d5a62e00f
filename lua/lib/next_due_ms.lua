-- When something next falls due by itself: the first delayed job or the first lease to end.
-- 0 when there is neither.
local function next_due_ms(q)
  local delayed = redis.call('ZRANGE', q.delayed, 0, 0, 'WITHSCORES')[2]
  local active = redis.call('ZRANGE', q.active, 0, 0, 'WITHSCORES')[2]
  if delayed and active then
    return math.min(tonumber(delayed), tonumber(active))
  end
  return tonumber(delayed or active or '0')
end
