-- An active job that nobody started goes back to the head of its lane, its attempt not counted.
-- Returns how many jobs or groups became available (0 or 1).
local function give_back(q, id, gid, attempt, now)
  lane_forget_active(q, id)
  redis.call('HSET', job_key(q, id), 'state', 'wait', 'attempt', math.max(attempt - 1, 0),
    'lock_until_ms', '', 'lease_token', '', 'updated_ms', now)
  if not gid or gid == '' then
    return lane_enter(q, id, nil, now, true)
  end
  local readied = lane_enter(q, id, gid, now, true)
  return math.max(readied, group_free_slots(q, { gid }, now))
end
