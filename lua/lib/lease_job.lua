-- Leases a job that was just taken from its lane, and returns what the worker needs.
-- ROW: {id, payload, lock_until_ms, attempt, max_attempts, gid, token, timeout_ms, backoff_ms,
--     created_ms, msg_type, msg_version, msg_schema, msg_source, msg_correlation_id,
--     msg_causation_id, msg_traceparent, msg_tracestate, deferrals}
--   id: text
--   payload: bytes
--   lock_until_ms: int; when the lease ends unless it is renewed
--   attempt: int; 1 = the first
--   max_attempts: int
--   gid: text
--   token: text; what settles the lease and renews it
--   timeout_ms: int; how long a lease lasts, 0 = 60000
--   backoff_ms, created_ms: int
--   msg_type: text
--   msg_version: int
--   msg_schema, msg_source, msg_correlation_id, msg_causation_id: text
--   msg_traceparent, msg_tracestate: text
--   deferrals: int; how often workers left it for others
local function lease_job(q, id, token, now)
  local key = job_key(q, id)
  local v = redis.call('HMGET', key, 'payload', 'attempt', 'max_attempts', 'gid', 'timeout_ms',
    'backoff_ms', 'created_ms', 'first_started_ms', 'msg_type', 'msg_version', 'msg_schema',
    'msg_source', 'msg_correlation_id', 'msg_causation_id', 'msg_traceparent', 'msg_tracestate',
    'deferrals')
  local attempt = (tonumber(v[2] or '0') or 0) + 1
  local until_ms = lease_end(now, tonumber(v[5] or '0') or 0)
  redis.call('ZADD', q.active, until_ms, id)
  redis.call('ZADD', q.idx_active, now, id)
  redis.call('HSET', key, 'state', 'active', 'attempt', attempt, 'lock_until_ms', until_ms,
    'lease_token', token, 'last_started_ms', now, 'updated_ms', now,
    'first_started_ms', (v[8] and v[8] ~= '') and v[8] or now)
  return { id, v[1] or '', tostring(until_ms), tostring(attempt), v[3] or '1', v[4] or '', token,
    v[5] or '', v[6] or '', v[7] or '', v[9] or '', v[10] or '', v[11] or '', v[12] or '',
    v[13] or '', v[14] or '', v[15] or '', v[16] or '', v[17] or '' }
end
