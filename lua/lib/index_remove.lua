-- Takes ids out of a sorted set.
local function index_remove(index, ids)
  for from = 1, #ids, 4000 do
    redis.call('ZREM', index, unpack(ids, from, math.min(from + 3999, #ids)))
  end
end
