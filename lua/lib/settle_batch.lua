-- Settles `count` leased jobs from the flat list `args`, starting at `at`, and keeps the newest
-- `keep` completed ones. Returns a row per record that is no plain acknowledgement, how many leases
-- ended, and the number of jobs and groups that became available.
-- RECORD:
--   id: text
--   token: text
--   outcome: 'ack'|'release'|'retry'|'fail'|'invalid'|'defer'; the last four: lib/fail_job.lua
--   where outcome is 'retry'|'fail'|'invalid'|'defer':
--     delay_ms: int|''; before a retry or after a defer, '' = the job's backoff_ms
--     reason: text; handler_error, invalid_payload, ... of docs/wire.md, '' = none
--     message: text; the first 4096 bytes are kept
--     errors_json: text; JSON, a list of objects with path, code and message, '' = none
-- ROW: {nth, 'RELEASED', ''} | {nth, 'RETRY', due_ms} | {nth, 'FAILED', ''} | {nth, 'ERR', code}
--   nth: int; place of the record, 1 = the first; one without a row is acknowledged
--   due_ms: int
--   code: 'TOKEN_REQUIRED'|'TOKEN_MISMATCH'|'NOT_ACTIVE'
local function settle_batch(q, args, at, count, keep, now)
  local rows, refused, available = {}, 0, 0
  -- Written at the end, all at once; until then their hashes say that they are active.
  local acknowledged, is_acknowledged = {}, {}
  local unstarted = {}
  for i = 1, count do
    local id, token, outcome = args[at], args[at + 1], args[at + 2]
    local job, err = active_job(q, id, token, outcome == 'ack')
    if is_acknowledged[id] and token ~= '' then
      err = 'NOT_ACTIVE'
    end
    local readied = 0
    if err then
      rows[#rows + 1] = { i, 'ERR', err }
      refused = refused + 1
    elseif outcome == 'ack' then
      acknowledged[#acknowledged + 1], is_acknowledged[id] = id, true
      if job.gid and job.gid ~= '' then
        readied = group_free_slot(q, job.gid, now)
      end
    elseif outcome == 'release' then
      readied = give_back(q, id, job.gid, job.attempt, now)
      unstarted[#unstarted + 1] = { gid = job.gid or '', since = job.since }
      rows[#rows + 1] = { i, 'RELEASED', '' }
    else
      local why = { reason = args[at + 4], message = args[at + 5], errors = args[at + 6] }
      local delay = tonumber(args[at + 3]) or math.max(job.backoff_ms, 0)
      local status, due
      status, due, readied = fail_job(q, id, job, delay, outcome, why, now)
      rows[#rows + 1] = { i, status, tostring(due) }
    end
    available = available + readied
    at = at + ((outcome == 'ack' or outcome == 'release') and 3 or 7)
  end
  complete_jobs(q, acknowledged, keep, now)
  return rows, count - refused, available + return_tokens(q, unstarted, now)
end
