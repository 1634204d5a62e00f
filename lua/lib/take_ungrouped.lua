-- The id at the head of `wait`; nil when the lane is empty. An id whose hash is gone, or whose
-- job is elsewhere by now (a foreign client listed it twice), is dropped.
local function take_ungrouped(q, budget)
  while budget.left > 0 do
    local id = redis.call('LPOP', q.wait)
    if not id then
      return nil
    end
    redis.call('ZREM', q.idx_wait, id)
    if redis.call('HGET', job_key(q, id), 'state') == 'wait' then
      return id
    end
    budget.left = budget.left - 1
  end
  return nil
end
