-- count_versions: counts the jobs of one lane by message type and version, one step of the lane.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   lane: 'wait'|'active'|'delayed'|'failed'; wait holds grouped jobs too
--   cursor: int; 0 = the start, then next_cursor of the reply
--   count: int; jobs looked at, about; a lane of up to zset-max-listpack-entries is one step
-- DERIVED: job:ID
-- RETURNS: {next_cursor, found...}
--   next_cursor: int; 0 = the lane is done
--   found: {msg_type, msg_version, jobs}; one per type and version met in this step
--   msg_type, msg_version: text; '' = none
--   jobs: int
-- EFFECT: reads only
-- STATE: (none)
-- INVARIANT: a job that stays in the lane from the first step to the last is counted,
--   a few of them twice where the lane loses most of its jobs in between
-- @include queue_keys job_key lane_index

local q = queue_keys(KEYS)
local lane = ARGV[1]
local page = redis.call('ZSCAN', lane_index(q, lane), ARGV[2], 'COUNT', ARGV[3])
local found = page[2]
local reply, rows = { page[1] }, {}
for i = 1, #found, 2 do
  local v = redis.call('HMGET', job_key(q, found[i]), 'state', 'msg_type', 'msg_version')
  -- The hash may be gone, or its job elsewhere, where a foreign client left an id in the index.
  if v[1] == lane then
    local msg_type, version = v[2] or '', v[3] or ''
    rows[msg_type] = rows[msg_type] or {}
    local row = rows[msg_type][version]
    if not row then
      row = { msg_type, version, 0 }
      rows[msg_type][version] = row
      reply[#reply + 1] = row
    end
    row[3] = row[3] + 1
  end
end
return reply
