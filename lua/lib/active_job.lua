-- Reads a job for an operation that needs its lease. Returns the job, or nil and the error code.
local function active_job(q, id, token)
  if token == '' then
    return nil, 'TOKEN_REQUIRED'
  end
  local v = redis.call('HMGET', job_key(q, id), 'state', 'lease_token', 'gid', 'attempt',
    'max_attempts', 'backoff_ms', 'timeout_ms')
  if v[1] ~= 'active' then
    return nil, 'NOT_ACTIVE'
  end
  if v[2] ~= token then
    return nil, 'TOKEN_MISMATCH'
  end
  return {
    gid = v[3],
    attempt = tonumber(v[4] or '0') or 0,
    max_attempts = tonumber(v[5] or '1') or 1,
    backoff_ms = tonumber(v[6] or '0') or 0,
    timeout_ms = tonumber(v[7] or '0') or 0,
  }, nil
end
