-- Active jobs whose lease has ended count as failed attempts. At most `limit`.
-- Returns how many were reaped, and how many groups became ready.
local function reap_leases(q, now, limit)
  local reaped, available = 0, 0
  local ids = redis.call('ZRANGEBYSCORE', q.active, '-inf', now, 'LIMIT', 0, limit)
  for _, id in ipairs(ids) do
    local v = redis.call('HMGET', job_key(q, id), 'state', 'gid', 'attempt', 'max_attempts', 'backoff_ms')
    if v[1] ~= 'active' then
      lane_forget_active(q, id)
    else
      local job = { gid = v[2], attempt = tonumber(v[3] or '0') or 0, max_attempts = tonumber(v[4] or '1') or 1 }
      local why = {
        reason = 'lease_expired',
        message = 'lease expired on attempt ' .. job.attempt .. ' of ' .. job.max_attempts
          .. ': the worker died, stalled or lost its connection',
        errors = '[]',
      }
      local delay = math.max(tonumber(v[5] or '0') or 0, 0)
      local _, _, readied = fail_job(q, id, job, delay, 'retry', why, now)
      available = available + readied
      reaped = reaped + 1
    end
  end
  return reaped, available
end
