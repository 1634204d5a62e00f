-- An active job was not done. `outcome` is one of
--   retry    a failed attempt: -> delayed until now + delay, or -> failed when no attempt is left
--   fail     a failed attempt that was the last one, whatever is left: -> failed
--   invalid  no handler saw the job: -> failed, the attempt taken back
--   defer    no handler saw the job and others may do better: -> delayed, the attempt taken back
--            and the deferral counted
-- A strict group whose head is delayed waits for it. `job` has attempt, max_attempts, gid; `why`
-- has reason, message, errors (JSON text).
-- Returns 'RETRY', due or 'FAILED', '' and, third, 1 when a group became ready.
local function fail_job(q, id, job, delay, outcome, why, now)
  lane_forget_active(q, id)
  local key = job_key(q, id)
  local grouped = job.gid and job.gid ~= ''
  local attempt = job.attempt
  if outcome == 'invalid' or outcome == 'defer' then
    attempt = math.max(attempt - 1, 0)
  end
  redis.call('HSET', key, 'lock_until_ms', '', 'lease_token', '', 'attempt', attempt,
    'last_error', string.sub(why.message, 1, 4096), 'last_error_ms', now, 'updated_ms', now,
    'failure', failure_json(why.reason, why.message, why.errors, attempt, now))
  local status, due = 'FAILED', ''
  if outcome == 'defer' or (outcome == 'retry' and attempt < job.max_attempts) then
    status, due = 'RETRY', now + delay
    delay_job(q, id, due, now)
    if outcome == 'defer' then
      local before = redis.call('HMGET', key, 'deferrals')[1]
      redis.call('HSET', key, 'deferrals', (tonumber(before or '0') or 0) + 1)
    end
    if grouped then
      local _, _, _, strict = group_state(q, job.gid)
      if strict then
        redis.call('SET', group_key(q, job.gid, 'held'), id)
        redis.call('ZADD', q.groups_held, due, job.gid)
      end
    end
  else
    redis.call('LPUSH', q.failed, id)
    redis.call('ZADD', q.idx_failed, now, id)
    redis.call('HSET', key, 'state', 'failed', 'failed_ms', now)
  end
  local readied = 0
  if grouped then
    readied = group_free_slots(q, { job.gid }, now)
  end
  return status, due, readied
end
