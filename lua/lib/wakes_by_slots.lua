-- How many workers have something to take by so many freed slots of the queue's concurrency limit;
-- 0 where it has none: then the jobs that wait have woken theirs.
local function wakes_by_slots(q, freed)
  if freed == 0 or redis.call('EXISTS', limit_key(q, 'concurrency')) == 0 then
    return 0
  end
  return math.min(freed, redis.call('LLEN', q.wait) + redis.call('ZCARD', q.groups_ready))
end
