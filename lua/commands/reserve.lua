-- reserve: settles finished jobs, keeps the house, and leases the next jobs, in one round trip.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   now_ms: int; 0 = the server's time
--   limit: int; jobs wanted, 0 = none
--   token_prefix: text; new for each call; the leases get token_prefix-1, token_prefix-2, ...
--   keep_completed: int; completed jobs that stay, once one is added
--   upkeep: int; at most so many leases are reaped, and so many due jobs promoted
--   settle_count: int
--   settlements, settle_count times, as in lib/settle_batch.lua
-- DERIVED: job:ID, g:GID:wait, g:GID:inflight, g:GID:limit, g:GID:ordering, g:GID:held
-- RETURNS: {status, now_ms, next_due_ms, promoted, reaped, settled, jobs}
--   status: 'OK'|'PAUSED'
--   now_ms: int; the server's time
--   next_due_ms: int; when a job or a lease next falls due by itself, 0 = never
--   promoted, reaped: int
--   settled: [lib/settle_batch.lua]
--   jobs: [lib/lease_job.lua]
-- EFFECT: writes; not repeatable
-- STATE: active -> completed|delayed|failed|wait; delayed -> wait; wait -> active;
--   completed -> (none) when more than keep_completed are kept
-- INVARIANT: a lease ends at now + timeout_ms; a group never has more leases than its limit
-- @include queue_keys job_key group_key now_ms require_commands group_state group_refresh
-- @include group_free_slot group_release_head lane_enter delay_job lane_forget_active failure_json
-- @include complete_job fail_job give_back active_job lease_end settle_batch trim_completed
-- @include promote_due reap_leases take_from_groups take_ungrouped lease_job reserve_jobs
-- @include next_due_ms wake_workers stats_refresh

local q = queue_keys(KEYS)
local denied = require_commands(q.stats, {
  'DECR', 'DEL', 'EXISTS', 'GET', 'HGET', 'HMGET', 'HSET', 'INCR', 'LLEN', 'LPOP', 'LPUSH',
  'LRANGE', 'LTRIM', 'MGET', 'RPUSH', 'SET', 'ZADD', 'ZCARD', 'ZRANGE', 'ZRANGEBYSCORE', 'ZREM',
  'ZSCORE',
})
if denied then
  return denied
end
local now = now_ms(ARGV[1])
local limit, upkeep = tonumber(ARGV[2]), tonumber(ARGV[5])

local settled, ended, completed, available = settle_batch(q, ARGV, 7, tonumber(ARGV[6]), now)
if completed > 0 then
  trim_completed(q, tonumber(ARGV[4]))
end
local reaped, readied = reap_leases(q, now, upkeep)
local promoted, entered = promote_due(q, now, upkeep)
available = available + readied + entered

local paused = redis.call('EXISTS', q.paused) == 1
local jobs = {}
if not paused and limit > 0 then
  jobs = reserve_jobs(q, limit, ARGV[3], now)
  if redis.call('LLEN', q.wait) + redis.call('ZCARD', q.groups_ready) == 0 then
    -- Nothing is left to take: tokens still lying there would wake workers for nothing.
    redis.call('DEL', q.wake)
    available = 0
  elseif redis.call('EXISTS', q.wake) == 0 then
    -- The token that woke this worker may have been the last one: pass it on for what is left.
    available = math.max(available, #jobs + 1)
  end
end
if not paused then
  wake_workers(q, available - #jobs)
end

if #jobs > 0 then
  stats_refresh(q, now, 'last_reserve_ms')
elseif ended > 0 then
  stats_refresh(q, now, 'last_finish_ms')
elseif reaped + promoted > 0 then
  stats_refresh(q, now, nil)
end
if #jobs > 0 and ended > 0 then
  redis.call('HSET', q.stats, 'last_finish_ms', now)
end
return { paused and 'PAUSED' or 'OK', tonumber(now), next_due_ms(q), promoted, reaped, settled, jobs }
