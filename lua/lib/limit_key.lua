-- A key of the queue's own limits; `name` is rate or concurrency. Few scripts need one.
local function limit_key(q, name)
  return q.base .. ':' .. name
end
