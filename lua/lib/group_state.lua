-- What decides whether a group may hand out its head: the number of leased jobs, the limit, and
-- the id of a failed head that a strictly ordered group waits for, '' where it waits for a token
-- (false when it waits for neither); whether it is strict; and its rate limit (false when none).
-- A strict group runs one job at a time whatever its limit says, or order would mean nothing.
local function group_state(q, gid)
  local v = redis.call('MGET', group_key(q, gid, 'inflight'), group_key(q, gid, 'limit'),
    group_key(q, gid, 'ordering'), group_key(q, gid, 'held'), group_key(q, gid, 'rate'))
  local limit = tonumber(v[2] or '1') or 1
  if limit <= 0 or v[3] == 'strict' then
    limit = 1
  end
  return tonumber(v[1] or '0') or 0, limit, v[4], v[3] == 'strict', v[5]
end
