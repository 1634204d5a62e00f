-- lane_page: one page of a lane.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   lane: 'wait'|'gwait'|'active'|'delayed'|'failed'|'completed'
--   offset: int
--   limit: int
--   reverse: '0'|'1'; 1 = newest first
-- DERIVED: job:ID
-- RETURNS: [lib/job_summary.lua]
-- EFFECT: reads only
-- STATE: (none)
-- INVARIANT: (none)
-- @include queue_keys job_key lane_index job_summary read_lane

return read_lane(queue_keys(KEYS), ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1')
