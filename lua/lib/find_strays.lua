-- Jobs that wait by their hash and in the index but in no list, as a server leaves behind that has
-- crashed twice (docs/operations.md), go to the tail of theirs. Call it where `wait` is empty: the
-- list of a group is looked at only where it is empty, too, so that nothing has to be searched.
-- What does not wait leaves the index. Looks at the oldest, up to the rank `last`. Returns how many
-- were not as they should be, and how many jobs and groups became available.
local function find_strays(q, last, now)
  local found, available, empty = 0, 0, {}
  for _, id in ipairs(redis.call('ZRANGE', q.idx_wait, '0', last)) do
    local v = redis.call('HMGET', job_key(q, id), 'state', 'gid')
    local gid = v[2] or ''
    if gid ~= '' and empty[gid] == nil then
      empty[gid] = redis.call('EXISTS', group_key(q, gid, 'wait')) == 0
    end
    if v[1] ~= 'wait' then
      redis.call('ZREM', q.idx_wait, id)
      found = found + 1
    elseif gid == '' or empty[gid] then
      available = available + lane_enter(q, id, gid, now, false)
      found = found + 1
    end
  end
  return found, available
end
