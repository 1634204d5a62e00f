-- The fields that a lease needs, of a job that waits; nil where it is gone, or elsewhere by now.
-- From the 9th to the 18th they are those that many jobs have in common, in the order of `kind_of`.
local function read_waiting(q, id)
  local v = redis.call('HMGET', job_key(q, id), 'state', 'payload', 'first_started_ms', 'created_ms',
    'msg_correlation_id', 'msg_causation_id', 'msg_traceparent', 'msg_tracestate',
    'attempt', 'max_attempts', 'gid', 'timeout_ms', 'backoff_ms', 'msg_type', 'msg_version',
    'msg_schema', 'msg_source', 'deferrals', 'suspect')
  return v[1] == 'wait' and v or nil
end
