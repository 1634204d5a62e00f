-- remove_jobs: deletes jobs that are not being worked on.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   now_ms: int; 0 = the server's time
--   check: '0'|'1'; 1: answer NOPERM before anything changes where the user's rights fall short
--   lane: 'wait'|'delayed'|'failed'|'completed'|'gwait'
--   ids, 1 to 100 times:
--     id: text
-- DERIVED: job:ID, g:GID:wait, g:GID:inflight, g:GID:limit, g:GID:ordering, g:GID:held,
--   g:GID:rate
-- RETURNS: {'ERR', 'BATCH_TOO_LARGE'} | [{id, 'OK', ''} | {id, 'ERR', code}]
--   id: text; one entry per id, in the order of the arguments
--   code: 'NO_JOB'|'ACTIVE'|'LANE_MISMATCH'|'NOT_IN_LANE'
-- EFFECT: writes; not repeatable
-- STATE: wait|delayed|failed|completed -> (none)
-- INVARIANT: only the lane that the state names is searched; an active job is never touched
-- @include queue_keys job_key group_key now_ms require_commands index_add groups_enter group_place
-- @include group_state group_refresh list_remove group_release_head wake_workers stats_refresh

local q = queue_keys(KEYS)
if #ARGV > 103 then
  return { 'ERR', 'BATCH_TOO_LARGE' }
end
local denied = ARGV[2] ~= '0' and require_commands(q.stats, {
  'DEL', 'GET', 'HMGET', 'HSET', 'LLEN', 'LPUSH', 'LREM', 'MGET', 'ZADD', 'ZCARD', 'ZRANGE',
  'ZRANK', 'ZREM', 'ZSCORE',
})
if denied then
  return denied
end
local now = now_ms(ARGV[1])
local lane = ARGV[3]

-- Takes the id out of its lane. Returns how many entries went (0 = it was not there).
local function take_out(id, gid)
  if lane == 'delayed' then
    redis.call('ZREM', q.idx_delayed, id)
    return redis.call('ZREM', q.delayed, id)
  elseif lane == 'gwait' then
    redis.call('ZREM', q.idx_wait, id)
    return redis.call('LREM', group_key(q, gid, 'wait'), 1, id)
  elseif lane == 'wait' then
    local gone = list_remove(q.wait, q.idx_wait, id, false)
    redis.call('ZREM', q.idx_wait, id)
    return gone
  elseif lane == 'failed' then
    local gone = list_remove(q.failed, q.idx_failed, id, true)
    redis.call('ZREM', q.idx_failed, id)
    return gone
  end
  redis.call('ZREM', q.idx_completed, id)
  return redis.call('LREM', q.completed, 1, id)
end

local results, removed, available = {}, 0, 0
for i = 4, #ARGV do
  local id = ARGV[i]
  local v = redis.call('HMGET', job_key(q, id), 'state', 'gid')
  local state, gid = v[1], v[2] or ''
  local own = state == 'wait' and gid ~= '' and 'gwait' or state
  local err
  if not state then
    err = 'NO_JOB'
  elseif state == 'active' then
    err = 'ACTIVE'
  elseif own ~= lane then
    err = 'LANE_MISMATCH'
  elseif take_out(id, gid) == 0 then
    err = 'NOT_IN_LANE'
  end
  if err then
    results[#results + 1] = { id, 'ERR', err }
  else
    redis.call('DEL', job_key(q, id))
    if gid ~= '' then
      if lane == 'delayed' then
        group_release_head(q, gid, id)
      end
      if lane == 'delayed' or lane == 'gwait' then
        available = available + group_refresh(q, gid, now)
      end
    end
    removed = removed + 1
    results[#results + 1] = { id, 'OK', '' }
  end
end
if removed > 0 then
  wake_workers(q, available)
  stats_refresh(q, now, nil, nil)
end
return results
