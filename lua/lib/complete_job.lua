-- active -> completed. Returns 1 when a group became ready by the freed slot.
local function complete_job(q, id, gid, now)
  lane_forget_active(q, id)
  redis.call('LPUSH', q.completed, id)
  redis.call('ZADD', q.idx_completed, now, id)
  redis.call('HSET', job_key(q, id), 'state', 'completed', 'completed_ms', now, 'updated_ms', now,
    'lock_until_ms', '', 'lease_token', '')
  if gid and gid ~= '' then
    return group_free_slot(q, gid, now)
  end
  return 0
end
