-- Reads a job for an operation that needs its lease. Returns the job, or nil and the error code.
local function active_job(q, id, token)
  local v = redis.call('HMGET', job_key(q, id), 'state', 'lease_token', 'gid', 'attempt',
    'max_attempts', 'backoff_ms', 'timeout_ms', 'last_started_ms')
  local err = lease_error(v[1], v[2], token)
  return not err and {
    gid = v[3],
    attempt = tonumber(v[4] or '0') or 0,
    max_attempts = tonumber(v[5] or '1') or 1,
    backoff_ms = tonumber(v[6] or '0') or 0,
    timeout_ms = tonumber(v[7] or '0') or 0,
    since = tonumber(v[8] or '0') or 0,
  } or nil, err
end
