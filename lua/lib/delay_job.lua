-- Puts a job into `delayed` until `due`. The caller writes the rest of the hash.
local function delay_job(q, id, due, now)
  redis.call('ZADD', q.delayed, due, id)
  redis.call('ZADD', q.idx_delayed, now, id)
  redis.call('HSET', job_key(q, id), 'state', 'delayed', 'due_ms', due, 'updated_ms', now)
end
