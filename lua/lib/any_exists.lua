-- Whether at least one of the keys exists.
local function any_exists(keys)
  for from = 1, #keys, 4000 do
    if redis.call('EXISTS', unpack(keys, from, math.min(from + 3999, #keys))) > 0 then
      return true
    end
  end
  return false
end
