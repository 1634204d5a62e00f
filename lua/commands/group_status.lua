-- group_status: how full each of some groups is.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   groups, any number of times:
--     gid: text
-- DERIVED: g:GID:wait, g:GID:inflight, g:GID:limit, g:GID:ordering, g:GID:held,
--   g:GID:rate
-- RETURNS: [{gid, inflight, limit, ready, waiting, ordering, held, rate}]
--   gid: text
--   inflight: int; leased jobs
--   limit: int; how many may be leased at once
--   ready: int; 1 = could hand out a job now, else 0
--   waiting: int
--   ordering: ''|'strict'
--   held: text; id of the failed head that a strict group waits for
--   rate: text; per_s, burst, tokens and at_ms of docs/wire.md, '' = no limit
-- EFFECT: reads only
-- STATE: (none)
-- INVARIANT: (none)
-- @include queue_keys group_key group_state

local q = queue_keys(KEYS)
local rows = {}
for i, gid in ipairs(ARGV) do
  local inflight, limit, held, strict, rate = group_state(q, gid)
  local ready = redis.call('ZSCORE', q.groups_ready, gid) and 1 or 0
  rows[i] = { gid, inflight, limit, ready, redis.call('LLEN', group_key(q, gid, 'wait')),
    strict and 'strict' or '', held or '', rate or '' }
end
return rows
