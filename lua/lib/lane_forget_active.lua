-- Takes an id out of the active lane and its index.
local function lane_forget_active(q, id)
  redis.call('ZREM', q.active, id)
  redis.call('ZREM', q.idx_active, id)
end
