-- enqueue_one: adds a job that has no group and may start at once to a queue, once.
-- KEYS: {QUEUE}:wait, {QUEUE}:idx:wait, {QUEUE}:stats, {QUEUE}:wake
-- ARGV:
--   now_ms: int; 0 = the server's time
--   check: '0'|'1'; 1: answer NOPERM before anything changes where the user's rights fall short
--   max_attempts: int; at least 1
--   timeout_ms: int; how long a lease lasts, 0 = 60000
--   backoff_ms: int; pause before another attempt
--   side_count: int
--   side, side_count times:
--     field: text; msg_..., those of docs/wire.md
--     value: text
--   id: text
--   payload: bytes; JSON, an object or an array
--   more, any number of times:
--     field: text; those that are not in side
--     value: text
-- DERIVED: job:ID
-- RETURNS: [{nth, 'DUPLICATE', state, 'same'}
--     | {nth, 'DUPLICATE', state, 'different', stored_payload, stored_msg_type}]
--   nth: int; 1. Without an entry the job was added, and waits
--   state: text; of the job that has this id
--   stored_payload: bytes; what is stored where payload or message type are not those given
--   stored_msg_type: text; '' = none
-- EFFECT: writes; repeatable
-- STATE: (none) -> wait
-- INVARIANT: an id that exists is not touched
-- @include job_key now_ms require_commands stats_entered wake_workers

local q = { base = string.sub(KEYS[1], 1, -6), idx_wait = KEYS[2], stats = KEYS[3], wake = KEYS[4] }
local denied = ARGV[2] ~= '0' and require_commands(q.stats, {
  'EXISTS', 'HGET', 'HMGET', 'HSET', 'LLEN', 'LPUSH', 'RPUSH', 'ZADD', 'ZCARD',
})
if denied then
  return denied
end

local at = 7 + ARGV[6] * 2
local id, payload = ARGV[at], ARGV[at + 1]
local key = job_key(q, id)
if redis.call('EXISTS', key) == 1 then
  -- @include duplicate_row
  local fields = { unpack(ARGV, 7, at - 1) }
  return { duplicate_row(1, key, redis.call('HGET', key, 'state'), payload, fields, #fields) }
end

local now = now_ms(ARGV[1])
redis.call('HSET', key, 'state', 'wait', 'id', id, 'payload', payload, 'attempt', '0',
  'max_attempts', ARGV[3], 'timeout_ms', ARGV[4], 'backoff_ms', ARGV[5],
  'created_ms', now, 'updated_ms', now, 'queued_ms', now, unpack(ARGV, 7, at - 1))
if ARGV[at + 2] then
  redis.call('HSET', key, unpack(ARGV, at + 2))
end
redis.call('ZADD', q.idx_wait, now, id)
local waiting = redis.call('RPUSH', KEYS[1], id)
wake_workers(q, 1)
stats_entered(q, now, waiting, false, false)
return {}
