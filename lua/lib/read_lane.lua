-- Rows offset .. offset + limit - 1 of a lane, oldest first, or newest first where `reverse`.
local function read_lane(q, lane, offset, limit, reverse)
  local index = lane_index(q, lane)
  local command = reverse and 'ZREVRANGE' or 'ZRANGE'
  local found = redis.call(command, index, offset, offset + limit - 1, 'WITHSCORES')
  local rows = {}
  for i = 1, #found, 2 do
    rows[#rows + 1] = job_summary(q, found[i], found[i + 1])
  end
  return rows
end
