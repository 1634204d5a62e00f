-- Settles `count` leased jobs from the flat list `args`, starting at `at`. Returns one row per
-- record, how many leases ended, how many of them by a completed job, and the number of jobs and
-- groups that became available.
-- RECORD:
--   id: text
--   token: text
--   outcome: 'ack'|'release'|'retry'|'fail'|'invalid'|'defer'; the last four: lib/fail_job.lua
--   where outcome is 'retry'|'fail'|'invalid'|'defer':
--     delay_ms: int|''; before a retry or after a defer, '' = the job's backoff_ms
--     reason: text; handler_error, invalid_payload, ... of docs/wire.md, '' = none
--     message: text; the first 4096 bytes are kept
--     errors_json: text; JSON, a list of objects with path, code and message, '' = none
-- ROW: {id, 'OK', ''} | {id, 'RELEASED', ''} | {id, 'RETRY', due_ms} | {id, 'FAILED', ''}
--     | {id, 'ERR', code}
--   id: text; one row per record, in the order of the arguments
--   due_ms: int
--   code: 'TOKEN_REQUIRED'|'TOKEN_MISMATCH'|'NOT_ACTIVE'
local function settle_batch(q, args, at, count, now)
  local results, ended, completed, available = {}, 0, 0, 0
  for i = 1, count do
    local id, token, outcome = args[at], args[at + 1], args[at + 2]
    local job, err = active_job(q, id, token)
    local readied = 0
    if err then
      results[i] = { id, 'ERR', err }
    elseif outcome == 'ack' then
      readied = complete_job(q, id, job.gid, now)
      completed = completed + 1
      results[i] = { id, 'OK', '' }
    elseif outcome == 'release' then
      readied = give_back(q, id, job, now)
      results[i] = { id, 'RELEASED', '' }
    else
      local why = { reason = args[at + 4], message = args[at + 5], errors = args[at + 6] }
      local delay = tonumber(args[at + 3]) or math.max(job.backoff_ms, 0)
      local status, due
      status, due, readied = fail_job(q, id, job, delay, outcome, why, now)
      results[i] = { id, status, tostring(due) }
    end
    ended = ended + (err and 0 or 1)
    available = available + readied
    at = at + ((outcome == 'ack' or outcome == 'release') and 3 or 7)
  end
  return results, ended, completed, available
end
