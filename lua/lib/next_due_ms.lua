-- When something next falls due by itself: the first delayed job, the first lease to end, or the
-- first token that a group waits for. 0 when there is none.
local function next_due_ms(q)
  local first
  for _, key in ipairs({ q.delayed, q.active, q.groups_held }) do
    local due = tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] or '')
    if due and (not first or due < first) then
      first = due
    end
  end
  return first or 0
end
