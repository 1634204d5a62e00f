-- Puts ids at the head of a list, the last one first. Returns its length then, or nil where there
-- are none.
local function list_push_heads(list, ids)
  local length
  for from = 1, #ids, 4000 do
    length = redis.call('LPUSH', list, unpack(ids, from, math.min(from + 3999, #ids)))
  end
  return length
end
