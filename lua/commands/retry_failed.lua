-- retry_failed: gives failed jobs all their attempts and deferrals again.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   now_ms: int; 0 = the server's time
--   check: '0'|'1'; 1: answer NOPERM before anything changes where the user's rights fall short
--   ids, 1 to 100 times:
--     id: text
-- DERIVED: job:ID, g:GID:wait, g:GID:inflight, g:GID:limit, g:GID:ordering, g:GID:held,
--   g:GID:rate
-- RETURNS: {'ERR', 'BATCH_TOO_LARGE'} | [{id, 'OK', ''} | {id, 'ERR', code}]
--   id: text; one entry per id, in the order of the arguments
--   code: 'NO_JOB'|'NOT_FAILED'
-- EFFECT: writes; not repeatable
-- STATE: failed -> wait
-- INVARIANT: only the failed lane is searched; group rules are kept
-- @include queue_keys job_key group_key now_ms require_commands list_remove index_add groups_enter
-- @include group_place group_state group_refresh lane_enter wake_workers stats_refresh

local q = queue_keys(KEYS)
if #ARGV > 102 then
  return { 'ERR', 'BATCH_TOO_LARGE' }
end
local denied = ARGV[2] ~= '0' and require_commands(q.stats, {
  'HMGET', 'HSET', 'LLEN', 'LPUSH', 'LREM', 'MGET', 'RPUSH', 'SET', 'ZADD', 'ZCARD', 'ZRANGE',
  'ZRANK', 'ZREM', 'ZSCORE',
})
if denied then
  return denied
end
local now = now_ms(ARGV[1])
local results, moved, available = {}, 0, 0
for i = 3, #ARGV do
  local id = ARGV[i]
  local v = redis.call('HMGET', job_key(q, id), 'state', 'gid')
  if not v[1] then
    results[#results + 1] = { id, 'ERR', 'NO_JOB' }
  elseif v[1] ~= 'failed' then
    results[#results + 1] = { id, 'ERR', 'NOT_FAILED' }
  else
    list_remove(q.failed, q.idx_failed, id, true)
    redis.call('ZREM', q.idx_failed, id)
    redis.call('HSET', job_key(q, id), 'state', 'wait', 'attempt', '0', 'failed_ms', '', 'due_ms', '',
      'deferrals', '0', 'queued_ms', now, 'updated_ms', now)
    available = available + lane_enter(q, id, v[2], now, false)
    moved = moved + 1
    results[#results + 1] = { id, 'OK', '' }
  end
end
if moved > 0 then
  wake_workers(q, available)
  stats_refresh(q, now, nil, nil)
end
return results
