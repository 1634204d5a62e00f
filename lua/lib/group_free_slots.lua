-- So many leased jobs of the group are done with; a counter at 0 is deleted. Returns 1 when the
-- group became ready by this.
local function group_free_slots(q, gid, freed, now)
  local inflight, limit, held = group_state(q, gid)
  local key = group_key(q, gid, 'inflight')
  inflight = math.max(inflight - freed, 0)
  if inflight == 0 then
    redis.call('DEL', key)
  else
    redis.call('SET', key, inflight)
  end
  return group_place(q, gid, inflight, limit, held, now)
end
