-- One token per worker that has something to take now. Capped: tokens that nobody waits for
-- would only wake workers for nothing later.
local function wake_workers(q, count)
  local room = 64 - redis.call('LLEN', q.wake)
  for _ = 1, math.min(count, room) do
    redis.call('LPUSH', q.wake, '1')
  end
end
