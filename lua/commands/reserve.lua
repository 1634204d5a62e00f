-- reserve: settles finished jobs, keeps the house, and leases the next jobs, in one round trip.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   now_ms: int; 0 = the server's time
--   check: '0'|'1'; 1: answer NOPERM before anything changes where the user's rights fall short
--   limit: int; jobs wanted, 0 = none
--   token_prefix: text; new for each call: the nth job's token is token_prefix-nth, from 1 on
--   keep_completed: int; completed jobs that stay, once one is added
--   upkeep: int; at most so many leases are reaped, and so many due jobs promoted
--   lost_prefix: text; token_prefix of a call whose reply was lost, '' = none: first its jobs go
--     back to the head of their lanes, the attempt not counted
--   settle_count: int
--   settlements, settle_count times, as in lib/settle_batch.lua
-- DERIVED: job:ID, g:GID:wait, g:GID:inflight, g:GID:limit, g:GID:ordering, g:GID:held,
--   g:GID:rate, rate, concurrency
-- RETURNS: {status, now_ms, next_due_ms, promoted, reaped, settled, kinds, sides, jobs}
--   status: 'OK'|'PAUSED'
--   now_ms: int; the server's time
--   next_due_ms: int; when a job, a lease or a token of a rate limit next falls due, 0 = never
--   promoted, reaped: int
--   settled: [lib/settle_batch.lua]
--   kinds: [{lock_until_ms, attempt, max_attempts, gid, timeout_ms, msg_type, msg_version,
--       msg_schema, msg_source, deferrals}]; what some of the jobs have in common
--   lock_until_ms: int; when the lease ends unless it is renewed
--   attempt: int; 1 = the first
--   max_attempts: int
--   gid: text
--   timeout_ms: int; how long a lease lasts, 0 = 60000
--   msg_type: text
--   msg_version: int
--   msg_schema, msg_source: text
--   deferrals: int; how often workers left it for others
--   sides: [msg_correlation_id, msg_causation_id, msg_traceparent, msg_tracestate]; of those jobs
--       that have any of these
--   msg_correlation_id, msg_causation_id, msg_traceparent: text
--   msg_tracestate: text; '' where there is no msg_traceparent
--   jobs: [id, payload, kind, created_ms, side]
--   id: text
--   payload: bytes
--   kind: int; which of kinds, 1 = the first
--   created_ms: int
--   side: int; which of sides, 1 = the first, 0 = none
-- EFFECT: writes; not repeatable
-- STATE: active -> completed|delayed|failed|wait; delayed -> wait; wait -> active|wait;
--   completed -> (none) when more than keep_completed are kept
-- INVARIANT: a lease ends at now + timeout_ms; neither a group nor the queue has more leases than
--   its limit, or starts more jobs than its rate allows
-- @include queue_keys job_key now_ms require_commands allow_at_maxmemory limit_key index_add
-- @include index_remove lease_error delete_keys list_push_heads trim_completed complete_jobs
-- @include settle_batch next_due_ms lease_end kind_of lease_job read_waiting take_ungrouped
-- @include reserve_jobs stats_refresh wake_workers

local q = queue_keys(KEYS)
local denied = ARGV[2] ~= '0' and require_commands(q.stats, {
  'DEL', 'EXISTS', 'GET', 'HGET', 'HMGET', 'HSET', 'LLEN', 'LPOP', 'LPUSH', 'LRANGE', 'LTRIM',
  'MGET', 'RPUSH', 'SET', 'ZADD', 'ZCARD', 'ZRANGE', 'ZRANGEBYSCORE', 'ZREM', 'ZREVRANGE',
  'ZSCORE',
})
if denied then
  return denied
end
local now = now_ms(ARGV[1])
local limit, upkeep, lost_prefix = tonumber(ARGV[3]), tonumber(ARGV[6]), ARGV[7]

allow_at_maxmemory(q)
local lost, available = 0, 0
if lost_prefix ~= '' then
  -- @include group_key group_state groups_enter group_place group_refresh group_free_slots
  -- @include lane_enter lane_forget_active give_back read_bucket write_bucket add_tokens
  -- @include unthrottle_group return_tokens give_back_lost
  lost, available = give_back_lost(q, lost_prefix, now)
