-- Takes an id out of a lane that is a list. Searches from the end that it is nearer to by its rank
-- in the lane's index; a wrong guess costs time only. Call it before the id leaves the index.
-- Returns how many entries went.
local function list_remove(list, index, id, newest_first)
  local from = 1
  local rank = redis.call('ZRANK', index, id)
  if rank and (rank * 2 < redis.call('ZCARD', index)) == newest_first then
    from = -1
  end
  return redis.call('LREM', list, from, id)
end
