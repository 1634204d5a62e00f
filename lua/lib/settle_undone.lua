-- Settles the record at `at`, one that is no acknowledgement, of a job that an acknowledgement
-- before it may have ended. What was given back is noted in `unstarted`. Returns status and detail
-- of its row, and how many jobs and groups became available.
local function settle_undone(q, args, at, is_acknowledged, unstarted, now)
  local id, token, outcome = args[at], args[at + 1], args[at + 2]
  local job, err = active_job(q, id, token)
  if is_acknowledged and token ~= '' then
    err = 'NOT_ACTIVE'
  end
  if err then
    return 'ERR', err, 0
  end
  if outcome == 'release' then
    unstarted[#unstarted + 1] = { gid = job.gid or '', since = job.since }
    return 'RELEASED', '', give_back(q, id, job.gid, job.attempt, now)
  end
  local why = { reason = args[at + 4], message = args[at + 5], errors = args[at + 6] }
  local delay = tonumber(args[at + 3]) or math.max(job.backoff_ms, 0)
  local status, due, readied = fail_job(q, id, job, delay, outcome, why, now)
  return status, tostring(due), readied
end
