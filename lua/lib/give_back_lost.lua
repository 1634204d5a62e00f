-- Gives back the jobs that were leased under a token prefix whose holder never learned of them, so
-- that they stand at the head in the order in which they were leased. Looks at the 1,000 newest
-- leases. Returns how many there were, and how many jobs and groups became available.
local function give_back_lost(q, prefix, now)
  local found, numbers, available = {}, {}, 0
  for _, id in ipairs(redis.call('ZREVRANGE', q.idx_active, 0, 999)) do
    local v = redis.call('HMGET', job_key(q, id), 'state', 'lease_token', 'gid', 'attempt',
      'last_started_ms')
    local number = v[2] and string.sub(v[2], 1, #prefix + 1) == prefix .. '-'
      and tonumber(string.sub(v[2], #prefix + 2))
    if v[1] == 'active' and number then
      found[number] = { id = id, gid = v[3] or '', attempt = tonumber(v[4] or '0') or 0,
        since = tonumber(v[5] or '0') or 0 }
      numbers[#numbers + 1] = number
    end
  end
  table.sort(numbers)
  local unstarted = {}
  for i = #numbers, 1, -1 do
    local job = found[numbers[i]]
    available = available + give_back(q, job.id, job.gid, job.attempt, now)
    unstarted[#unstarted + 1] = job
  end
  if #numbers > 0 then
    available = available + return_tokens(q, unstarted, now)
  end
  return #numbers, available
end
