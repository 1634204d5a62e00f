-- Groups enter groups:ready in their order, behind every other: scores are ms, and the fraction
-- keeps the order of groups that enter within one ms.
local function groups_enter(q, gids, now)
  local score, entries = tonumber(now), {}
  local last = redis.call('ZRANGE', q.groups_ready, -1, -1, 'WITHSCORES')
  if last[2] and tonumber(last[2]) >= score then
    score = tonumber(last[2]) + 0.001
  end
  for i = 1, #gids do
    entries[i * 2 - 1] = string.format('%.3f', score + (i - 1) * 0.001)
    entries[i * 2] = gids[i]
  end
  index_add(q.groups_ready, entries)
end
