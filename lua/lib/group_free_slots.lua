-- Leased jobs of groups are done with: `gids` has the group of each, in their order. A counter at 0
-- is deleted. Returns how many groups became ready by this.
local function group_free_slots(q, gids, now)
  local groups, order, readied = {}, {}, 0
  for i = 1, #gids do
    local gid = gids[i]
    local group = groups[gid]
    if not group then
      local inflight, limit, held = group_state(q, gid)
      group = { inflight = inflight, limit = limit, held = held, is_placed = false }
      groups[gid], order[#order + 1] = group, gid
    end
    group.inflight = math.max(group.inflight - 1, 0)
    -- Once it has a free slot, another one changes nothing.
    if not group.is_placed then
      readied = readied + group_place(q, gid, group.inflight, group.limit, group.held, now)
      group.is_placed = group.inflight < group.limit
    end
  end
  for i = 1, #order do
    local key, inflight = group_key(q, order[i], 'inflight'), groups[order[i]].inflight
    if inflight == 0 then
      redis.call('DEL', key)
    else
      redis.call('SET', key, inflight)
    end
  end
  return readied
end
