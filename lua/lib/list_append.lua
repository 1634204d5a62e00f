-- Puts ids at the tail of a list, in their order. Returns its length then, or nil where there are
-- none. In parts: Lua passes at most about 8,000 values to one call.
local function list_append(list, ids)
  local length
  for from = 1, #ids, 4000 do
    length = redis.call('RPUSH', list, unpack(ids, from, math.min(from + 3999, #ids)))
  end
  return length
end
