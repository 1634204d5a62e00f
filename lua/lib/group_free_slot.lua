-- One leased job of the group is done with; a counter at 0 is deleted. Returns 1 when the group
-- became ready by this.
local function group_free_slot(q, gid, now)
  local inflight, limit, held = group_state(q, gid)
  local key = group_key(q, gid, 'inflight')
  if inflight <= 1 then
    redis.call('DEL', key)
  else
    redis.call('DECR', key)
  end
  return group_place(q, gid, math.max(inflight - 1, 0), limit, held, now)
end
