-- An active job that nobody started goes back to the head of its lane, its attempt not counted.
-- Returns how many jobs or groups became available (0 or 1).
local function give_back(q, id, job, now)
  lane_forget_active(q, id)
  redis.call('HSET', job_key(q, id), 'state', 'wait', 'attempt', math.max(job.attempt - 1, 0),
    'lock_until_ms', '', 'lease_token', '', 'updated_ms', now)
  if not job.gid or job.gid == '' then
    return lane_enter(q, id, nil, now, true)
  end
  local readied = lane_enter(q, id, job.gid, now, true)
  return math.max(readied, group_free_slot(q, job.gid, now))
end
