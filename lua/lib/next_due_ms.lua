-- When something next falls due by itself: the first delayed job, the first lease to end, or the
-- first token or head that a group waits for. 0 when there is none.
local function next_due_ms(q)
  local delayed = redis.call('ZRANGE', q.delayed, '0', '0', 'WITHSCORES')[2]
  local active = redis.call('ZRANGE', q.active, '0', '0', 'WITHSCORES')[2]
  local held = redis.call('ZRANGE', q.groups_held, '0', '0', 'WITHSCORES')[2]
  local first = math.min(tonumber(delayed or '') or math.huge, tonumber(active or '') or math.huge,
    tonumber(held or '') or math.huge)
  return first < math.huge and first or 0
end
