-- The next job of `wait` as id and fields; nil when the lane is empty. The lane is read by pages,
-- and cut at the end, by `jobs_taken`. An id whose hash is gone, or whose job is elsewhere by now
-- (a foreign client listed it twice), is dropped: `taking.budget` bounds how many.
local function take_ungrouped(q, taking)
  while taking.budget > 0 do
    if taking.at > #taking.page then
      if not taking.more then
        return nil
      end
      taking.page = redis.call('LRANGE', q.wait, taking.taken, taking.taken + taking.size - 1)
      taking.more = #taking.page == taking.size
      taking.at = 1
    end
    local id = taking.page[taking.at]
    if not id then
      return nil
    end
    taking.at = taking.at + 1
    taking.taken = taking.taken + 1
    taking.gone[#taking.gone + 1] = id
    local v = read_waiting(q, id)
    if v then
      return id, v
    end
    taking.budget = taking.budget - 1
  end
  return nil
end
