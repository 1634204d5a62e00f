-- find_jobs: those of the given jobs that are in a lane now.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   lane: 'wait'|'gwait'|'active'|'delayed'|'failed'|'completed'
--   ids, any number of times:
--     id: text
-- DERIVED: job:ID
-- RETURNS: [lib/job_summary.lua]
-- EFFECT: reads only
-- STATE: (none)
-- INVARIANT: (none)
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
