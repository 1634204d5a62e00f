-- The index of a lane by its name: id -> time it entered the lane. `wait` and `gwait` share one.
local function lane_index(q, lane)
  local by_name = { wait = q.idx_wait, gwait = q.idx_wait, active = q.idx_active,
    delayed = q.idx_delayed, failed = q.idx_failed, completed = q.idx_completed }
  return by_name[lane]
end
