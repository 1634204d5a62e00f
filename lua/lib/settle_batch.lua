-- Settles `count` leased jobs from the flat list `args`, starting at `at`, and keeps the newest
-- `keep` completed ones. Returns a row per record that is no plain acknowledgement, how many leases
-- ended, and the number of jobs and groups that became available.
-- RECORD:
--   id: text
--   token: text
--   outcome: 'ack'|'release'|'retry'|'fail'|'invalid'|'defer'; the last four: lib/fail_job.lua
--   where outcome is 'retry'|'fail'|'invalid'|'defer':
--     delay_ms: int|''; before a retry or after a defer, '' = the job's backoff_ms
--     reason: text; handler_error, invalid_payload, ... of docs/wire.md, '' = none
--     message: text; the first 4096 bytes are kept
--     errors_json: text; JSON, a list of objects with path, code and message, '' = none
-- ROW: {nth, 'RELEASED', ''} | {nth, 'RETRY', due_ms} | {nth, 'FAILED', ''} | {nth, 'ERR', code}
--   nth: int; place of the record, 1 = the first; one without a row is acknowledged
--   due_ms: int
--   code: 'TOKEN_REQUIRED'|'TOKEN_MISMATCH'|'NOT_ACTIVE'
local function settle_batch(q, args, at, count, keep, now)
  local rows, refused, available, prefix = {}, 0, 0, job_key(q, '')
  -- Written at the end, all at once; until then their hashes say that they are active.
  local acknowledged, keys, is_acknowledged, gids, unstarted = {}, {}, {}, {}, {}
  local has_groups = count > 0 and redis.call('EXISTS', q.has_groups) == 1
  for i = 1, count do
    local id, token, outcome = args[at], args[at + 1], args[at + 2]
    local status, detail
    if outcome == 'ack' then
      local key = prefix .. id
      local v = has_groups and redis.call('HMGET', key, 'state', 'lease_token', 'gid')
        or redis.call('HMGET', key, 'state', 'lease_token')
      local err = lease_error(is_acknowledged[id] and 'completed' or v[1], v[2], token)
      if err then
        status, detail = 'ERR', err
      else
        local n = #acknowledged + 1
        acknowledged[n], keys[n], is_acknowledged[id] = id, key, true
        local gid = v[3]
        if gid and gid ~= '' then
          gids[#gids + 1] = gid
        end
      end
      at = at + 3
    else
      -- @include active_job group_key group_state groups_enter group_place group_free_slots
      -- @include lane_forget_active delay_job failure_json fail_job group_refresh lane_enter
      -- @include give_back settle_undone
      -- Groups become ready in the order of the records.
      local readied = group_free_slots(q, gids, now)
      available, gids = available + readied, {}
      status, detail, readied = settle_undone(q, args, at, is_acknowledged[id], unstarted, now)
      available = available + readied
      at = at + (outcome == 'release' and 3 or 7)
    end
    if status then
      rows[#rows + 1] = { i, status, detail }
      refused = refused + (status == 'ERR' and 1 or 0)
    end
  end
  complete_jobs(q, acknowledged, keys, keep, now)
  if #gids > 0 then
    -- @include group_key group_state groups_enter group_place group_free_slots
    available = available + group_free_slots(q, gids, now)
  end
  if #unstarted > 0 then
    -- @include group_key group_state groups_enter group_place group_refresh read_bucket
    -- @include write_bucket add_tokens limit_key unthrottle_group return_tokens
    available = available + return_tokens(q, unstarted, now)
  end
  return rows, count - refused, available
end
