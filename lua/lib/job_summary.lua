-- One row of a lane listing. The payload is left out: a page of 100 jobs could weigh 100 MiB.
-- ROW: {id, entered_ms, fields}
--   id: text
--   entered_ms: int; when it entered the lane
--   fields: {state, gid, attempt, max_attempts, due_ms, lock_until_ms, queued_ms,
--     first_started_ms, last_started_ms, completed_ms, failed_ms, updated_ms, last_error,
--     msg_type, msg_version, failure}
--   state, gid: text
--   attempt, max_attempts, due_ms, lock_until_ms, queued_ms, first_started_ms: int
--   last_started_ms, completed_ms, failed_ms, updated_ms: int
--   last_error, msg_type: text
--   msg_version: int
--   failure: text; JSON as in docs/wire.md
local function job_summary(q, id, entered_ms)
  local v = redis.call('HMGET', job_key(q, id), 'state', 'gid', 'attempt', 'max_attempts', 'due_ms',
    'lock_until_ms', 'queued_ms', 'first_started_ms', 'last_started_ms', 'completed_ms', 'failed_ms',
    'updated_ms', 'last_error', 'msg_type', 'msg_version', 'failure')
  return { id, entered_ms, v }
end