end
local settled, ended, freed = settle_batch(q, ARGV, 9, tonumber(ARGV[8]), tonumber(ARGV[5]), now)
local due, reaped, readied, promoted, entered = next_due_ms(q), 0, 0, 0, 0
if due > 0 and due <= tonumber(now) then
  -- @include group_key group_state groups_enter group_place group_refresh group_free_slots
  -- @include lane_enter lane_forget_active give_back delay_job failure_json fail_job reap_leases
  -- @include group_release_head promote_due
  reaped, readied = reap_leases(q, now, upkeep)
  promoted, entered = promote_due(q, now, upkeep)
  due = next_due_ms(q)
end
available = available + freed + readied + entered
local strays, found = 0, 0
if ARGV[2] ~= '0' and redis.call('EXISTS', q.wait) == 0 then
  -- Now and then, and where a worker has the time.
  -- @include group_key group_state groups_enter group_place group_refresh lane_enter find_strays
  strays, found = find_strays(q, '99', now)
  available = available + found
end

local v = redis.call('MGET', q.paused, q.turn, limit_key(q, 'concurrency'), limit_key(q, 'rate'))
local paused, most, bucket = v[1] and true, tonumber(v[3] or ''), nil
local waiting, ready = redis.call('LLEN', q.wait), redis.call('ZCARD', q.groups_ready)
local count, kinds, sides, jobs = 0, {}, {}, {}
local changed = ended + reaped + promoted + lost + entered + strays > 0
if not paused and limit > 0 then
  local room = most and most - redis.call('ZCARD', q.active) or limit + 1
  if v[4] then
    -- @include read_bucket whole_tokens
    bucket = read_bucket(v[4], now)
    room = bucket and math.min(room, whole_tokens(bucket)) or room
  end
  if room > 0 and waiting + ready > 0 then
    local taken
    count, kinds, sides, jobs, taken =
      reserve_jobs(q, math.min(limit, room), ARGV[4], v[2] or '0', now, ready > 0)
    changed = changed or taken > 0
    if ready == 0 and taken == count then
      -- Nothing but the heads of `wait` has moved, and only their leases are new.
      waiting = waiting - count
      for i = 1, #kinds do
        due = math.min(due > 0 and due or math.huge, tonumber(kinds[i][1]))
      end
    else
      waiting, ready = redis.call('LLEN', q.wait), redis.call('ZCARD', q.groups_ready)
      due = next_due_ms(q)
    end
  end
  local left = waiting + ready > 0
  if bucket then
    -- @include whole_tokens next_token_ms write_bucket
    if count > 0 then
      bucket.tokens = bucket.tokens - count
      write_bucket(limit_key(q, 'rate'), bucket, now)
    end
    if left and whole_tokens(bucket) == 0 then
      local next_token = next_token_ms(bucket, now)
      due = due > 0 and math.min(due, next_token) or next_token
    end
  end
  if not left or count >= room then
    -- Nothing can be taken: tokens still lying there would wake workers for nothing.
    redis.call('DEL', q.wake)
    available = 0
  elseif redis.call('EXISTS', q.wake) == 0 then
    -- The token that woke this worker may have been the last one: pass it on for what is left.
    available = math.max(available, count + 1)
  end
else
  if most then
    -- Each slot that is free again is something to take.
    available = math.max(available, math.min(lost + ended + reaped, waiting + ready))
  end
  if not paused and waiting + ready > 0 and redis.call('EXISTS', q.wake) == 0 then
    -- Asked by a worker for those that wait: a limit may let go of what is there.
    available = math.max(available, 1)
  end
end
if not paused then
  wake_workers(q, available - count)
end

local finished = ended > 0 and 'last_finish_ms' or nil
if count > 0 then
  stats_refresh(q, now, 'last_reserve_ms', finished, waiting, ready)
elseif changed then
  stats_refresh(q, now, finished, nil, waiting, ready)
end
return { paused and 'PAUSED' or 'OK', tonumber(now), due, promoted, reaped, settled, kinds,
  sides, jobs }
