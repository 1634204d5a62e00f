-- find_jobs: those of the given jobs that are in a lane now.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV: lane (wait|gwait|active|delayed|failed|completed), then ids
-- DERIVED: job:ID
-- RETURNS: {row per job found}, rows as in lib/job_summary.lua
-- STATE: (none)
-- INVARIANT: reads only
-- @include queue_keys job_key lane_index job_summary

local q = queue_keys(KEYS)
local rows = {}
for i = 2, #ARGV do
  local entered = redis.call('ZSCORE', lane_index(q, ARGV[1]), ARGV[i])
  if entered then
    rows[#rows + 1] = job_summary(q, ARGV[i], entered)
  end
end
return rows
