-- The hash of one job.
local function job_key(q, id)
  return q.base .. ':job:' .. id
end
