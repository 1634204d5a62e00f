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
-- @include queue_keys job_key group_key now_ms require_commands any_exists index_add groups_enter
-- @include group_place group_state group_refresh list_append stats_entered wake_workers

local q = queue_keys(KEYS)
local denied = ARGV[2] ~= '0' and require_commands(q.stats, {
  'EXISTS', 'HGET', 'HMGET', 'HSET', 'LLEN', 'LPUSH', 'MGET', 'RPUSH', 'SET', 'ZADD', 'ZCARD',
  'ZRANGE', 'ZREM', 'ZSCORE',
})
if denied then
  return denied
end
local now = now_ms(ARGV[1])

-- The kind whose record starts at ARGV[at], and where the next one does. `fields` goes into the hash
-- of every job of the kind; behind its first `size` values there is room for those of one job.
local function read_kind(at)
  local kind = { due = ARGV[at + 3], gid = ARGV[at + 4], limit = tonumber(ARGV[at + 5]),
    ordering = ARGV[at + 6] }
  local fields = { 'attempt', '0', 'max_attempts', ARGV[at], 'timeout_ms', ARGV[at + 1],
    'backoff_ms', ARGV[at + 2], 'created_ms', now, 'updated_ms', now, 'queued_ms', now }
  if kind.gid ~= '' then
    fields[15], fields[16] = 'gid', kind.gid
  end
  kind.state = 'wait'
  if tonumber(kind.due) > tonumber(now) then
    kind.state = 'delayed'
    fields[#fields + 1] = 'due_ms'
    fields[#fields + 1] = kind.due
  end
  local behind = at + 8 + ARGV[at + 7] * 2
  for i = at + 8, behind - 1 do
    fields[#fields + 1] = ARGV[i]
  end
  kind.fields, kind.size = fields, #fields
  return kind, behind
end

local function configure_group(kind)
  if kind.ordering == 'strict' then
    redis.call('SET', group_key(q, kind.gid, 'ordering'), 'strict')
    redis.call('SET', group_key(q, kind.gid, 'limit'), '1')
  elseif kind.limit > 0 then
    redis.call('SET', group_key(q, kind.gid, 'limit'), kind.limit, 'NX')
  end
end

-- The entry of a job whose id is taken. `fields`: what it would have had, the last of a name counts.
local function duplicate(nth, key, state, payload, fields, size)
  local msg_type = ''
  for i = 1, size, 2 do
    if fields[i] == 'msg_type' then
      msg_type = fields[i + 1]
    end
  end
  local old = redis.call('HMGET', key, 'payload', 'msg_type')
  local old_payload, old_type = old[1] or '', old[2] or ''
  if old_payload == payload and old_type == msg_type then
    return { nth, 'DUPLICATE', state, 'same' }
  end
  return { nth, 'DUPLICATE', state, 'different', old_payload, old_type }
end

local kinds, at = {}, 4
for i = 1, tonumber(ARGV[3]) do
  kinds[i], at = read_kind(at)
end
local starts, keys = {}, {}
local count = tonumber(ARGV[at])
at = at + 1
for i = 1, count do
  starts[i], keys[i] = at, job_key(q, ARGV[at])
  at = at + 4 + ARGV[at + 3] * 2
end

-- Lanes are written once for all jobs. `placed`: groups of which nothing has changed since they were
-- put into groups:ready, or were found full.
local rows, added, available, placed = {}, {}, 0, {}
local waiting, entered, due, delayed, grouped = {}, {}, {}, {}, false
local some_exist = any_exists(keys)
for i = 1, count do
  local from = starts[i]
  local id, payload, kind = ARGV[from], ARGV[from + 1], kinds[tonumber(ARGV[from + 2])]
  local fields, size, gid = kind.fields, kind.size, kind.gid
  for n = from + 4, from + 3 + ARGV[from + 3] * 2 do
    size = size + 1
    fields[size] = ARGV[n]
  end
  local state = (some_exist or added[id]) and redis.call('HGET', keys[i], 'state')
  if state then
    rows[#rows + 1] = duplicate(i, keys[i], state, payload, fields, size)
  else
    redis.call('HSET', keys[i], 'state', kind.state, 'id', id, 'payload', payload,
      unpack(fields, 1, size))
    added[id] = true
    if gid ~= '' and not kind.configured then
      configure_group(kind)
      kind.configured, placed[gid], grouped = true, nil, true
    end
    if kind.state == 'delayed' then
      local n = #due
      due[n + 1], due[n + 2], delayed[n + 1], delayed[n + 2] = kind.due, id, now, id
      rows[#rows + 1] = { i, 'OK', 'delayed' }
    else
      local n = #entered
      entered[n + 1], entered[n + 2] = now, id
      if gid == '' then
        waiting[#waiting + 1] = id
      else
        redis.call('RPUSH', group_key(q, gid, 'wait'), id)
      end
    end
    -- Also where the job is delayed: it may have brought another limit or order.
    if gid ~= '' and not placed[gid] then
      available = available + group_refresh(q, gid, now)
      placed[gid] = kind.state == 'wait'
    end
  end
end

if next(added) then
  index_add(q.idx_wait, entered)
  if grouped and #entered > 2 * #waiting then
    redis.call('SET', q.has_groups, '1')
  end
  local length = list_append(q.wait, waiting) or redis.call('LLEN', q.wait)
  available = available + #waiting
  index_add(q.delayed, due)
  index_add(q.idx_delayed, delayed)
  -- Idle workers sleep until the first due job they know of: tell one of an earlier one.
  if #due > 0 and added[redis.call('ZRANGE', q.delayed, 0, 0)[1]] then
    available = available + 1
  end
  wake_workers(q, available)
  stats_entered(q, now, length, grouped, #due > 0)
end
return rows
