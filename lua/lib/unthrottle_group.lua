-- A group that waits for a token waits no longer. Returns 1 when it became ready by this.
local function unthrottle_group(q, gid, now)
  local key = group_key(q, gid, 'held')
  if redis.call('GET', key) == '' then
    redis.call('DEL', key)
    redis.call('ZREM', q.groups_held, gid)
  end
  return group_refresh(q, gid, now)
end
