-- The next job of `wait` as id, key and fields; nil when the lane is empty. The lane is read by
-- pages, and cut at the end, by `reserve_jobs`. An id whose hash is gone, or whose job is elsewhere
-- by now (a foreign client listed it twice), is dropped: `taking.budget` bounds how many.
local function take_ungrouped(q, taking)
  while taking.budget > 0 do
    local taken = taking.taken + 1
    local id = taking.lane[taken]
    if not id and taking.more then
      local page = redis.call('LRANGE', q.wait, taken - 1, taken + taking.size - 2)
      taking.more = #page == taking.size
      for i = 1, #page do
        taking.lane[taken + i - 1] = page[i]
      end
      id = page[1]
    end
    if not id then
      return nil
    end
    taking.taken = taken
    taking.gone[#taking.gone + 1] = id
    local key = job_key(q, id)
    local v = read_waiting(key)
    if v then
      return id, key, v
    end
    taking.budget = taking.budget - 1
  end
  return nil
end
