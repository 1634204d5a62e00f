-- What a lease needs to know of the job with the hash `key`; nil where it does not wait (any more).
-- From the 8th to the 16th are the fields that many jobs have in common, in the order of `kind_of`.
-- Each field costs, so what few jobs have is asked of those only that can have it: deferrals and
-- suspect (16th, 17th) where it was leased before, a tracestate (18th) beside a traceparent.
local function read_waiting(key)
  local v = redis.call('HMGET', key, 'state', 'payload', 'first_started_ms', 'created_ms',
    'msg_correlation_id', 'msg_causation_id', 'msg_traceparent',
    'attempt', 'max_attempts', 'gid', 'timeout_ms', 'msg_type', 'msg_version', 'msg_schema',
    'msg_source')
  if v[1] ~= 'wait' then
    return nil
  end
  if v[3] and v[3] ~= '' or v[7] then
    local rare = redis.call('HMGET', key, 'deferrals', 'suspect', 'msg_tracestate')
    v[16], v[17], v[18] = rare[1] or nil, rare[2], rare[3]
  end
  return v
end
