-- overview: the counters of a queue, its next groups, and the newest jobs of each lane.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   samples: int; rows per lane
-- DERIVED: job:ID
-- RETURNS: {counters, groups, wait, active, delayed, failed, completed}
--   counters: lib/read_counters.lua
--   groups: [gid, ready_ms]; the next in turn
--   gid: text
--   ready_ms: number
--   wait, active, delayed, failed, completed: [lib/job_summary.lua]; newest first
-- EFFECT: reads only
-- STATE: (none)
-- INVARIANT: (none)
-- @include queue_keys job_key lane_index job_summary read_lane read_counters

local q = queue_keys(KEYS)
local samples = tonumber(ARGV[1])
return { read_counters(q), redis.call('ZRANGE', q.groups_ready, 0, samples - 1, 'WITHSCORES'),
  read_lane(q, 'wait', 0, samples, true), read_lane(q, 'active', 0, samples, true),
  read_lane(q, 'delayed', 0, samples, true), read_lane(q, 'failed', 0, samples, true),
  read_lane(q, 'completed', 0, samples, true) }
