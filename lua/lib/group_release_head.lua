-- A strictly ordered group stops waiting for the job `id`, if that is the one it waits for.
-- Returns true when it was.
local function group_release_head(q, gid, id)
  local key = group_key(q, gid, 'held')
  if redis.call('GET', key) ~= id then
    return false
  end
  redis.call('DEL', key)
  redis.call('ZREM', q.groups_held, gid)
  return true
end
