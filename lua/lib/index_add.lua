-- Puts entries into a sorted set: `entries` is flat, score, id, score, id, ...
local function index_add(index, entries)
  for from = 1, #entries, 4000 do
    redis.call('ZADD', index, unpack(entries, from, math.min(from + 3999, #entries)))
  end
end
