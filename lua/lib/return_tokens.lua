-- Jobs that were leased and not started give their tokens back: `unstarted` has `gid` ('' where
-- there is none) and `since`, the beginning of the lease, of each. Returns how many groups became
-- ready.
local function return_tokens(q, unstarted, now)
  local of_group, order, available = {}, {}, 0
  for _, job in ipairs(unstarted) do
    if job.gid ~= '' then
      if not of_group[job.gid] then
        of_group[job.gid] = {}
        order[#order + 1] = job.gid
      end
      table.insert(of_group[job.gid], job)
    end
  end
  add_tokens(limit_key(q, 'rate'), unstarted, now)
  for _, gid in ipairs(order) do
    if add_tokens(group_key(q, gid, 'rate'), of_group[gid], now) then
      available = available + unthrottle_group(q, gid, now)
    end
  end
  return available
end
