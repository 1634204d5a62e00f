-- enqueue: adds jobs to a queue, each once.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   now_ms: int; 0 = the server's time
--   check: '0'|'1'; 1: answer NOPERM before anything changes where the user's rights fall short
--   kind_count: int
--   kinds, kind_count times:
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
--   count: int
--   jobs, count times:
--     id: text
--     payload: bytes; JSON, an object or an array
--     kind: int; which of kinds it is, 1 = the first
--     side_count: int
--     side, side_count times:
--       field: text; those that the kind has not
--       value: text
-- DERIVED: job:ID, g:GID:wait, g:GID:inflight, g:GID:limit, g:GID:ordering, g:GID:held,
--   g:GID:rate
-- RETURNS: [{nth, 'OK', 'delayed'} | {nth, 'DUPLICATE', state, 'same'}
--     | {nth, 'DUPLICATE', state, 'different', stored_payload, stored_msg_type}]
--   nth: int; place of the job, 1 = the first; one without an entry was added, and waits
--   state: text; of the job that has this id
--   stored_payload: bytes; what is stored where payload or message type are not those given
--   stored_msg_type: text; '' = none
-- EFFECT: writes; repeatable
-- STATE: (none) -> wait, or delayed when due_ms lies in the future
-- INVARIANT: an id that exists is not touched; every new id is in exactly one lane
-- @include queue_keys job_key now_ms require_commands any_exists index_add list_append
-- @include stats_entered wake_workers

local q = queue_keys(KEYS)
local denied = ARGV[2] ~= '0' and require_commands(q.stats, {
  'EXISTS', 'HGET', 'HMGET', 'HSET', 'LLEN', 'LPUSH', 'MGET', 'RPUSH', 'SET', 'ZADD', 'ZCARD',
  'ZRANGE', 'ZREM', 'ZSCORE',
})
if denied then
  return denied
end
local now = now_ms(ARGV[1])

-- `fields` of a kind go into the hash of every job of it; behind the first `size` values there is
-- room for those of one job.
local kinds, at = {}, 4
for i = 1, tonumber(ARGV[3]) do
  local due, gid, state, behind = ARGV[at + 3], ARGV[at + 4], 'wait', at + 8 + ARGV[at + 7] * 2
  local fields = { 'attempt', '0', 'max_attempts', ARGV[at], 'timeout_ms', ARGV[at + 1],
    'backoff_ms', ARGV[at + 2], 'created_ms', now, 'updated_ms', now, 'queued_ms', now,
    unpack(ARGV, at + 8, behind - 1) }
  local size = #fields
  if gid ~= '' then
    fields[size + 1], fields[size + 2], size = 'gid', gid, size + 2
  end
  if due ~= '0' and tonumber(due) > tonumber(now) then
    state = 'delayed'
    fields[size + 1], fields[size + 2], size = 'due_ms', due, size + 2
  end
  kinds[i] = { due = due, gid = gid, limit = ARGV[at + 5], ordering = ARGV[at + 6],
    state = state, fields = fields, size = size, is_set = false }
  at = behind
end
local starts, keys, prefix, count = {}, {}, job_key(q, ''), tonumber(ARGV[at])
at = at + 1
for i = 1, count do
  starts[i], keys[i] = at, prefix .. ARGV[at]
  at = at + 4 + ARGV[at + 3] * 2
end

-- Lanes are written once for all jobs.
local rows, added, waiting, entered, due, delayed, grouped = {}, {}, {}, {}, {}, {}, {}
local some_exist = any_exists(keys)
for i = 1, count do
  at = starts[i]
  local id, payload, kind = ARGV[at], ARGV[at + 1], kinds[tonumber(ARGV[at + 2])]
  local fields, size = kind.fields, kind.size
  for n = at + 4, at + 3 + ARGV[at + 3] * 2 do
    size = size + 1
    fields[size] = ARGV[n]
  end
  local state = (some_exist or added[id]) and redis.call('HGET', keys[i], 'state')
  if state then
    -- @include duplicate_row
    rows[#rows + 1] = duplicate_row(i, keys[i], state, payload, fields, size)
  else
    redis.call('HSET', keys[i], 'state', kind.state, 'id', id, 'payload', payload,
      unpack(fields, 1, size))
    added[id] = true
    if kind.state == 'delayed' then
      local n = #due
      due[n + 1], due[n + 2], delayed[n + 1], delayed[n + 2] = kind.due, id, now, id
      rows[#rows + 1] = { i, 'OK', 'delayed' }
    else
      local n = #entered
      entered[n + 1], entered[n + 2] = now, id
    end
    if kind.gid ~= '' then
      grouped[#grouped + 1], grouped[#grouped + 2] = id, kind
    elseif kind.state == 'wait' then
      waiting[#waiting + 1] = id
    end
  end
end

if next(added) then
  local available = #waiting
  index_add(q.idx_wait, entered)
  if #grouped > 0 then
    -- @include group_key group_state groups_enter group_place group_refresh enter_groups
    available = available + enter_groups(q, grouped, now)
  end
  local length = list_append(q.wait, waiting) or redis.call('LLEN', q.wait)
  if #due > 0 then
    index_add(q.delayed, due)
    index_add(q.idx_delayed, delayed)
    -- Idle workers sleep until the first due job they know of: tell one of an earlier one.
    if added[redis.call('ZRANGE', q.delayed, '0', '0')[1]] then
      available = available + 1
    end
  end
  wake_workers(q, available)
  stats_entered(q, now, length, #grouped > 0, #due > 0)
end
return rows
