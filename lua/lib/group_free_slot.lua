-- One leased job of the group is done with; a counter at 0 is deleted. Returns 1 when the group
-- became ready by this.
local function group_free_slot(q, gid, now)
  local key = group_key(q, gid, 'inflight')
  local inflight = tonumber(redis.call('GET', key) or '0') or 0
  if inflight <= 1 then
    redis.call('DEL', key)
  else
    redis.call('DECR', key)
  end
  return group_refresh(q, gid, now)
end
