-- Deletes keys, in parts: Lua passes at most about 8,000 values to one call.
local function delete_keys(keys)
  for from = 1, #keys, 4000 do
    redis.call('DEL', unpack(keys, from, math.min(from + 3999, #keys)))
  end
end
