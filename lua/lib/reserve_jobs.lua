-- Leases up to `limit` jobs, round robin between the groups and the ungrouped lane: the turn
-- passes with every job granted, and a side that has nothing gives its turn away. Tokens are
-- token_prefix-1, token_prefix-2, ...
local function reserve_jobs(q, limit, token_prefix, now)
  local jobs = {}
  local budget = { left = limit + 1000 }
  local grouped = redis.call('EXISTS', q.groups_ready) == 1
  local turn = redis.call('GET', q.turn) or '0'
  local before = turn
  while #jobs < limit do
    local id
    if not grouped then
      id = take_ungrouped(q, budget)
    elseif turn == '0' then
      id = take_from_groups(q, now, budget) or take_ungrouped(q, budget)
    else
      id = take_ungrouped(q, budget) or take_from_groups(q, now, budget)
    end
    if not id then
      break
    end
    jobs[#jobs + 1] = lease_job(q, id, token_prefix .. '-' .. (#jobs + 1), now)
    turn = turn == '0' and '1' or '0'
  end
  if turn ~= before then
    redis.call('SET', q.turn, turn)
  end
  return jobs
end
