-- One token per worker that has something to take now. Capped: tokens that nobody waits for
-- would only wake workers for nothing later.
local function wake_workers(q, count)
  if count <= 0 then
    return
  end
  count = math.min(count, 64 - redis.call('LLEN', q.wake))
  if count == 1 then
    redis.call('LPUSH', q.wake, '1')
  elseif count > 1 then
    local tokens = {}
    for i = 1, count do
      tokens[i] = '1'
    end
    redis.call('LPUSH', q.wake, unpack(tokens))
  end
end
