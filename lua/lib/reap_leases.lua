-- Active jobs whose lease has ended count as failed attempts. At most `limit`.
-- But for those of a batch, of which the worker that died may not have started all: they go back
-- to the head of their lane in their order, the attempt not counted, as suspects, which are leased
-- one by one from then on (lib/reserve_jobs.lua), so that the one that killed it is found alone.
-- What has no other attempt left fails: it may have been started.
-- Returns how many were reaped, and how many jobs and groups became available.
local function reap_leases(q, now, limit)
  local reaped, available, suspects, places = 0, 0, {}, {}
  local ids = redis.call('ZRANGEBYSCORE', q.active, '-inf', now, 'LIMIT', 0, limit)
  for _, id in ipairs(ids) do
    local v = redis.call('HMGET', job_key(q, id), 'state', 'gid', 'attempt', 'max_attempts',
      'backoff_ms', 'lease_token', 'suspect')
    local attempt, max_attempts = tonumber(v[3] or '0') or 0, tonumber(v[4] or '1') or 1
    local number = string.match(v[6] or '', '^batch%..*-(%d+)$')
    if v[1] ~= 'active' then
      lane_forget_active(q, id)
    elseif number and v[7] ~= '1' and attempt < max_attempts then
      local place = string.format('%06d %s', number, id)
      suspects[place] = { id = id, gid = v[2], attempt = attempt }
      places[#places + 1] = place
      reaped = reaped + 1
    else
      local job = { gid = v[2], attempt = attempt, max_attempts = max_attempts }
      local why = {
        reason = 'lease_expired',
        message = 'lease expired on attempt ' .. attempt .. ' of ' .. max_attempts
          .. ': the worker died, stalled or lost its connection'
          .. ((number and v[7] ~= '1') and ', maybe before it started the job' or ''),
        errors = '[]',
      }
      local delay = math.max(tonumber(v[5] or '0') or 0, 0)
      local _, _, readied = fail_job(q, id, job, delay, 'retry', why, now)
      available = available + readied
      reaped = reaped + 1
    end
  end
  table.sort(places)
  for i = #places, 1, -1 do
    local job = suspects[places[i]]
    redis.call('HSET', job_key(q, job.id), 'suspect', '1')
    available = available + give_back(q, job.id, job.gid, job.attempt, now)
  end
  return reaped, available
end
