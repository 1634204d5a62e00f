-- enqueue: adds jobs to a queue, each once.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   now_ms: int; 0 = the server's time
--   count: int
--   jobs, count times:
--     id: text
--     payload: bytes; JSON, an object or an array
--     max_attempts: int; at least 1
--     timeout_ms: int; how long a lease lasts, 0 = 60000
--     backoff_ms: int; pause before another attempt
--     due_ms: int; not before this time, 0 = at once
--     gid: text; '' = ungrouped
--     group_limit: int; jobs of the group that may run at once, 0 = not given
--     ordering: ''|'strict'; strict: one job of the group at a time, a failed one at its head
--     side_count: int
--     side, side_count times:
--       field: text; msg_..., those of docs/wire.md
--       value: text
-- DERIVED: job:ID, g:GID:wait, g:GID:inflight, g:GID:limit, g:GID:ordering, g:GID:held
-- RETURNS: [{id, 'OK', state} | {id, 'DUPLICATE', state, 'same'}
--     | {id, 'DUPLICATE', state, 'different', stored_payload, stored_msg_type}]
--   id: text; one entry per job, in the order of the arguments
--   state: text; of the job that has this id
--   stored_payload: bytes; what is stored where payload or message type are not those given
--   stored_msg_type: text; '' = none
-- EFFECT: writes; repeatable
-- STATE: (none) -> wait, or delayed when due_ms lies in the future
-- INVARIANT: an id that exists is not touched; every new id is in exactly one lane
-- @include queue_keys job_key group_key now_ms require_commands group_state group_refresh
-- @include lane_enter delay_job wake_workers stats_refresh

local q = queue_keys(KEYS)
local denied = require_commands(q.stats, {
  'HGET', 'HMGET', 'HSET', 'LLEN', 'LPUSH', 'MGET', 'RPUSH', 'SET', 'ZADD', 'ZCARD', 'ZRANGE',
  'ZREM', 'ZSCORE',
})
if denied then
  return denied
end
local now = now_ms(ARGV[1])
local results, added, available, at = {}, 0, 0, 3

-- The side fields of the record at hand, flat, and the msg_type among them, '' where there is none.
local function read_side_fields(count)
  local fields, msg_type = {}, ''
  for i = at, at + count * 2 - 1, 2 do
    fields[#fields + 1] = ARGV[i]
    fields[#fields + 1] = ARGV[i + 1]
    if ARGV[i] == 'msg_type' then
      msg_type = ARGV[i + 1]
    end
  end
  at = at + count * 2
  return fields, msg_type
end

local function configure_group(gid, limit, ordering)
  if ordering == 'strict' then
    redis.call('SET', group_key(q, gid, 'ordering'), 'strict')
    redis.call('SET', group_key(q, gid, 'limit'), '1')
  elseif limit > 0 then
    redis.call('SET', group_key(q, gid, 'limit'), limit, 'NX')
  end
end

for i = 1, tonumber(ARGV[2]) do
  local id, payload, gid = ARGV[at], ARGV[at + 1], ARGV[at + 6]
  local due, limit, ordering = tonumber(ARGV[at + 5]), tonumber(ARGV[at + 7]), ARGV[at + 8]
  local job = { 'id', id, 'payload', payload, 'attempt', '0', 'max_attempts', ARGV[at + 2],
    'timeout_ms', ARGV[at + 3], 'backoff_ms', ARGV[at + 4], 'created_ms', now, 'updated_ms', now,
    'queued_ms', now }
  local side_count = tonumber(ARGV[at + 9])
  at = at + 10
  local side, msg_type = read_side_fields(side_count)
  local key = job_key(q, id)
  local state = redis.call('HGET', key, 'state')
  if state then
    local old = redis.call('HMGET', key, 'payload', 'msg_type')
    local old_payload, old_type = old[1] or '', old[2] or ''
    if old_payload == payload and old_type == msg_type then
      results[i] = { id, 'DUPLICATE', state, 'same' }
    else
      results[i] = { id, 'DUPLICATE', state, 'different', old_payload, old_type }
    end
  else
    if gid ~= '' then
      job[#job + 1] = 'gid'
      job[#job + 1] = gid
    end
    for n = 1, #side do
      job[#job + 1] = side[n]
    end
    state = due > tonumber(now) and 'delayed' or 'wait'
    redis.call('HSET', key, 'state', state, unpack(job))
    if gid ~= '' then
      configure_group(gid, limit, ordering)
    end
    if state == 'delayed' then
      delay_job(q, id, due, now)
      -- Idle workers sleep until the first due job they know of: tell one of an earlier one.
      if redis.call('ZRANGE', q.delayed, 0, 0)[1] == id then
        available = available + 1
      end
      if gid ~= '' then
        -- This job may have brought the group another limit or order; others wait there already.
        available = available + group_refresh(q, gid, now)
      end
    else
      available = available + lane_enter(q, id, gid, now, false)
    end
    added = added + 1
    results[i] = { id, 'OK', state }
  end
end

if added > 0 then
  wake_workers(q, available)
  stats_refresh(q, now, 'last_enqueue_ms')
end
return results
