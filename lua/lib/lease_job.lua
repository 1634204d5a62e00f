-- wait -> active: the hash `key` of a job, of which `v` is what `read_waiting` has read.
local function lease_job(key, v, kind, token, now)
  if v[3] and v[3] ~= '' then
    redis.call('HSET', key, 'state', 'active', 'attempt', kind.attempt,
      'lock_until_ms', kind.until_ms, 'lease_token', token, 'last_started_ms', now,
      'updated_ms', now)
  else
    redis.call('HSET', key, 'state', 'active', 'attempt', kind.attempt,
      'lock_until_ms', kind.until_ms, 'lease_token', token, 'last_started_ms', now,
      'updated_ms', now, 'first_started_ms', now)
  end
end
