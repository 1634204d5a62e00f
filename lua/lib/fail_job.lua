-- An attempt of an active job failed: active -> delayed until now + delay, or -> failed when no
-- attempt is left or `permanent`. A strict group whose head is delayed waits for it.
-- `job` has attempt, max_attempts, gid; `why` has reason, message, errors (JSON text), attempt.
-- Returns 'RETRY', due or 'FAILED', '' and, third, 1 when a group became ready.
local function fail_job(q, id, job, delay, permanent, why, now)
  lane_forget_active(q, id)
  local key = job_key(q, id)
  local grouped = job.gid and job.gid ~= ''
  redis.call('HSET', key, 'lock_until_ms', '', 'lease_token', '', 'attempt', job.attempt,
    'last_error', string.sub(why.message, 1, 4096), 'last_error_ms', now, 'updated_ms', now,
    'failure', failure_json(why.reason, why.message, why.errors, job.attempt, now))
  local status, due = 'FAILED', ''
  if permanent or job.attempt >= job.max_attempts then
    redis.call('LPUSH', q.failed, id)
    redis.call('ZADD', q.idx_failed, now, id)
    redis.call('HSET', key, 'state', 'failed', 'failed_ms', now)
  else
    status, due = 'RETRY', now + delay
    delay_job(q, id, due, now)
    if grouped then
      local _, _, _, strict = group_state(q, job.gid)
      if strict then
        redis.call('SET', group_key(q, job.gid, 'held'), id)
        redis.call('ZADD', q.groups_held, due, job.gid)
      end
    end
  end
  local readied = 0
  if grouped then
    readied = group_free_slot(q, job.gid, now)
  end
  return status, due, readied
end
